//! The figures beside a server's own count, over many requests at once.
//!
//! `STANDPIPE_METRICS_REQUESTS` says how many: 4,000 unless set, 100,000 in the long run.
//! `STANDPIPE_METRICS_SEED` says from which seed requests are cancelled.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, header};
use http_body::Frame;
use http_body_util::{Either, Full, StreamBody};
use hyper::body::Incoming;
use standpipe::{BoxError, Error, ErrorKind, Pool, RetryPolicy};
use standpipe_core::sync::Mutex;
use standpipe_test::memory::Network;
use standpipe_test::{Gate, Server};
use tokio::sync::oneshot;
use tokio::task::{JoinSet, yield_now};

use crate::assert_adds_up;
use crate::support::{URL, on, settle};

/// Requests under way at a time.
const AT_ONCE: usize = 32;

fn setting(name: &str, default: usize) -> usize {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().expect("a number"))
}

/// A multiple of all kinds and tasks.
fn many() -> usize {
    let of_all_kinds = KINDS.len() * AT_ONCE;
    setting("STANDPIPE_METRICS_REQUESTS", 4_000).next_multiple_of(of_all_kinds)
}

/// What one request in eight asks for each.
const KINDS: [&str; 8] = [
    "plain", "missing", "broken", "once", "held", "cut", "moved", "upload",
];

type Cut = StreamBody<stream::Iter<std::array::IntoIter<Result<Frame<Bytes>, BoxError>, 2>>>;

/// What the server knows of the requests, by the path's number.
#[derive(Clone, Default)]
struct Script {
    /// Those that failed once.
    failed: Arc<Mutex<HashSet<String>>>,
    /// Who is to hear that a request to be held has come.
    held: Arc<Mutex<HashMap<String, oneshot::Sender<()>>>>,
}

impl Script {
    fn expect_held(&self, number: usize) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        self.held.lock().insert(number.to_string(), tell);
        told
    }

    /// `/once` fails the first time that a number is asked for, `/held` never answers, `/cut` ends the
    /// connection before its head is out.
    async fn answer(self, path: String) -> Response<Either<Full<Bytes>, Cut>> {
        let (kind, number) = path[1..].split_once('/').expect("a kind and a number");
        let (status, location) = match kind {
            "missing" => (404, None),
            "broken" => (500, None),
            "once" if self.failed.lock().insert(number.to_owned()) => (503, None),
            "upload" => (503, None),
            "moved" => (302, Some(format!("/plain/{number}"))),
            "held" => {
                let heard = self.held.lock().remove(number);
                heard.expect("a client that waits").send(()).expect("it");
                std::future::pending().await
            }
            "cut" => {
                let frames = [Ok(Frame::data(Bytes::from("half"))), Err("the rest".into())];
                let body = StreamBody::new(stream::iter(frames));
                return Response::new(Either::Right(body));
            }
            _ => (200, None),
        };
        let mut response = Response::builder().status(status);
        if let Some(location) = location {
            response = response.header(header::LOCATION, location);
        }
        let body = Full::new(Bytes::from("hello"));
        response.body(Either::Left(body)).unwrap()
    }
}

fn pool(network: &Network) -> Pool {
    on(network)
        .without_circuit_breaker()
        .retry_policy(RetryPolicy::new().budget(None))
        .build()
        .unwrap()
}

/// One request of the kind whose turn it is; one that is held is dropped when the server has its head.
async fn one(pool: &Pool, script: &Script, number: usize) {
    let kind = KINDS[number % KINDS.len()];
    let url = format!("{URL}{kind}/{number}");
    match kind {
        "held" => {
            let arrived = script.expect_held(number);
            let held = tokio::spawn(pool.get(url).send());
            arrived.await.unwrap();
            held.abort();
            assert!(held.await.unwrap_err().is_cancelled());
        }
        "cut" => {
            let error = pool.get(url).send().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionClosed);
        }
        "upload" => {
            let response = pool.post(url).body("hello, server").send().await.unwrap();
            assert_eq!(response.bytes().await.unwrap(), "hello");
        }
        _ => {
            let response = pool.get(url).send().await.unwrap();
            assert_eq!(response.bytes().await.unwrap(), "hello");
        }
    }
}

/// With failures, retries, redirects, and cancellations made after the server had the head: exactly.
#[tokio::test(start_paused = true)]
async fn over_many_requests_the_figures_agree_with_what_the_server_counted() {
    let requests = many();
    let network = Network::new();
    let script = Script::default();
    let answers = script.clone();
    let server = Server::builder()
        .handler(move |request: Request<Incoming>| {
            let answers = answers.clone();
            answers.answer(request.uri().path().to_owned())
        })
        .start_on(network.listen("a.test:80"));
    let pool = pool(&network);
    let mut tasks = JoinSet::new();
    for task in 0..AT_ONCE {
        let (pool, script) = (pool.clone(), script.clone());
        tasks.spawn(async move {
            for n in 0..requests / AT_ONCE {
                one(&pool, &script, n * AT_ONCE + task).await;
                if n % 32 == 0 {
                    assert_adds_up(&pool.metrics().requests);
                }
            }
        });
    }
    tasks.join_all().await;
    settle().await;

    let metrics = pool.metrics();
    let (asked, sent) = (&metrics.requests, &metrics.attempts);
    assert_adds_up(asked);
    assert_adds_up(sent);
    let each = (requests / KINDS.len()) as u64;
    assert_eq!((asked.total, asked.in_flight), (8 * each, 0));
    assert_eq!((asked.successful, asked.failed), (4 * each, 3 * each));
    assert_eq!((asked.cancelled, asked.errors), (each, each));
    assert_eq!(asked.errors_by_kind, [("connection_closed", each)].into());
    let statuses = asked.statuses;
    assert_eq!(statuses.client_error, each);
    assert_eq!(statuses.server_error, 2 * each);
    assert_eq!(statuses.redirection, 0);
    assert_eq!((asked.bytes_in, asked.bytes_out), (5 * 6 * each, 13 * each));

    let seen = server.stats();
    assert_eq!(sent.total, seen.requests as u64);
    assert_eq!((sent.cancelled, sent.in_flight), (each, 0));
    // One redirect each for `/moved`, one retry for `/once`, and three for the upload.
    assert_eq!(sent.responses, 11 * each);
    assert_eq!(sent.statuses.redirection, each);
    assert_eq!(sent.statuses.server_error, 6 * each);
    // What was cut, and the upload, were sent again until they were given up.
    let retried = metrics.retries.retried;
    assert_eq!(sent.total, asked.total + retried + each);
    assert_eq!(sent.errors, each + (retried - 4 * each));
    assert_eq!(metrics.retries.given_up, 2 * each);
    let connections = &metrics.connections;
    assert_eq!(connections.opened, seen.connections as u64);
    assert_eq!(connections.opened, connections.closed + connections.idle);
    println!("{requests} requests, {} attempts", sent.total);
}

/// The numbers of xorshift64*: the same ones for the same seed.
struct Random(u64);

impl Random {
    fn new(seed: usize) -> Self {
        Self((seed as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }
}

/// Answers some at once, some a little later, and some when the gate opens.
async fn answer_at_random(path: String, gate: Gate) -> Response<Full<Bytes>> {
    match path.len() % 3 {
        0 => gate.wait().await,
        1 => yield_now().await,
        _ => {}
    }
    let status = if path.ends_with('7') { 503 } else { 200 };
    let response = Response::builder().status(status);
    response.body(Full::new(Bytes::from("hello"))).unwrap()
}

/// Polls a request at most so often before it is dropped.
async fn cancelled_after(polls: u64, request: impl Future<Output = Result<(), Error>>) -> bool {
    let mut request = pin!(request);
    for _ in 0..polls {
        let polled = std::future::poll_fn(|cx| Poll::Ready(request.as_mut().poll(cx))).await;
        if let Poll::Ready(answer) = polled {
            answer.unwrap();
            return false;
        }
        yield_now().await;
    }
    true
}

/// Dropped at any point, so that nobody can know of some whether they went out: the server has seen what was
/// answered, and nothing that did not go out.
#[tokio::test(start_paused = true)]
async fn with_cancellations_at_random_the_server_counts_between_the_sure_and_the_possible() {
    let requests = many();
    let seed = setting("STANDPIPE_METRICS_SEED", 1);
    let network = Network::new();
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::builder()
        .handler(move |request: Request<Incoming>| {
            answer_at_random(request.uri().path().to_owned(), held.clone())
        })
        .start_on(network.listen("a.test:80"));
    // Fewer connections than tasks, so that some are dropped in the queue.
    let pool = on(&network)
        .without_circuit_breaker()
        .max_connections_per_host(AT_ONCE / 4)
        .max_idle_per_host(AT_ONCE / 4)
        .retry_policy(RetryPolicy::new().budget(None))
        .build()
        .unwrap();
    let mut tasks = JoinSet::new();
    for task in 0..AT_ONCE {
        let pool = pool.clone();
        let mut random = Random::new(seed * AT_ONCE + task);
        tasks.spawn(async move {
            let mut dropped = 0u64;
            for n in 0..requests / AT_ONCE {
                let request = pool.get(format!("{URL}{:o}", random.below(1 << 12)));
                let whole = async { request.send().await?.bytes().await.map(drop) };
                dropped += u64::from(cancelled_after(1 + random.below(24), whole).await);
                if n % 32 == 0 {
                    assert_adds_up(&pool.metrics().requests);
                }
            }
            dropped
        });
    }
    let dropped: u64 = tasks.join_all().await.into_iter().sum();
    gate.open();
    // The server may be reading a request whose sender has gone.
    tokio::time::sleep(Duration::from_secs(1)).await;

    let metrics = pool.metrics();
    let (asked, sent) = (&metrics.requests, &metrics.attempts);
    assert_adds_up(asked);
    assert_adds_up(sent);
    assert_eq!((asked.in_flight, sent.in_flight), (0, 0));
    assert_eq!(asked.cancelled + asked.bodies.abandoned, dropped);
    let seen = server.stats().requests as u64;
    let (surely, possibly) = (sent.responses, pool.stats().total.requests);
    println!("{dropped} of {requests} dropped; {surely} answered, {seen} seen, {possibly} at most");
    assert!(surely <= seen && seen <= possibly, "seed {seed}");
    assert!(possibly <= sent.total, "seed {seed}");
    // All three differ: some were dropped before they went out, and some after.
    assert!(surely < seen && possibly < sent.total, "seed {seed}");
}
