//! Circuit breakers, as a pool has them: one for each origin.

mod gauge;
mod opening;
mod settings;

#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use standpipe::{CircuitHandle, Origin, Pool};
use standpipe_test::memory::Network;
use standpipe_test::{Gate, Server};

/// A server that can be told how to answer.
struct Moody {
    server: Server,
    status: Arc<AtomicU16>,
    held: Arc<AtomicBool>,
    gate: Gate,
}

impl Moody {
    fn start(network: &Network, address: &str) -> Self {
        let (status, held) = (
            Arc::new(AtomicU16::new(200)),
            Arc::new(AtomicBool::new(false)),
        );
        let gate = Gate::new();
        let (answer, hold, at) = (Arc::clone(&status), Arc::clone(&held), gate.clone());
        let server = Server::builder().handler(move |_| {
            let status = answer.load(Ordering::Relaxed);
            let (hold, at) = (hold.load(Ordering::Relaxed), at.clone());
            async move {
                if hold {
                    at.wait().await;
                }
                let response = Response::builder().status(status);
                response.body(Full::<Bytes>::default()).unwrap()
            }
        });
        Self {
            server: server.start_on(network.listen(address)),
            status,
            held,
            gate,
        }
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    fn requests(&self) -> usize {
        self.server.stats().requests
    }
}

fn origin(url: &str) -> Origin {
    Origin::parse(url).unwrap()
}

fn circuit(pool: &Pool, url: &str) -> CircuitHandle {
    pool.circuit_breaker(&origin(url)).expect("a circuit")
}

/// The answer's status, or None where the circuit refused.
async fn status(pool: &Pool, url: &str) -> Option<u16> {
    match pool.get(url).send().await {
        Ok(response) => Some(response.status().as_u16()),
        Err(error) => {
            assert!(error.is_circuit_open(), "{error}");
            None
        }
    }
}
