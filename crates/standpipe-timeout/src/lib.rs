#![doc = include_str!("../README.md")]

mod body;
mod error;
mod future;
mod layer;
mod plan;
mod request;
mod service;
mod wait;

pub use body::TimeoutBody;
pub use future::ResponseFuture;
pub use layer::TimeoutLayer;
pub use request::RequestTimeout;
pub use service::Timeout;
