#![doc = include_str!("../README.md")]

mod body;
mod call;
mod config;
mod counts;
mod future;
mod handle;
mod judge;
mod late_call;
mod layer;
mod listeners;
mod machine;
mod retry_after;
mod service;
mod shared;
mod state;

pub use body::CircuitBody;
pub use call::Call;
pub use config::{CircuitBreakerConfig, SlowCalls, Span, Trip, Window};
pub use counts::Counts;
pub use future::ResponseFuture;
pub use handle::Handle;
pub use judge::{AtBodyEnd, AtHead, Judge};
pub use late_call::LateCall;
pub use layer::CircuitBreakerLayer;
pub use retry_after::{HttpRetryAfter, NoRetryAfter, RetryAfter};
pub use service::CircuitBreaker;
pub use state::{Cause, State, Transition};
