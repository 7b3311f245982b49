//! A network in memory, for tests that need neither sockets nor a clock.
//!
//! A [`Network`] has addresses. A test listens on one, hands the network's
//! [connector](Network::connector) to the client under test and plays the server over the
//! [`MemoryStream`]s it accepts: by hand with a [`Peer`](crate::Peer), or with any server that takes
//! tokio's IO. Dials can be kept [waiting](Network::hold_dials) or made to
//! [fail](Network::fail_next_dials); the network counts what was dialled and what is open.
//!
//! Nothing here looks at a clock or spawns a task, so all of it works under `tokio::time::pause`.

mod address;
mod connector;
mod dials;
mod hold;
mod listener;
mod network;
mod pipe;
mod stream;

#[cfg(test)]
mod tests;

pub use connector::{Dial, MemoryConnector};
pub use hold::DialHold;
pub use listener::Listener;
pub use network::Network;
pub use stream::MemoryStream;
