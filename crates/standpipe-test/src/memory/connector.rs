use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Uri;
use hyper_util::rt::TokioIo;
use tower_service::Service;

use super::address;
use super::dials::Verdict;
use super::network::Network;
use super::stream::MemoryStream;

/// A connector that dials the listeners of a [`Network`]; it fits wherever hyper-util's
/// `HttpConnector` does.
///
/// It is always ready. Its errors are [`ConnectionRefused`](io::ErrorKind::ConnectionRefused)
/// where nobody listens, [`InvalidInput`](io::ErrorKind::InvalidInput) for a URI that leads
/// nowhere, and what [`Network::fail_next_dials`] asked for.
///
/// # Clone
///
/// All clones dial the same network.
#[derive(Clone, Debug)]
pub struct MemoryConnector {
    network: Network,
}

impl MemoryConnector {
    pub(super) fn new(network: Network) -> Self {
        Self { network }
    }
}

impl Service<Uri> for MemoryConnector {
    type Response = TokioIo<MemoryStream>;
    type Error = io::Error;
    type Future = Dial;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Dial {
        Dial::new(self.network.clone(), address::of_uri(&uri))
    }
}

/// The future of a dial. It has begun, and is counted, when it is made.
///
/// # Cancel safety
///
/// Dropped, the dial is given up: nothing reaches the listener.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Dial {
    network: Network,
    state: State,
}

#[derive(Debug)]
enum State {
    Waiting { dial: u64, address: String },
    Invalid(io::Error),
    Done,
}

impl Dial {
    pub(super) fn new(network: Network, address: io::Result<String>) -> Self {
        let state = match address {
            Ok(address) => State::Waiting {
                dial: network.begin_dial(&address),
                address,
            },
            Err(error) => State::Invalid(error),
        };
        Self { network, state }
    }
}

impl Future for Dial {
    type Output = io::Result<TokioIo<MemoryStream>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let State::Waiting { dial, address } = &this.state {
            let connected = match ready!(this.network.poll_dial(*dial, cx)) {
                Verdict::Connect => this.network.connect(address).map(TokioIo::new),
                Verdict::Fail(kind) => Err(failed(kind, address)),
            };
            this.state = State::Done;
            return Poll::Ready(connected);
        }
        match std::mem::replace(&mut this.state, State::Done) {
            State::Invalid(error) => Poll::Ready(Err(error)),
            State::Waiting { .. } | State::Done => panic!("a dial polled after it has ended"),
        }
    }
}

impl Drop for Dial {
    fn drop(&mut self) {
        if let State::Waiting { dial, .. } = self.state {
            self.network.cancel_dial(dial);
        }
    }
}

fn failed(kind: io::ErrorKind, address: &str) -> io::Error {
    io::Error::new(kind, format!("dialling {address}: {kind}"))
}
