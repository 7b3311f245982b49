//! Dials that fail while connections are in use, and sockets that run out.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use http::Uri;
use hyper_util::rt::TokioIo;
use standpipe_core::ErrorKind;
use standpipe_test::memory::{MemoryStream, Network};
use standpipe_transport::{CloseReason, Connector, Transport, TransportBuilder};
use tokio::time::Instant;
use tower::ServiceExt;

use crate::support::{
    A, B, accept, answer_to, echo, echoing, failure_of, fetch, get, over, over_http2, pass, path,
    secs, send, settle, stats,
};

/// LIM-04: a connection that never comes back is no reason to wait for it for ever.
#[tokio::test(start_paused = true)]
async fn beside_a_connection_in_use_for_ever_a_waiter_has_its_error_after_two_failed_rounds() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network)
        .acquire_timeout(None)
        .response_head_timeout(None)
        .build()
        .unwrap();
    let held = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    network.fail_next_dials(1000, io::ErrorKind::ConnectionRefused);
    for round in 1..=3 {
        let begun = Instant::now();
        let waiting: Vec<_> = (0..3).map(|_| send(&transport, get(A))).collect();
        for waiting in waiting {
            assert_eq!(failure_of(waiting).await.kind(), ErrorKind::Connect);
        }
        assert!(
            begun.elapsed() <= secs(2),
            "round {round}: {:?}",
            begun.elapsed()
        );
    }
    assert!(network.dials() <= 20, "{} dials", network.dials());
    assert!(!held.is_finished());
}

/// LIM-04: it serves as soon as it comes back all the same.
#[tokio::test(start_paused = true)]
async fn a_connection_that_comes_back_serves_the_waiter_whose_dial_failed() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let held = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    network.fail_next_dials(1, io::ErrorKind::ConnectionRefused);
    let waiting = send(&transport, get("http://a.test/waiting"));
    settle().await;
    peer.respond("200 OK", "").await.unwrap();
    answer_to(held).await.unwrap();
    echo(&mut peer).await;
    assert_eq!(answer_to(waiting).await.unwrap(), "/waiting");
    assert_eq!(network.dials(), 2);
}

/// LIM-04: one connection allowed, five who wait, and a server that never answers a dial.
#[tokio::test(start_paused = true)]
async fn hanging_dials_fail_everyone_within_two_connect_timeouts() {
    let network = Network::new();
    let _listener = network.listen("a.test:80");
    let _hold = network.hold_dials();
    let transport = over(&network)
        .max_connections_per_host(1)
        .max_idle_per_host(1)
        .acquire_timeout(None)
        .response_head_timeout(None)
        .connect_timeout(Some(secs(30)))
        .build()
        .unwrap();
    let begun = Instant::now();
    let waiting: Vec<_> = (0..5).map(|_| send(&transport, get(A))).collect();
    for waiting in waiting {
        assert_eq!(failure_of(waiting).await.kind(), ErrorKind::ConnectTimeout);
    }
    assert!(begun.elapsed() <= secs(60), "{:?}", begun.elapsed());
    assert_eq!(network.dials(), 2);
}

/// LIM-04: errors that are left over keep no newcomer from dialling.
#[tokio::test(start_paused = true)]
async fn errors_of_those_who_left_keep_no_newcomer_from_dialling() {
    let network = Network::new();
    let _listener = network.listen("a.test:80");
    let hold = network.hold_dials();
    let transport = over(&network).acquire_timeout(None).build().unwrap();
    let first = send(&transport, get(A));
    let leaving = [(); 3].map(|()| send(&transport, get(A)));
    hold.arrived(4).await;
    network.fail_next_dials(3, io::ErrorKind::ConnectionRefused);
    hold.release(3);
    settle().await;
    leaving.iter().for_each(tokio::task::JoinHandle::abort);
    settle().await;
    // One dial hangs, which is the first's.
    assert_eq!((hold.waiting(), stats(&transport).waiting), (1, 1));
    let newcomers = [send(&transport, get(A)), send(&transport, get(A))];
    settle().await;
    assert!(hold.waiting() >= 2, "{} dials", hold.waiting());
    drop((first, newcomers));
}

/// A process that may have so many sockets.
fn sockets(network: &Network, most: usize) -> (impl Connector + use<>, Arc<AtomicUsize>) {
    type Connecting = Pin<Box<dyn Future<Output = io::Result<TokioIo<MemoryStream>>> + Send>>;
    let (network, tried) = (network.clone(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&tried);
    let connector = tower::service_fn(move |uri: Uri| -> Connecting {
        count.fetch_add(1, SeqCst);
        if network.open_connections() >= most {
            return Box::pin(async { Err(io::Error::from_raw_os_error(24)) });
        }
        Box::pin(network.connector().oneshot(uri))
    });
    (connector, tried)
}

fn of_two_sockets(network: &Network) -> (TransportBuilder, Arc<AtomicUsize>) {
    let (connector, tried) = sockets(network, 2);
    (Transport::builder().connector(connector), tried)
}

/// RES-01
#[tokio::test(start_paused = true)]
async fn without_sockets_idle_connections_are_shed_and_the_dial_begins_again() {
    let network = Network::new();
    let _servers = ["a.test:80", "b.test:80"].map(|host| echoing().start_on(network.listen(host)));
    let (builder, tried) = of_two_sockets(&network);
    let transport = builder.build().unwrap();
    let both = [send(&transport, get(A)), send(&transport, get(A))];
    for sent in both {
        answer_to(sent).await.unwrap();
    }
    settle().await;
    assert_eq!(network.open_connections(), 2);
    let begun = Instant::now();
    assert_eq!(fetch(&transport, get(B)).await.unwrap(), "/");
    assert!(begun.elapsed() <= secs(1));
    assert_eq!(tried.load(SeqCst), 4);
    let now = stats(&transport);
    assert_eq!(now.closed.of(CloseReason::Descriptors), 2);
    assert_eq!((now.dial_failures, network.peak_connections()), (1, 2));
}

/// RES-01
#[tokio::test(start_paused = true)]
async fn with_nothing_to_shed_the_error_is_local_and_comes_without_a_busy_loop() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let _server = echoing().start_on(network.listen("b.test:80"));
    let (builder, tried) = of_two_sockets(&network);
    let transport = builder
        .acquire_timeout(None)
        .response_head_timeout(None)
        .build()
        .unwrap();
    let held = [send(&transport, get(A)), send(&transport, get(A))];
    let mut peers = [accept(&listener).await, accept(&listener).await];
    for peer in &mut peers {
        path(peer).await;
    }
    for _ in 0..3 {
        let before = tried.load(SeqCst);
        let error = failure_of(send(&transport, get(B))).await;
        assert_eq!(error.kind(), ErrorKind::LocalConnect);
        assert_eq!(tried.load(SeqCst), before + 1);
    }
    // Where the origin has connections in use, one of them may come back first.
    let before = tried.load(SeqCst);
    let waiting = send(&transport, get(A));
    for _ in 0..60 {
        pass(secs(1)).await;
    }
    assert!(tried.load(SeqCst) <= before + 2);
    assert_eq!(failure_of(waiting).await.kind(), ErrorKind::LocalConnect);
    // Sockets come back.
    for (peer, held) in peers.iter_mut().zip(held) {
        peer.respond("200 OK", "").await.unwrap();
        answer_to(held).await.unwrap();
    }
    settle().await;
    fetch(&transport, get(B)).await.unwrap();
}

/// The connection stands for a dial under way until its limit on streams is known.
#[tokio::test(start_paused = true)]
async fn a_peer_that_never_sends_its_settings_holds_up_the_next_dial_for_a_bounded_time() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over_http2(&network)
        .acquire_timeout(None)
        .response_head_timeout(None)
        .tls_timeout(Some(secs(5)))
        .build()
        .unwrap();
    let _sent = [send(&transport, get(A)), send(&transport, get(A))];
    let _silent = accept(&listener).await;
    pass(secs(4)).await;
    assert_eq!((network.dials(), stats(&transport).waiting), (1, 1));
    pass(secs(1)).await;
    assert_eq!(network.dials(), 2);
}
