//! A limit on the requests that are under way at once, up to the end of the response body.

mod body;
mod future;
mod layer;
mod permit;
mod service;

pub use body::PermitBody;
pub use future::ConcurrencyResponseFuture;
pub use layer::{ConcurrencyHandle, ConcurrencyLimitLayer};
pub use service::ConcurrencyLimit;
