#![doc = include_str!("../README.md")]

mod builder;
mod concurrency;
mod config;
mod cost;
mod error;
mod future;
mod gcra;
mod handle;
mod hooks;
mod layer;
mod local;
mod place;
mod protocol;
mod quota;
mod remote;
mod server;
mod service;
mod settle;
mod shared;
mod store;

pub use builder::RateLimitBuilder;
pub use concurrency::{
    ConcurrencyHandle, ConcurrencyLimit, ConcurrencyLimitLayer, ConcurrencyResponseFuture,
    PermitBody,
};
pub use config::RateLimitConfig;
pub use cost::{Cost, HttpCost, OneEach, RequestCost};
pub use future::ResponseFuture;
pub use handle::{Handle, RateLimitStats};
pub use layer::RateLimitLayer;
pub use protocol::{AnyRequest, Http, Protocol};
pub use quota::{Quota, Unit};
pub use server::ServerWord;
pub use service::RateLimit;
pub use settle::Settle;
pub use store::{Answer, Ask, Charge, MemoryStore, Store, Verdict};
