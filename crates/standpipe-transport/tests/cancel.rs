//! Requests dropped at random: nothing is lost, and nobody gets what is another's.

mod support;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use standpipe_core::{Body, BoxError};
use standpipe_test::memory::{Listener, Network};
use standpipe_test::{Ca, Gate, Server};
use standpipe_transport::Transport;
use tokio::task::{JoinSet, yield_now};
use tokio_rustls::TlsAcceptor;
use tower::Service;

use crate::support::{answer_to, get, over, send, stats, trusting, until};

const TASKS: u64 = 25;
const REQUESTS: u64 = 400;
const PER_HOST: usize = 4;
const TOTAL: usize = 6;
/// HTTP/1.1, and HTTP/2 by ALPN.
const HOSTS: [&str; 2] = ["http://a.test", "https://b.test"];

/// The numbers of xorshift64*: the same ones for the same seed.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }

    fn pick<T: Copy, const N: usize>(&mut self, of: [T; N]) -> T {
        of[usize::try_from(self.below(N as u64)).unwrap_or_default()]
    }
}

/// A body that comes byte by byte, and lets others run before each.
struct Trickle(Bytes, bool);

impl http_body::Body for Trickle {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.1 = !self.1;
        if self.1 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let more = !self.0.is_empty();
        Poll::Ready(more.then(|| Ok(Frame::data(self.0.split_to(1)))))
    }
}

/// Answers each request with its path: at once, after a turn, or byte by byte; `/held`, once the gate
/// is open.
async fn answer(request: Request<Incoming>, gate: Gate) -> Result<Response<Body>, Infallible> {
    let token = request.uri().path().to_owned();
    if token == "/held" {
        gate.wait().await;
    }
    Ok(match token.as_bytes()[token.len() - 1] % 3 {
        0 => Response::new(Body::from(token)),
        1 => {
            yield_now().await;
            Response::new(Body::from(token))
        }
        _ => Response::new(Body::new(Trickle(token.into(), false))),
    })
}

fn serve_http1(listener: Listener, gate: &Gate) -> Server {
    let gate = gate.clone();
    let server = Server::builder().handler(move |request| {
        let gate = gate.clone();
        async move { answer(request, gate).await.unwrap_or_default() }
    });
    server.start_on(listener)
}

/// A server that does not take many streams dropped early for an attack, to which h2's default answer is
/// a GOAWAY.
fn serve_http2(listener: Listener, tls: Arc<rustls::ServerConfig>, gate: &Gate) {
    let (acceptor, gate) = (TlsAcceptor::from(tls), gate.clone());
    tokio::spawn(async move {
        loop {
            let (stream, acceptor) = (listener.accept().await, acceptor.clone());
            let gate = gate.clone();
            tokio::spawn(async move {
                let Ok(io) = acceptor.accept(stream).await else {
                    return;
                };
                let service = service_fn(|request| answer(request, gate.clone()));
                let connection = http2::Builder::new(TokioExecutor::new())
                    .max_pending_accept_reset_streams(usize::MAX)
                    .max_local_error_reset_streams(None)
                    .serve_connection(TokioIo::new(io), service);
                let _ = connection.await;
            });
        }
    });
}

/// Polls `future` at most `polls` times, with a turn of the runtime in between.
async fn poll_up_to<F: Future>(mut future: Pin<&mut F>, polls: u64) -> Option<F::Output> {
    for _ in 0..polls {
        let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        yield_now().await;
    }
    None
}

/// Reads a body to its end, which must be the one meant for `path`.
async fn check(path: &str, response: Response<Body>) -> Result<(), BoxError> {
    let body = support::read(response).await?;
    assert_eq!(body, path, "another's body");
    Ok(())
}

/// One task's requests; returns how many it let go to their end.
async fn client(transport: Transport, seed: u64) -> u64 {
    let mut random = Random::new(seed);
    let mut completed = 0;
    for n in 0..REQUESTS {
        let path = format!("/{seed}-{n}");
        let url = random.pick(HOSTS).to_owned() + &path;
        let mut answer = pin!(transport.clone().call(get(&url)));
        if random.below(2) == 0 {
            let response = answer.await.expect("nobody cancelled it");
            check(&path, response).await.expect("nobody cancelled it");
            completed += 1;
            continue;
        }
        let polls = random.below(24);
        let Some(response) = poll_up_to(answer.as_mut(), polls).await else {
            continue;
        };
        let response = response.expect("nobody cancelled it yet");
        let polls = random.below(8);
        if let Some(read) = poll_up_to(pin!(check(&path, response)), polls).await {
            read.expect("nobody cancelled it");
            completed += 1;
        }
    }
    completed
}

async fn cancels_at_random(seed: u64) {
    let (network, ca, gate) = (Network::new(), Ca::new(), Gate::new());
    let _servers = ["a.test:80", "c.test:80"].map(|at| serve_http1(network.listen(at), &gate));
    let tls = ca.server_config(&["b.test"], &[b"h2"]);
    serve_http2(network.listen("b.test:443"), tls, &gate);
    let transport = over(&network)
        .tls(trusting(&ca))
        .max_connections_per_host(PER_HOST)
        .max_idle_per_host(PER_HOST)
        .max_connections(Some(TOTAL))
        .build()
        .unwrap();
    let mut clients = JoinSet::new();
    for task in 0..TASKS {
        clients.spawn(client(transport.clone(), seed + task));
    }
    let completed: u64 = clients.join_all().await.iter().sum();
    // Both kinds, or it proves nothing.
    let all = TASKS * REQUESTS;
    assert!((all / 2..all * 9 / 10).contains(&completed), "{completed}");

    until(|| {
        let now = stats(&transport);
        (now.active, now.waiting, now.dialing, now.streams) == (0, 0, 0, 0)
    })
    .await;
    assert!(network.peak_connections() <= TOTAL);

    // As many as may, all at once.
    let here = (0..PER_HOST).map(|_| send(&transport, get("http://a.test/held")));
    let there = (PER_HOST..TOTAL).map(|_| send(&transport, get("http://c.test/held")));
    let held: Vec<_> = here.chain(there).collect();
    until(|| gate.waiting() == TOTAL).await;
    gate.open();
    for held in held {
        assert_eq!(answer_to(held).await.unwrap(), "/held");
    }
}

/// LIM-15, CAN-20
#[tokio::test(start_paused = true)]
async fn ten_thousand_requests_dropped_at_random_leave_all_limits_free() {
    cancels_at_random(1).await;
}

/// LIM-15, CAN-20
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nor_do_they_where_threads_race() {
    cancels_at_random(1_000).await;
}
