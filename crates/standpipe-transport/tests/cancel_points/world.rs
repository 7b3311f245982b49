//! The scenarios of the sweep, and what stands in each when the request is made.

use http::{Request, Response};
use http_body_util::BodyExt;
use standpipe_core::Body;
use standpipe_test::memory::Network;
use standpipe_test::{Ca, Gate, Server, ServerBuilder};
use standpipe_transport::{Protocol, Transport};

use crate::support::{
    answer_to, fetch, get, over, pass, post, secs, send, settle, stats, trusting, until,
};
use crate::trickle::Trickle;

pub(crate) const LIMIT: usize = 2;
/// What stands when a request is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Before {
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
pub(crate) struct Scenario {
    pub(crate) before: Before,
    pub(crate) http2: bool,
    pub(crate) tls: bool,
    /// Uploads its path byte by byte.
    pub(crate) upload: bool,
}

pub(crate) fn scenarios() -> Vec<Scenario> {
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

pub(crate) struct World {
    network: Network,
    pub(crate) transport: Transport,
    server: Option<Server>,
    builder: ServerBuilder,
    pub(crate) gate: Gate,
    host: &'static str,
    address: &'static str,
}

impl World {
    pub(crate) fn new(scenario: Scenario) -> Self {
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

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.host)
    }

    pub(crate) async fn prepare(&mut self, before: Before) {
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

    pub(crate) fn request(&self, upload: bool, path: &str) -> Request<Body> {
        if upload {
            post(&self.url(path), Body::new(Trickle::new("body")))
        } else {
            get(&self.url(path))
        }
    }

    /// The limits are free, and the next requests get what is theirs.
    pub(crate) async fn check(&self, what: &str) {
        until(|| {
            let now = stats(&self.transport);
            (now.active, now.waiting, now.dialing, now.streams) == (0, 0, 0, 0)
        })
        .await;
        // A cancelled stream of HTTP/2 counts on for a while.
        settle().await;
        pass(secs(1)).await;
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
