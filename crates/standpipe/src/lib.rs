#![doc = include_str!("../README.md")]

mod builder;
mod config;
mod pool;
mod request;
mod response;
mod stack;

pub use builder::PoolBuilder;
pub use config::{HostConfig, PoolConfig};
pub use pool::{Pool, PoolFuture};
pub use request::{IntoUri, RequestBuilder};
pub use response::Response;
pub use stack::{DefaultHeaders, DefaultHeadersLayer, HostService, HostStack, Stack};

pub use standpipe_core::{
    Body, BoxError, ConnectionFacts, ConnectionInfo, Deadline, Error, ErrorKind, Origin, Phase,
    RequestSent,
};
pub use standpipe_timeout::RequestTimeout;
pub use standpipe_transport::{
    ConnectionStats, Connector, OriginStats, Protocol, TlsConfig, TlsProvider, TransportStats,
};

pub use http;
