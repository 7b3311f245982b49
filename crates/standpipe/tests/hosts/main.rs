//! What is set for single hosts, when the pool is built and while it runs.

mod by_hand;
mod client;
mod configure;
mod limits;
mod names;

#[path = "../support/mod.rs"]
mod support;

use std::num::NonZeroU32;

use standpipe::{Pool, RateLimitConfig};

fn per_minute(requests: u32) -> RateLimitConfig {
    RateLimitConfig::per_minute(NonZeroU32::new(requests).expect("at least one"))
}

/// What the server at `url` was sent, as it echoes it.
async fn echo(pool: &Pool, url: &str) -> String {
    pool.get(url).send().await.unwrap().text().await.unwrap()
}
