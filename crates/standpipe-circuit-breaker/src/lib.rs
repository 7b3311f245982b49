//! A circuit breaker as a tower layer: leased probes, generations, lock-free while closed.
