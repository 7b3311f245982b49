#![doc = include_str!("../README.md")]

mod breaker;
mod event;
mod script;
mod store;

pub use event::RedisEvent;
pub use store::RedisStore;
