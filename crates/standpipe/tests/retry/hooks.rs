//! Who looks on, and who changes the head.

use std::sync::Arc;

use http::HeaderValue;
use standpipe::{ErrorKind, GiveUpReason, ResendCount};
use standpipe_core::sync::Mutex;
use standpipe_test::Server;
use standpipe_test::memory::Network;
use tokio::sync::mpsc::unbounded_channel;

use crate::support::{URL, echo_on, on, peer, secs};
use crate::{millis, serving, status};

#[tokio::test(start_paused = true)]
async fn the_hooks_of_the_pool_and_of_the_request_see_each_retry() {
    let network = Network::new();
    let _server = serving(&network, vec![status(503), status(502), status(200)]);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = |who: &'static str| {
        let seen = Arc::clone(&seen);
        move |retry: &standpipe::RetryEvent<'_>| {
            let status = retry.status().unwrap().as_u16();
            assert!(retry.delay() >= secs(u64::from(retry.attempts())));
            assert_eq!(retry.origin().unwrap().host(), "a.test");
            seen.lock().push((who, retry.attempts(), status));
        }
    };
    let pool = on(&network).on_retry(note("pool")).build().unwrap();
    let request = pool.get(URL).on_retry(note("request"));
    assert_eq!(request.send().await.unwrap().status(), 200);
    let expected = [
        ("pool", 1, 503),
        ("request", 1, 503),
        ("pool", 2, 502),
        ("request", 2, 502),
    ];
    assert_eq!(*seen.lock(), expected);
}

#[tokio::test(start_paused = true)]
async fn giving_up_is_told_with_its_reason() {
    let network = Network::new();
    let _server = serving(&network, vec![status(503)]);
    let (tell, mut told) = unbounded_channel();
    let pool = on(&network)
        .on_give_up(move |given_up| {
            let status = given_up.status().unwrap().as_u16();
            let _ = tell.send((given_up.reason(), given_up.attempts(), status));
        })
        .build()
        .unwrap();
    pool.get(URL).send().await.unwrap();
    let expected = (GiveUpReason::Attempts, 4, 503);
    assert_eq!(told.recv().await, Some(expected));
}

#[tokio::test(start_paused = true)]
async fn credentials_are_made_fresh_for_each_attempt() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let pool = on(&network)
        .before_attempt(|head, number| {
            let resends = head.extensions.get::<ResendCount>().map_or(0, |n| n.0);
            assert_eq!(resends, number);
            let token = HeaderValue::try_from(format!("token {number}"))?;
            head.headers.insert("authorization", token);
            Ok(())
        })
        .build()
        .unwrap();
    let sent = tokio::spawn(pool.get(URL).header("x", "y").send());
    let mut peer = peer(&listener).await;
    for (number, status) in [(0, "503 Service Unavailable"), (1, "200 OK")] {
        let head = peer.read_head().await.unwrap();
        let line = format!("authorization: token {number}\r\n");
        assert!(head.contains(&line) && head.contains("x: y\r\n"), "{head}");
        peer.respond(status, "").await.unwrap();
    }
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_refuses_ends_the_request() {
    let network = Network::new();
    let server = serving(&network, vec![status(200)]);
    let pool = on(&network)
        .before_attempt(|_, _| Err("no credentials".into()))
        .build()
        .unwrap();
    let error = pool.get(URL).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other);
    assert_eq!(server.stats().requests, 0);
}

/// A POST that may have arrived is sent again where the server knows it by a key.
#[tokio::test(start_paused = true)]
async fn a_request_with_an_idempotency_key_is_sent_again_though_it_may_have_arrived() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let pool = on(&network).build().unwrap();
    let sent = tokio::spawn(pool.post(URL).idempotency_key("\"k-1\"").body("x").send());
    let mut first = peer(&listener).await;
    let head = first.read_head().await.unwrap();
    assert!(head.contains("idempotency-key: \"k-1\"\r\n"), "{head}");
    first.read_exact_body(1).await.unwrap();
    first.close().await.unwrap();
    let mut second = peer(&listener).await;
    let head = second.read_head().await.unwrap();
    assert!(head.contains("idempotency-key: \"k-1\"\r\n"), "{head}");
    second.read_exact_body(1).await.unwrap();
    second.respond("200 OK", "").await.unwrap();
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);

    // Without one it is not.
    let sent = tokio::spawn(pool.post(URL).body("x").send());
    second.read_head().await.unwrap();
    second.read_exact_body(1).await.unwrap();
    second.close().await.unwrap();
    let error = sent.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionClosed);
    assert_eq!((error.attempts(), network.dials()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_pool_can_make_the_keys() {
    let network = Network::new();
    let _server: Server = echo_on(&network, "a.test:80");
    let pool = on(&network)
        .idempotency_key(|| HeaderValue::from_static("\"made\""))
        .build()
        .unwrap();
    let post = pool.post(URL).send().await.unwrap().text().await.unwrap();
    assert!(post.contains("idempotency-key: \"made\"\n"), "{post}");
    let get = pool.get(URL).send().await.unwrap().text().await.unwrap();
    assert!(!get.contains("idempotency-key"), "{get}");
    let own = pool.post(URL).idempotency_key("own").send().await.unwrap();
    let own = own.text().await.unwrap();
    assert!(own.contains("idempotency-key: own\n"), "{own}");
    let bad = pool.post(URL).idempotency_key("a\nb").send().await;
    assert_eq!(bad.unwrap_err().kind(), ErrorKind::InvalidRequest);
}

/// A hook that panics harms its own request alone.
#[tokio::test(start_paused = true)]
async fn a_hook_that_panics_harms_its_own_request_alone() {
    let network = Network::new();
    let server = serving(&network, vec![status(503), status(200)]);
    let builder = on(&network).initial_retry_delay(millis(10));
    let pool = builder
        .max_connections_per_host(1)
        .max_idle_per_host(1)
        .build()
        .unwrap();
    let sent = tokio::spawn(pool.get(URL).on_retry(|_| panic!("the user's")).send());
    assert!(sent.await.unwrap_err().is_panic());
    assert_eq!(pool.get(URL).send().await.unwrap().status(), 200);
    assert_eq!(server.stats().requests, 2);
    assert_eq!(pool.stats().total.active, 0);
}
