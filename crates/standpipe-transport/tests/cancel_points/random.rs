//! Requests dropped at random under servers that misbehave at random, from a seed.
//!
//! `STANDPIPE_CANCEL_OPS` says how many: 20,000 unless set, 1,000,000 in the long run.
//! `STANDPIPE_CANCEL_SEED` says from which seed.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use standpipe_core::Body;
use standpipe_test::memory::Network;
use standpipe_test::{Gate, Server};
use standpipe_transport::Transport;
use tokio::task::{JoinSet, yield_now};

use crate::support::{answer_to, get, head_of, over, post, read, send, stats, until};
use crate::trickle::Trickle;

const TASKS: usize = 8;
/// Requests between two looks at the whole.
const ROUND: usize = 2_000;
const PER_HOST: usize = 3;
const TOTAL: usize = 5;
const HOSTS: [&str; 3] = ["a.test", "b.test", "c.test"];

/// The numbers of xorshift64*: the same ones for the same seed.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap_or_default() % n
    }
}

fn setting(name: &str, default: usize) -> usize {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().expect("a number"))
}

/// What a server does is the first part of the path: it is a script that the client chooses.
async fn answer(request: Request<Incoming>, gate: Gate) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let script = path.split('/').nth(1).unwrap_or_default().to_owned();
    let mut response = Response::new(Body::from(path.clone()));
    match script.as_str() {
        "held" => gate.wait().await,
        "read" => {
            let upload = request.into_body().collect().await;
            let read = upload.map(|body| body.to_bytes().len()).unwrap_or_default();
            response = Response::new(Body::from(format!("{path}{read}")));
        }
        "late" => {
            for _ in 0..5 {
                yield_now().await;
            }
        }
        "trickle" => response = Response::new(Body::new(Trickle::new(path))),
        "breaks" => response = Response::new(Body::new(Trickle::broken("/breaks"))),
        "close" => {
            let close = http::HeaderValue::from_static("close");
            response.headers_mut().insert("connection", close);
        }
        "refuse" => *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE,
        _ => {}
    }
    response
}

const SCRIPTS: [&str; 7] = [
    "read", "late", "trickle", "breaks", "close", "refuse", "plain",
];

/// Polls `future` at most `polls` times, with a turn of the runtime in between.
async fn poll_up_to<F: Future>(mut future: Pin<&mut F>, polls: usize) -> Option<F::Output> {
    for _ in 0..polls {
        if let Poll::Ready(output) = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
            return Some(output);
        }
        yield_now().await;
    }
    None
}

/// One request; whether it came to its end.
async fn one(transport: &Transport, token: usize, random: &mut Random) -> bool {
    let script = SCRIPTS[random.below(SCRIPTS.len())];
    let host = HOSTS[random.below(HOSTS.len())];
    let path = format!("/{script}/{token}/");
    let url = format!("http://{host}{path}");
    let (request, sent) = match random.below(3) {
        0 => (get(&url), 0),
        1 => (post(&url, "buffered"), 8),
        _ => (post(&url, Body::new(Trickle::new("trickled"))), 8),
    };
    let mut exchange = pin!(async { read(head_of(transport, request).await?).await });
    let polls = match random.below(2) {
        0 => usize::MAX,
        _ => random.below(40),
    };
    let Some(outcome) = poll_up_to(exchange.as_mut(), polls).await else {
        return false;
    };
    match outcome {
        Ok(body) if script == "read" => assert_eq!(body, format!("{path}{sent}")),
        Ok(body) => assert_eq!(body, path, "another's body"),
        // A server that closes, or breaks off, may do so under a request.
        Err(error) => assert!(!error.is_timeout(), "{error:?}"),
    }
    true
}

async fn run(seed: u64, ops: usize, network: &Network, servers: &mut Vec<Server>) -> usize {
    let gate = Gate::new();
    for host in HOSTS {
        let held = gate.clone();
        let server = Server::builder().handler(move |request| answer(request, held.clone()));
        servers.push(server.start_on(network.listen(&format!("{host}:80"))));
    }
    let transport = over(network)
        .max_connections_per_host(PER_HOST)
        .max_idle_per_host(PER_HOST)
        .max_connections(Some(TOTAL))
        .build()
        .unwrap();
    let mut ended = 0;
    for round in 0..ops.div_ceil(ROUND) {
        let mut tasks = JoinSet::new();
        for task in 0..TASKS {
            let transport = transport.clone();
            let number = round * TASKS + task;
            let mut random = Random::new(seed + number as u64);
            tasks.spawn(async move {
                let mut ended = 0;
                for n in 0..ROUND / TASKS {
                    let token = number * ROUND + n;
                    ended += usize::from(one(&transport, token, &mut random).await);
                }
                ended
            });
        }
        ended += tasks.join_all().await.into_iter().sum::<usize>();
        until(|| {
            let now = stats(&transport);
            (now.active, now.waiting, now.dialing) == (0, 0, 0)
        })
        .await;
        assert!(network.peak_connections() <= TOTAL);
        // All that is allowed can be had, all at once.
        gate.close();
        let held: Vec<_> = (0..TOTAL)
            .map(|n| {
                send(
                    &transport,
                    get(&format!("http://{}/held", HOSTS[n % HOSTS.len()])),
                )
            })
            .collect();
        until(|| gate.waiting() == TOTAL).await;
        gate.open();
        for held in held {
            assert_eq!(answer_to(held).await.unwrap(), "/held");
        }
    }
    ended
}

/// CAN-20
#[tokio::test(start_paused = true)]
async fn dropped_at_random_under_servers_that_misbehave_nothing_leaks() {
    let ops = setting("STANDPIPE_CANCEL_OPS", 20_000);
    let seed = setting("STANDPIPE_CANCEL_SEED", 1) as u64;
    let (network, mut servers) = (Network::new(), Vec::new());
    let ended = run(seed, ops, &network, &mut servers).await;
    // Both kinds, or it proves nothing.
    assert!(
        (ops / 2..ops * 19 / 20).contains(&ended),
        "{ended} of {ops}"
    );
    // With the last handle all is gone: connections, and after the servers every task.
    network.all_closed().await;
    for server in servers {
        server.shutdown().await;
    }
    let runtime = tokio::runtime::Handle::current().metrics();
    until(|| runtime.num_alive_tasks() == 0).await;
}
