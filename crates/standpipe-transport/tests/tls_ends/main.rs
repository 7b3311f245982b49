//! TLS: what its settings keep apart, and how its connections end.

mod close_notify;
mod early_data;
mod identity;
#[path = "../support/mod.rs"]
mod support;
