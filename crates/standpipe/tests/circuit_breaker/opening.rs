//! When a circuit opens, and how it closes again.

use std::sync::atomic::Ordering;

use standpipe::{CircuitState, ErrorKind, RequestSent};
use standpipe_test::memory::Network;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{Instant, advance};

use crate::support::{URL, on, secs, settle};
use crate::{Moody, circuit, origin, status};

/// BRK-01, BRK-02
#[tokio::test(start_paused = true)]
async fn five_failures_open_it_and_one_probe_closes_it_after_the_reset_period() {
    let network = Network::new();
    let server = Moody::start(&network, "a.test:80");
    let other = Moody::start(&network, "b.test:80");
    let pool = on(&network).without_retry().build().unwrap();
    server.answers(500);
    for n in 1..=5 {
        assert_eq!(status(&pool, URL).await, Some(500));
        let open = circuit(&pool, URL).state() == CircuitState::Open;
        assert_eq!(open, n == 5, "after {n}");
    }
    // Open: the server sees nothing, and the error says until when.
    let connections = server.server.stats().connections;
    for _ in 0..20 {
        let error = pool.get(URL).send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CircuitOpen);
        assert_eq!(error.request_sent(), RequestSent::No);
        let left = error.retry_after().unwrap();
        assert!(left >= secs(30) && left <= secs(33), "{left:?}");
        assert_eq!(error.origin(), Some(&origin(URL)));
        assert!(error.to_string().contains("http://a.test"), "{error}");
    }
    assert_eq!(server.requests(), 5);
    assert_eq!(server.server.stats().connections, connections);
    // Other hosts go on.
    assert_eq!(status(&pool, "http://b.test/").await, Some(200));
    assert_eq!(other.requests(), 1);

    server.answers(200);
    server.held.store(true, Ordering::Relaxed);
    advance(secs(33)).await;
    let sent: Vec<_> = (0..16)
        .map(|_| tokio::spawn(pool.get(URL).send()))
        .collect();
    server.gate.arrived(1).await;
    settle().await;
    assert_eq!(circuit(&pool, URL).state(), CircuitState::HalfOpen);
    assert_eq!(server.requests(), 6);
    server.gate.open();
    let mut passed = 0;
    for sent in sent {
        passed += usize::from(sent.await.unwrap().is_ok());
    }
    assert_eq!((passed, server.requests()), (1, 6));
    assert_eq!(circuit(&pool, URL).state(), CircuitState::Closed);
    for _ in 0..10 {
        assert_eq!(status(&pool, URL).await, Some(200));
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_host_is_dialled_five_times_and_then_left_alone() {
    let network = Network::new();
    let pool = on(&network).build().unwrap();
    let first = pool.get(URL).send().await.unwrap_err();
    assert_eq!((first.kind(), first.attempts()), (ErrorKind::Connect, 4));
    // The circuit opens in the midst of the second one's retries, which it ends at once.
    let begun = Instant::now();
    let second = pool.get(URL).send().await.unwrap_err();
    assert_eq!(
        (second.kind(), second.attempts()),
        (ErrorKind::CircuitOpen, 2)
    );
    assert!(begun.elapsed() < secs(2));
    let begun = Instant::now();
    let third = pool.get(URL).send().await.unwrap_err();
    assert_eq!(
        (third.kind(), third.attempts()),
        (ErrorKind::CircuitOpen, 1)
    );
    assert_eq!((begun.elapsed(), network.dials()), (secs(0), 5));
}

/// The time that a request has in all, or an attempt, is the host's failure where it runs out.
#[tokio::test(start_paused = true)]
async fn a_host_that_hangs_opens_it_too() {
    for (total, attempt) in [(Some(secs(3)), None), (None, Some(secs(3)))] {
        let network = Network::new();
        let server = Moody::start(&network, "a.test:80");
        server.held.store(true, Ordering::Relaxed);
        let builder = on(&network).without_retry();
        let builder = builder.request_timeout(total).attempt_timeout(attempt);
        let pool = builder.build().unwrap();
        for _ in 0..5 {
            assert!(pool.get(URL).send().await.unwrap_err().is_timeout());
        }
        assert_eq!(status(&pool, URL).await, None);
        assert_eq!(server.requests(), 5);
    }
}

#[tokio::test(start_paused = true)]
async fn what_we_refuse_ourselves_and_what_the_caller_drops_opens_nothing() {
    let network = Network::new();
    let server = Moody::start(&network, "a.test:80");
    let pool = on(&network).without_retry().build().unwrap();
    server.answers(429);
    for _ in 0..10 {
        assert_eq!(status(&pool, URL).await, Some(429));
        let wrong = pool.get(URL).header("content-length", "7").send().await;
        assert!(wrong.is_err());
    }
    server.held.store(true, Ordering::Relaxed);
    for _ in 0..10 {
        let sent = tokio::spawn(pool.get(URL).send());
        server.gate.arrived(1).await;
        sent.abort();
        let _ = sent.await;
        settle().await;
        assert_eq!(server.gate.waiting(), 0);
    }
    assert_eq!(circuit(&pool, URL).state(), CircuitState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_503_says_how_long_by_a_date_or_in_milliseconds_too() {
    use bytes::Bytes;
    use http_body_util::Full;
    use standpipe_test::Server;
    for (name, value, least) in [("retry-after", "77", 77), ("retry-after-ms", "90500", 90)] {
        let network = Network::new();
        let _server = Server::builder()
            .handler(move |_| {
                let response = http::Response::builder().status(503).header(name, value);
                std::future::ready(response.body(Full::<Bytes>::default()).unwrap())
            })
            .start_on(network.listen("a.test:80"));
        let pool = on(&network).without_retry().build().unwrap();
        for _ in 0..5 {
            assert_eq!(status(&pool, URL).await, Some(503));
        }
        let error = pool.get(URL).send().await.unwrap_err();
        let left = error.retry_after().unwrap();
        assert!(
            left >= secs(least) && left <= secs(least + 11),
            "{name}: {left:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn each_change_is_told_with_its_origin() {
    let network = Network::new();
    let server = Moody::start(&network, "a.test:80");
    let (tell, mut told) = unbounded_channel();
    let pool = on(&network)
        .without_retry()
        .on_circuit_transition(move |origin, change| {
            let _ = tell.send((origin.clone(), change.from, change.to));
            panic!("a listener's panic is its own");
        })
        .build()
        .unwrap();
    server.answers(502);
    for _ in 0..5 {
        status(&pool, URL).await;
    }
    advance(secs(33)).await;
    server.answers(200);
    assert_eq!(status(&pool, URL).await, Some(200));
    use CircuitState::{Closed, HalfOpen, Open};
    for (from, to) in [(Closed, Open), (Open, HalfOpen), (HalfOpen, Closed)] {
        assert_eq!(told.recv().await, Some((origin(URL), from, to)));
    }
}
