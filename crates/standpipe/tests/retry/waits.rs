//! When the next attempt is.

use standpipe::{ErrorKind, GiveUpReason, RequestSent};
use standpipe_test::memory::Network;
use tokio::time::Instant;

use crate::support::{URL, on, secs};
use crate::{millis, serving, status, with_header};

/// RTY-01
#[tokio::test(start_paused = true)]
async fn two_failures_and_a_success_take_one_and_two_seconds_and_a_tenth_at_most() {
    let network = Network::new();
    let server = serving(&network, vec![status(503), status(503), status(200)]);
    let pool = on(&network).build().unwrap();
    let begun = Instant::now();
    let response = pool.get(URL).send().await.unwrap();
    let took = begun.elapsed();
    assert!(took >= secs(3) && took <= millis(3301), "{took:?}");
    assert_eq!(response.status(), 200);
    let info = response.retry_info().unwrap();
    assert_eq!((info.attempts, info.gave_up), (3, false));
    assert!(info.waited >= secs(3) && info.waited <= took, "{info:?}");
    assert_eq!(response.text().await.unwrap(), "ok");
    assert_eq!(server.stats().requests, 3);
    // The answers between were read, so that their connection served on.
    assert_eq!(server.stats().connections, 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_at_once_says_nothing_of_retries() {
    let network = Network::new();
    let _server = serving(&network, vec![status(200)]);
    let pool = on(&network).build().unwrap();
    let response = pool.get(URL).send().await.unwrap();
    assert_eq!(response.retry_info(), None);
    assert!(response.extensions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_for_sixty_seconds_is_given_them() {
    let network = Network::new();
    let wait = with_header(429, "retry-after", "60");
    let server = serving(&network, vec![wait, status(200)]);
    let pool = on(&network).build().unwrap();
    let begun = Instant::now();
    let response = pool.post(URL).body("work").send().await.unwrap();
    assert_eq!(response.status(), 200);
    let took = begun.elapsed();
    assert!(took >= secs(60) && took < millis(60_010), "{took:?}");
    assert_eq!(server.stats().requests, 2);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_would_outlast_the_total_returns_the_answer_at_once() {
    let network = Network::new();
    let wait = with_header(429, "retry-after", "60");
    let server = serving(&network, vec![wait, status(200)]);
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let pool = on(&network)
        .request_timeout(Some(secs(30)))
        .on_give_up(move |given_up| tell.send(given_up.reason()).unwrap())
        .build()
        .unwrap();
    let begun = Instant::now();
    let response = pool.get(URL).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), begun.elapsed()),
        (429, secs(0))
    );
    assert!(response.retry_info().unwrap().gave_up);
    assert_eq!(response.headers()["retry-after"], "60");
    assert_eq!(response.text().await.unwrap(), "later");
    assert_eq!(server.stats().requests, 1);
    assert_eq!(told.recv().await, Some(GiveUpReason::Deadline));
}

#[tokio::test(start_paused = true)]
async fn an_error_tells_how_often_it_was_tried_and_for_how_long_was_waited() {
    let network = Network::new();
    let pool = on(&network).build().unwrap();
    let error = pool.post(URL).body("x").send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert_eq!(error.request_sent(), RequestSent::No);
    assert_eq!((error.attempts(), network.dials()), (4, 4));
    let info = error.retry_info().unwrap();
    assert!(info.gave_up);
    assert!(info.waited >= secs(7) && info.waited <= millis(7_700));
    assert!(error.to_string().contains("after 4 attempts"), "{error}");
}

/// The attempt under way when the time is over knows how many there were.
#[tokio::test(start_paused = true)]
async fn a_total_that_runs_out_in_a_later_attempt_tells_the_attempts() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let pool = on(&network).build().unwrap();
    let begun = Instant::now();
    let sent = tokio::spawn(pool.get(URL).timeout(secs(10)).send());
    let mut peer = crate::support::peer(&listener).await;
    peer.read_head().await.unwrap();
    peer.respond("503 Service Unavailable", "").await.unwrap();
    let error = sent.await.unwrap().unwrap_err();
    assert_eq!(begun.elapsed(), secs(10));
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    assert_eq!(error.attempts(), 2);
}

/// With everything failing, retries are a fifth of the requests and ten a second more.
#[tokio::test(start_paused = true)]
async fn a_server_that_fails_always_is_not_stormed() {
    let network = Network::new();
    let server = serving(&network, vec![status(503)]);
    let builder = on(&network).without_circuit_breaker();
    let pool = builder.initial_retry_delay(millis(1)).build().unwrap();
    for _ in 0..10 {
        let sent: Vec<_> = (0..100)
            .map(|_| tokio::spawn(pool.get(URL).send()))
            .collect();
        for sent in sent {
            assert_eq!(sent.await.unwrap().unwrap().status(), 503);
        }
    }
    let extra = server.stats().requests - 1000;
    // All within the first second or so.
    assert!((100..=230).contains(&extra), "{extra} retries");
}

#[tokio::test(start_paused = true)]
async fn hosts_do_not_share_a_budget() {
    let network = Network::new();
    let policy = standpipe::RetryPolicy::new()
        .max_retries(1)
        .budget(standpipe::BudgetPolicy::default().ratio(0.0).per_second(1));
    let _a = serving(&network, vec![status(503)]);
    let b = crate::in_turn(vec![status(503)]).start_on(network.listen("b.test:80"));
    let builder = on(&network).retry_policy(policy).without_circuit_breaker();
    let pool = builder.build().unwrap();
    for _ in 0..3 {
        let sent = pool.get(URL).send().await.unwrap();
        assert!(sent.retry_info().unwrap().gave_up);
    }
    pool.get("http://b.test/").send().await.unwrap();
    assert_eq!(b.stats().requests, 2);
}
