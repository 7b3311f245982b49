#![doc = include_str!("../README.md")]
// The models run the pool and the connections over stand-ins for the dial and for hyper.
#![cfg_attr(all(test, standpipe_loom), allow(dead_code, unused_imports))]

mod builder;
mod check;
mod config;
mod conn;
mod connect;
mod dial;
mod dns;
mod events;
mod exchange;
mod key;
mod pool;
mod proxy;
mod service;
mod stats;
mod tls;

pub use builder::TransportBuilder;
pub use config::{
    Http1Config, Http2Config, MinThroughput, PhaseTimeouts, PoolLimits, Protocol, TcpConfig,
};
pub use connect::Connector;
pub use dns::{Name, Resolver};
pub use events::{CloseReason, Closed, PoolEvents};
pub use exchange::ResponseFuture;
pub use pool::{ClosedCounts, Shutdown, ShutdownReport, Warm};
pub use proxy::Proxy;
pub use service::{OriginTransport, Transport};
pub use stats::{ConnectionStats, OriginStats, TransportStats};
pub use tls::{TlsConfig, TlsProvider};
