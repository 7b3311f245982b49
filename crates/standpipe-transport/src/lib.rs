#![doc = include_str!("../README.md")]

mod builder;
mod config;
mod conn;
mod connect;
mod dial;
mod events;
mod exchange;
mod key;
mod pool;
mod service;
mod stats;
mod tls;

pub use builder::TransportBuilder;
pub use config::{Http1Config, Http2Config, PhaseTimeouts, PoolLimits, Protocol, TcpConfig};
pub use connect::Connector;
pub use events::{CloseReason, Closed, PoolEvents};
pub use exchange::ResponseFuture;
pub use pool::{ClosedCounts, Shutdown, ShutdownReport, Warm};
pub use service::{OriginTransport, Transport};
pub use stats::{ConnectionStats, OriginStats, TransportStats};
pub use tls::{TlsConfig, TlsProvider};
