//! A store for standpipe-rate-limit: one limit for a whole fleet, kept in Redis.
