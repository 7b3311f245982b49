//! The sweep: each scenario once for each number of polls after which it is dropped.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use http::{Request, Response};
use http_body_util::BodyExt;
use standpipe_core::{Body, Error};
use standpipe_test::memory::Network;
use standpipe_test::{Ca, Gate, Server, ServerBuilder};
use standpipe_transport::{Protocol, Transport};
use tokio::task::yield_now;

use crate::support::{
    answer_to, fetch, get, head_of, over, post, read, send, settle, stats, trusting, until,
};
use crate::trickle::Trickle;

const LIMIT: usize = 2;
/// More polls than any scenario takes.
const MANY: usize = 400;

/// What stands when a request is made.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Before {
    /// Nothing: it has a connection dialled.
    Nothing,
    /// A connection that idles.
    Idle,
    /// A connection that idles and whose server has gone, unnoticed.
    Stale,
    /// As many requests as there may be, which end while it waits.
    Busy,
}

#[derive(Clone, Copy, Debug)]
struct Scenario {
    before: Before,
    http2: bool,
    tls: bool,
    /// Uploads its path byte by byte.
    upload: bool,
}

fn scenarios() -> Vec<Scenario> {
    let mut all = Vec::new();
    for before in [Before::Nothing, Before::Idle, Before::Stale, Before::Busy] {
        for bits in 0..8 {
            all.push(Scenario {
                before,
                http2: bits & 1 != 0,
                tls: bits & 2 != 0,
                upload: bits & 4 != 0,
            });
        }
    }
    all
}

struct World {
    network: Network,
    transport: Transport,
    server: Option<Server>,
    builder: ServerBuilder,
    gate: Gate,
    host: &'static str,
    address: &'static str,
}

impl World {
    fn new(scenario: Scenario) -> Self {
        let (network, ca, gate) = (Network::new(), Ca::new(), Gate::new());
        let held = gate.clone();
        let mut builder = Server::builder().handler(move |request| {
            let gate = held.clone();
            async move {
                let path = request.uri().path().to_owned();
                if path == "/held" {
                    gate.wait().await;
                }
                let upload = request.into_body().collect().await;
                let upload = upload.map(|body| body.to_bytes()).unwrap_or_default();
                Response::new(Trickle::new([path.as_bytes(), &upload].concat()))
            }
        });
        let mut client = over(&network)
            .max_connections_per_host(LIMIT)
            .max_idle_per_host(LIMIT);
        if scenario.http2 {
            client = client.protocol(Protocol::Http2);
            // One stream each, so that the limit on connections is one on requests.
            builder = builder.http2().max_concurrent_streams(1);
        }
        let (mut host, mut address) = ("http://a.test", "a.test:80");
        if scenario.tls {
            (host, address) = ("https://a.test", "a.test:443");
            let alpn: &[&[u8]] = if scenario.http2 {
                &[b"h2"]
            } else {
                &[b"http/1.1"]
            };
            builder = builder.tls(ca.server_config(&["a.test"], alpn));
            client = client.tls(trusting(&ca));
        }
        Self {
            transport: client.build().unwrap(),
            server: Some(builder.clone().start_on(network.listen(address))),
            network,
            builder,
            gate,
            host,
            address,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.host)
    }

    async fn prepare(&mut self, before: Before) {
        match before {
            Before::Nothing | Before::Busy => {}
            Before::Idle => {
                fetch(&self.transport, get(&self.url("/warm")))
                    .await
                    .unwrap();
                settle().await;
            }
            Before::Stale => {
                fetch(&self.transport, get(&self.url("/warm")))
                    .await
                    .unwrap();
                settle().await;
                self.server.take().unwrap().shutdown().await;
                let listener = self.network.listen(self.address);
                self.server = Some(self.builder.clone().start_on(listener));
            }
        }
    }

    fn request(&self, upload: bool, path: &str) -> Request<Body> {
        if upload {
            post(&self.url(path), Body::new(Trickle::new("body")))
        } else {
            get(&self.url(path))
        }
    }

    /// The limits are free, and the next requests get what is theirs.
    async fn check(&self, what: &str) {
        until(|| {
            let now = stats(&self.transport);
            (now.active, now.waiting, now.dialing, now.streams) == (0, 0, 0, 0)
        })
        .await;
        assert!(self.network.peak_connections() <= LIMIT, "{what}");
        self.gate.close();
        let held: Vec<_> = (0..LIMIT)
            .map(|_| send(&self.transport, get(&self.url("/held"))))
            .collect();
        until(|| self.gate.waiting() == LIMIT).await;
        self.gate.open();
        for held in held {
            assert_eq!(answer_to(held).await.unwrap(), "/held", "{what}");
        }
        let own = fetch(&self.transport, self.request(true, "/own/")).await;
        assert_eq!(own.unwrap(), "/own/body", "{what}");
    }
}

/// Runs the scenario, drops its request after `polls`, and says whether it came to its end before.
async fn drop_after(scenario: Scenario, polls: usize, patient: bool) -> bool {
    let mut world = World::new(scenario);
    world.prepare(scenario.before).await;
    let held: Vec<_> = match scenario.before {
        Before::Busy => (0..LIMIT)
            .map(|_| send(&world.transport, get(&world.url("/held"))))
            .map(|sent| tokio::spawn(answer_to(sent)))
            .collect(),
        _ => Vec::new(),
    };
    if scenario.before == Before::Busy {
        until(|| world.gate.waiting() == LIMIT).await;
    }
    let request = world.request(scenario.upload, "/it/");
    let expected = if scenario.upload { "/it/body" } else { "/it/" };
    let mut ended = false;
    {
        let exchange = async {
            let response = head_of(&world.transport, request).await?;
            read(response).await
        };
        let mut exchange = pin!(exchange);
        for n in 0..polls {
            if n == 2 {
                world.gate.open();
            }
            // A patient one is polled once, and meanwhile it is granted what it never collects.
            if n == 0 || !patient {
                let polled = poll_fn(|cx| Poll::Ready(exchange.as_mut().poll(cx))).await;
                if let Poll::Ready(body) = polled {
                    let body: Result<_, Error> = body;
                    match body {
                        Ok(body) => assert_eq!(body, expected),
                        // Written before the close was seen: the caller's to send again.
                        Err(error) => {
                            assert_eq!(scenario.before, Before::Stale, "{error:?}");
                            assert!(error.calls_for_resend(), "{error:?}");
                        }
                    }
                    ended = true;
                    break;
                }
            }
            yield_now().await;
        }
    }
    world.gate.open();
    for held in held {
        assert_eq!(held.await.unwrap().unwrap(), "/held");
    }
    world
        .check(&format!("{scenario:?} after {polls} polls"))
        .await;
    ended
}

async fn sweep(which: impl Fn(&Scenario) -> bool) {
    for scenario in scenarios().into_iter().filter(which) {
        let mut ended = false;
        for polls in 0..MANY {
            if drop_after(scenario, polls, false).await {
                ended = true;
                break;
            }
        }
        assert!(ended, "{scenario:?} takes more than {MANY} polls");
        for turns in (1..40).step_by(3) {
            drop_after(scenario, turns, true).await;
        }
    }
}

/// CAN-01, CAN-03, CAN-06, CAN-07, CAN-08, CAN-09
#[tokio::test(start_paused = true)]
async fn over_http1_a_request_may_be_dropped_after_any_number_of_polls() {
    sweep(|scenario| !scenario.http2 && !scenario.tls).await;
}

/// CAN-01, CAN-03, CAN-06, CAN-08, CAN-09
#[tokio::test(start_paused = true)]
async fn over_http2_a_request_may_be_dropped_after_any_number_of_polls() {
    sweep(|scenario| scenario.http2 && !scenario.tls).await;
}

/// CAN-03
#[tokio::test(start_paused = true)]
async fn over_tls_a_request_may_be_dropped_after_any_number_of_polls() {
    sweep(|scenario| !scenario.http2 && scenario.tls).await;
}

/// CAN-03
#[tokio::test(start_paused = true)]
async fn over_http2_and_tls_a_request_may_be_dropped_after_any_number_of_polls() {
    sweep(|scenario| scenario.http2 && scenario.tls).await;
}
