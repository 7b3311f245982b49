//! Proxies: the ways through them, what they may do wrong, and who is told what.

mod faults;
mod forward;
mod identity;
mod resolving;
#[path = "../support/mod.rs"]
mod support;
mod tunnel;

use standpipe_test::memory::Network;
use standpipe_transport::{Proxy, TransportBuilder};

/// The address of the proxy.
const PROXY: &str = "proxy.test:3128";

/// A transport that goes through the proxy at `url`.
fn through(network: &Network, url: &str) -> TransportBuilder {
    support::over(network).proxy(Proxy::all(url).unwrap())
}
