#![doc = include_str!("../README.md")]

#[cfg(feature = "server")]
mod ca;
mod changes;
#[cfg(all(test, feature = "server"))]
mod clients;
pub mod contract;
#[cfg(feature = "external")]
pub mod external;
#[cfg(feature = "server")]
pub mod faults;
mod gate;
pub mod guide;
pub mod h2peer;
pub mod memory;
pub mod mock;
mod peer;
mod probe;
#[cfg(feature = "server")]
pub mod proxy;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "server")]
mod serving;

#[cfg(feature = "server")]
pub use ca::{Ca, Leaf};
pub use contract::{LayerContract, assert_layer_contract, assert_reserves_nothing};
#[cfg(feature = "server")]
pub use faults::FaultServer;
pub use gate::Gate;
pub use h2peer::H2Peer;
pub use mock::{MockResponse, MockService};
pub use peer::Peer;
pub use probe::{Probe, ProbeHandle};
#[cfg(feature = "server")]
pub use server::{Server, ServerBuilder};
#[cfg(feature = "server")]
pub use serving::ServerStats;
