//! Over real sockets, and over the in-memory network where the clock is the test's.

use super::*;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use standpipe_core::Body;
use standpipe_test::Server;
use standpipe_test::memory::Network;
use standpipe_transport::Transport;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinSet;

fn get(url: &str) -> Request<Body> {
    Request::get(url).body(Body::empty()).unwrap()
}

/// A server that answers 200 while it is `well`, and breaks the connection otherwise.
async fn mortal_server(well: &Arc<AtomicBool>) -> Server {
    let well = Arc::clone(well);
    let server = Server::builder().http1().handler(move |_| {
        let well = well.load(Ordering::SeqCst);
        async move {
            assert!(well, "dead");
            Response::new(Full::<Bytes>::from("hello"))
        }
    });
    server.start().await
}

/// Keeps a task busy, as a paused clock runs ahead when all tasks wait, though it be for a socket.
struct Awake(tokio::task::JoinHandle<()>);

/// The sockets are real, and the clock is the test's.
fn pause_over_sockets() -> Awake {
    tokio::time::pause();
    Awake(tokio::spawn(async {
        loop {
            tokio::task::yield_now().await;
        }
    }))
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[tokio::test]
async fn a_server_that_dies_is_left_alone_and_flows_again_when_it_is_back() {
    let well = Arc::new(AtomicBool::new(true));
    let server = mortal_server(&well).await;
    let url = server.url("/");
    let _awake = pause_over_sockets();
    let layer = CircuitBreakerLayer::new(config()).unwrap();
    let client = layer.layer(Transport::builder().build().unwrap());
    let circuit = client.handle();
    let send = || client.clone().oneshot(get(&url));
    for _ in 0..10 {
        assert_eq!(send().await.unwrap().status(), 200);
    }

    well.store(false, Ordering::SeqCst);
    // The connection that was used before ends. That may have been its time, so it says nothing yet.
    assert!(send().await.is_err());
    assert_eq!(circuit.counts().failures, 0);
    for failures in 1..=5 {
        assert_eq!(circuit.state(), State::Closed);
        assert!(send().await.is_err());
        assert_eq!(circuit.counts().failures, failures);
    }
    assert_eq!(circuit.state(), State::Open);

    // While it is open the server sees nothing at all.
    let dead = server.until(|stats| stats.open == 0).await;
    for _ in 0..1_000 {
        let error = Error::from_boxed(send().await.unwrap_err());
        assert!(error.is_circuit_open() && error.retry_after() <= Some(30 * SECOND));
    }
    assert_eq!(server.stats(), dead);

    // One probe goes out after the reset period, and finds it dead.
    tokio::time::advance(30 * SECOND).await;
    assert!(!Error::from_boxed(send().await.unwrap_err()).is_circuit_open());
    assert_eq!(circuit.state(), State::Open);
    assert!(Error::from_boxed(send().await.unwrap_err()).is_circuit_open());
    let probed = server.until(|stats| stats.open == 0).await;
    assert_eq!(probed.requests, dead.requests + 1);

    // It is back, and after one more probe all flows again.
    well.store(true, Ordering::SeqCst);
    tokio::time::advance(60 * SECOND).await;
    assert_eq!(send().await.unwrap().status(), 200);
    assert_eq!(circuit.state(), State::Closed);
    for _ in 0..10 {
        assert_eq!(send().await.unwrap().status(), 200);
    }
    assert_eq!(server.stats().requests, probed.requests + 11);
}

/// A server that is gone altogether: nobody listens.
#[tokio::test(start_paused = true)]
async fn while_it_is_open_nobody_dials() {
    let network = Network::new();
    let listener = network.listen("api.test:80");
    let transport = Transport::builder()
        .connector(network.connector())
        .build()
        .unwrap();
    let client = CircuitBreakerLayer::new(config()).unwrap().layer(transport);
    let send = || client.clone().oneshot(get("http://api.test/"));
    drop(listener);
    for _ in 0..5 {
        assert!(Error::from_boxed(send().await.unwrap_err()).is_connect());
    }
    let dials = network.dials();
    for _ in 0..100 {
        assert!(Error::from_boxed(send().await.unwrap_err()).is_circuit_open());
    }
    assert_eq!(network.dials(), dials);
    let _server = Server::builder()
        .http1()
        .start_on(network.listen("api.test:80"));
    tokio::time::advance(30 * SECOND).await;
    assert_eq!(send().await.unwrap().status(), 200);
    assert_eq!(network.dials(), dials + 1);
}

/// BRK-07
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_tasks_at_a_half_open_breaker_the_server_sees_exactly_three() {
    let (gate, at) = (Gate::new(), Gate::new());
    let server = Server::builder().http1().handler({
        let at = at.clone();
        move |_| {
            let at = at.clone();
            async move {
                at.wait().await;
                Response::new(Full::<Bytes>::from("back"))
            }
        }
    });
    let server = server.start().await;
    let config = config()
        .reset_period(Duration::from_nanos(1))
        .half_open_max(3);
    let circuit = Handle::new(&config).unwrap();
    let layer = CircuitBreakerLayer::shared(circuit.clone());
    let broken = layer.layer(inner());
    for _ in 0..5 {
        let _ = broken.clone().oneshot(Do::Fail(ErrorKind::Connect)).await;
    }
    assert_eq!(circuit.state(), State::Open);

    let client = layer.layer(Transport::builder().build().unwrap());
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let (client, gate, request) = (client.clone(), gate.clone(), get(&server.url("/")));
        tasks.spawn(async move {
            gate.wait().await;
            client.oneshot(request).await
        });
    }
    gate.arrived(64).await;
    gate.open();
    for _ in 0..61 {
        let error = tasks.join_next().await.unwrap().unwrap().unwrap_err();
        assert!(Error::from_boxed(error).is_circuit_open());
    }
    at.arrived(3).await;
    assert_eq!(
        (server.stats().requests, server.stats().connections),
        (3, 3)
    );
    at.open();
    while let Some(probe) = tasks.join_next().await {
        assert_eq!(probe.unwrap().unwrap().status(), 200);
    }
    assert_eq!(server.stats().requests, 3);
    assert_eq!(circuit.state(), State::Closed);
}

/// H2-15: a server that says ENHANCE_YOUR_CALM is a failing one.
#[tokio::test(start_paused = true)]
async fn a_server_that_asks_for_calm_is_given_it() {
    let network = Network::new();
    let listener = network.listen("api.test:80");
    let server = tokio::spawn(async move {
        let mut accepted = 0;
        while accepted < 2 {
            let io = listener.accept().await;
            accepted += 1;
            let mut connection = h2::server::handshake(io).await.unwrap();
            let _request = connection.accept().await;
            connection.abrupt_shutdown(h2::Reason::ENHANCE_YOUR_CALM);
            while connection.accept().await.is_some() {}
        }
        listener
    });
    let transport = Transport::builder()
        .connector(network.connector())
        .protocol(standpipe_transport::Protocol::Http2)
        .build()
        .unwrap();
    let layer = CircuitBreakerLayer::new(config().threshold(2)).unwrap();
    let client = layer.layer(transport);
    let circuit = client.handle();
    let send = || client.clone().oneshot(get("http://api.test/"));
    for _ in 0..2 {
        assert_eq!(circuit.state(), State::Closed);
        assert!(send().await.is_err());
    }
    assert_eq!(circuit.state(), State::Open);
    let _listener = server.await.unwrap();
    assert!(Error::from_boxed(send().await.unwrap_err()).is_circuit_open());
    assert_eq!(network.dials(), 2);
}
