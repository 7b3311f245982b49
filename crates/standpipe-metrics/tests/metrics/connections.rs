//! Connections, as a transport tells of them.

use super::*;
use std::sync::Arc;

use http_body_util::{BodyExt, Empty};
use standpipe_core::{ConnectionFacts, Error};
use standpipe_metrics::{ConnectionState, Event, HostLabels, HostRecord, Recorder};
use standpipe_test::{Server, memory::Network};
use standpipe_transport::{Closed, PoolEvents, Protocol, Transport};

/// A recorder that adds up what a gauge would show.
#[derive(Clone, Debug, Default)]
struct Gauge(Arc<standpipe_core::sync::Mutex<[i64; 2]>>);

impl Gauge {
    /// Active and idle ones.
    fn now(&self) -> [i64; 2] {
        *self.0.lock()
    }
}

impl Recorder for Gauge {
    fn host(&self, _: &HostLabels<'_>) -> Option<Arc<dyn HostRecord>> {
        Some(Arc::new(self.clone()))
    }
}

impl HostRecord for Gauge {
    fn record(&self, event: &Event<'_>) {
        if let Event::ConnectionMoved { from, to, .. } = event {
            let mut now = self.0.lock();
            let place = |state: &ConnectionState| usize::from(*state == ConnectionState::Idle);
            from.iter().for_each(|state| now[place(state)] -= 1);
            to.iter().for_each(|state| now[place(state)] += 1);
        }
    }
}

#[test]
fn a_connection_is_active_while_any_request_uses_it() {
    let gauge = Gauge::default();
    let registry = Registry::builder().recorder(gauge.clone()).build();
    let here = origin("https://a.b");
    registry.connection_opened(&here, 7);
    registry.connection_opened(&here, 8);
    assert_eq!(gauge.now(), [0, 2]);
    for _ in 0..2 {
        registry.connection_leased(7);
        assert_eq!(gauge.now(), [1, 1]);
    }
    registry.connection_returned(7);
    assert_eq!(gauge.now(), [1, 1]);
    registry.connection_returned(7);
    assert_eq!(gauge.now(), [0, 2]);

    registry.connection_leased(8);
    let second = Duration::from_secs(1);
    registry.connection_closed(8, "peer", 3 * second);
    registry.connection_closed(7, "idle_timeout", second);
    assert_eq!(gauge.now(), [0, 0]);
    let figures = registry.host_metrics("a.b").unwrap().figures;
    let connections = &figures.connections;
    assert_eq!((connections.opened, connections.closed), (2, 2));
    assert_eq!((connections.active, connections.idle), (0, 0));
    assert_eq!(connections.average_lifetime, 2 * second);
    assert_eq!(
        connections.closed_by_reason,
        [("peer", 1), ("idle_timeout", 1)].into()
    );
}

#[test]
fn what_is_told_of_an_unknown_connection_or_told_too_often_is_passed_over() {
    let gauge = Gauge::default();
    let registry = Registry::builder().recorder(gauge.clone()).build();
    registry.connection_leased(1);
    registry.connection_returned(1);
    registry.connection_closed(1, "peer", Duration::ZERO);
    assert_eq!(registry.metrics().connections.closed, 0);

    registry.connection_opened(&origin("https://a.b"), 1);
    registry.connection_opened(&origin("https://a.b"), 1);
    registry.connection_returned(1);
    registry.connection_leased(1);
    assert_eq!(gauge.now(), [1, 0]);
    for _ in 0..2 {
        registry.connection_closed(1, "peer", Duration::ZERO);
    }
    assert_eq!(gauge.now(), [0, 0]);
    let connections = registry.metrics().figures.connections;
    assert_eq!((connections.opened, connections.closed), (1, 1));
}

/// What connects a transport to a registry.
#[derive(Clone, Debug)]
struct Told(Registry);

impl PoolEvents for Told {
    fn created(&self, origin: &Origin, connection: &ConnectionFacts) {
        self.0.connection_opened(origin, connection.id);
    }

    fn leased(&self, _: &Origin, connection: &ConnectionFacts) {
        self.0.connection_leased(connection.id);
    }

    fn returned(&self, _: &Origin, connection: &ConnectionFacts) {
        self.0.connection_returned(connection.id);
    }

    fn closed(&self, _: &Origin, closed: &Closed<'_>) {
        let reason = closed.reason.as_str();
        self.0
            .connection_closed(closed.connection.id, reason, closed.age);
    }

    fn dial_failed(&self, origin: &Origin, error: &Error) {
        self.0.host(origin).dial_failed(error.kind());
    }

    fn waited(&self, origin: &Origin, wait: Duration) {
        if !wait.is_zero() {
            self.0.host(origin).acquire_waited(wait);
        }
    }
}

/// Answers `/hold` never.
async fn handle(path: String) -> Response<Empty<bytes::Bytes>> {
    match path.as_str() {
        "/hold" => std::future::pending().await,
        _ => Response::new(Empty::new()),
    }
}

/// Over both protocols, with requests that end, are dropped and are refused, and connections that are closed
/// from either side: at every rest the gauge shows what the transport itself knows.
#[tokio::test(start_paused = true)]
async fn a_transport_that_is_connected_by_its_hook_is_followed_exactly() {
    for http2 in [false, true] {
        let network = Network::new();
        let server = Server::builder().handler(|request| handle(request.uri().path().to_owned()));
        let server = match http2 {
            true => server.http2(),
            false => server.http1(),
        };
        let server = server.start_on(network.listen("a.test:80"));
        let gauge = Gauge::default();
        let registry = Registry::builder().recorder(gauge.clone()).build();
        let mut builder = Transport::builder()
            .connector(network.connector())
            .max_connections_per_host(3)
            .max_idle_per_host(3)
            .events(Told(registry.clone()));
        if http2 {
            builder = builder.protocol(Protocol::Http2);
        }
        let transport = builder.build().unwrap();
        let check = |what: &str| {
            let stats = transport.stats().total;
            let known = [stats.active as i64, stats.idle as i64];
            assert_eq!(gauge.now(), known, "{what}, http2: {http2}");
            let told = registry.metrics().figures.connections;
            assert_eq!(told.opened, stats.created, "{what}");
            assert_eq!(told.closed, stats.closed.total(), "{what}");
            assert_eq!(told.dial_failures, stats.dial_failures, "{what}");
        };
        let send = |path: &str| {
            let answer = transport
                .clone()
                .oneshot(get(&format!("http://a.test{path}")));
            tokio::spawn(async move {
                let response = answer.await?;
                response.into_body().collect().await?;
                Ok::<_, BoxError>(())
            })
        };
        let settled = || tokio::time::sleep(Duration::from_secs(1));

        network.fail_next_dials(1, std::io::ErrorKind::ConnectionRefused);
        send("/").await.unwrap().unwrap_err();
        check("a failed dial");
        let held: Vec<_> = (0..8).map(|_| send("/hold")).collect();
        settled().await;
        check("held requests");
        assert!(gauge.now()[0] > 0);
        held.into_iter().for_each(|request| request.abort());
        settled().await;
        check("dropped requests");
        let answered: Vec<_> = (0..20).map(|_| send("/")).collect();
        for request in answered {
            request.await.unwrap().unwrap();
        }
        settled().await;
        check("answered requests");
        assert!(gauge.now()[1] > 0 && gauge.now()[0] == 0);
        send("/hold");
        settled().await;
        drop(server);
        settled().await;
        check("a server that is gone");
        transport.close_idle();
        settled().await;
        check("closed idle connections");
        assert_eq!(gauge.now(), [0, 0]);
        let waits = registry.metrics().figures.connections.acquire_wait;
        let waited = transport.stats().total.wait_time;
        assert_eq!(waits.total, waited);
    }
}
