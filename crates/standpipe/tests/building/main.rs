//! Requests as they are put together beyond their headers and bodies, and what responses tell.

mod credentials;
#[cfg(feature = "form")]
mod forms;
mod responses;
mod smuggling;

#[cfg(feature = "charset")]
mod charsets;
#[path = "../support/mod.rs"]
mod support;

use standpipe::{Pool, RequestBuilder};
use standpipe_test::Server;
use standpipe_test::memory::Network;
use support::{echo_on, on};

/// A pool and a server at `a.test` that gives back what it was sent.
struct Echo {
    network: Network,
    _server: Server,
    pool: Pool,
}

fn echo() -> Echo {
    let network = Network::new();
    let server = echo_on(&network, "a.test:80");
    let pool = on(&network).build().unwrap();
    Echo {
        network,
        _server: server,
        pool,
    }
}

async fn text(request: RequestBuilder) -> String {
    request.send().await.unwrap().text().await.unwrap()
}
