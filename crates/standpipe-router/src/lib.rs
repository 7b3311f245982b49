#![doc = include_str!("../README.md")]

mod builder;
mod clock;
mod eviction;
mod future;
mod host;
mod hosts;
mod layer;
mod lru;
mod make_host;
mod new_host;
mod router;

pub use builder::HostRouterBuilder;
pub use eviction::Eviction;
pub use future::ResponseFuture;
pub use layer::{HostRouterLayer, NewLayered};
pub use make_host::{MadeFuture, MadeHost, MakeHost};
pub use new_host::NewHost;
pub use router::HostRouter;
