//! TCP by hyper-util's connector, over addresses that are known already.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use standpipe_core::{Error, ErrorKind};
use tower_service::Service;

use super::{Bound, fault};
use crate::config::TcpConfig;
use crate::connect::{Connected, erase};
use crate::dns::{AddressFilter, Lookups, Name};

/// The default connector: lookups and TCP, each timed and bounded by itself.
#[derive(Debug)]
pub(crate) struct Tcp {
    pub(crate) config: TcpConfig,
    pub(crate) lookups: Arc<Lookups>,
    pub(crate) filter: Option<AddressFilter>,
}

impl Tcp {
    /// Connects to the first of `addresses` that answers, by happy eyeballs (RFC 8305), within
    /// `bound`, which began with all of `limit` left. Those that are tried one after the other share it.
    pub(crate) async fn connect(
        &self,
        mut addresses: Vec<SocketAddr>,
        limit: Option<Duration>,
        bound: Bound,
    ) -> Result<Connected, Error> {
        if let Some(local) = self.config.local_address {
            addresses.retain(|address| address.is_ipv4() == local.is_ipv4());
            if addresses.is_empty() {
                let error = Error::new(ErrorKind::LocalConnect);
                return Err(error.with_message(format!("no address can be reached from {local}")));
            }
        }
        let tried = tried(&addresses);
        let connector = erase(self.connector(addresses, limit));
        let connecting = async {
            // The addresses bring their ports along.
            let connected = connector
                .connect(Uri::from_static("http://addresses"))
                .await;
            connected.map_err(fault::of_connector)
        };
        let connected = bound.keep(ErrorKind::ConnectTimeout, connecting).await;
        connected.map_err(|error| match limit {
            Some(limit) if error.is_timeout() => {
                error.with_message(format!("{tried}, the limit is {limit:?}"))
            }
            _ => error.with_message(tried),
        })
    }

    fn connector(
        &self,
        addresses: Vec<SocketAddr>,
        limit: Option<Duration>,
    ) -> HttpConnector<Known> {
        let config = &self.config;
        let mut http = HttpConnector::new_with_resolver(Known(addresses));
        http.set_connect_timeout(limit);
        http.set_nodelay(config.nodelay);
        http.set_keepalive(config.keepalive.map(at_most_seconds));
        http.set_keepalive_interval(config.keepalive_interval.map(at_most_seconds));
        http.set_keepalive_retries(config.keepalive_retries.map(|n| n.min(MOST_PROBES)));
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        http.set_tcp_user_timeout(config.user_timeout.map(|time| time.min(MOST_USER_TIMEOUT)));
        http.set_local_address(config.local_address);
        if let Some((v4, v6)) = config.local_addresses {
            http.set_local_addresses(v4, v6);
        }
        http
    }
}

/// What the kernel takes at most; it refuses more, where less is meant by it.
const MOST_SECONDS: Duration = Duration::from_secs(32_767);
const MOST_PROBES: u32 = 127;
#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
const MOST_USER_TIMEOUT: Duration = Duration::from_millis(i32::MAX as u64);

fn at_most_seconds(time: Duration) -> Duration {
    time.clamp(Duration::from_secs(1), MOST_SECONDS)
}

/// The names of a few addresses.
fn tried(addresses: &[SocketAddr]) -> String {
    const NAMED: usize = 8;
    let mut text = String::from("tried ");
    for (n, address) in addresses.iter().take(NAMED).enumerate() {
        let comma = if n > 0 { ", " } else { "" };
        text.push_str(&format!("{comma}{address}"));
    }
    if let Some(more) = addresses.len().checked_sub(NAMED).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// A resolver that has the answer.
#[derive(Clone)]
struct Known(Vec<SocketAddr>);

impl Service<Name> for Known {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Name) -> Self::Future {
        ready(Ok(std::mem::take(&mut self.0).into_iter()))
    }
}
