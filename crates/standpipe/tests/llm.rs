//! The preset for the APIs of language models, by a clock that is paused.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use standpipe::{Body, ErrorKind, PoolBuilder, PoolConfig, Protocol, ReplayMemory, Verdict};
use standpipe_test::Server;
use standpipe_test::memory::Network;
use support::{URL, echo_on, on, peer, secs, settle};
use tokio::time::Instant;

fn llm_on(network: &Network) -> PoolBuilder {
    on(network).config(PoolConfig::llm())
}

type Answer = Response<&'static str>;

fn status(status: u16) -> Answer {
    Response::builder().status(status).body("ok").unwrap()
}

fn error(status: u16, body: &'static str) -> Answer {
    Response::builder().status(status).body(body).unwrap()
}

/// A server that reads all of each request and answers with these in turn, the last one for ever.
fn serving(network: &Network, answers: Vec<Answer>) -> Server {
    let (next, answers) = (AtomicUsize::new(0), Arc::new(answers));
    Server::builder()
        .handler(move |request: Request<Incoming>| {
            let turn = next.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
            let answer = answers[turn].clone();
            async move {
                request.into_body().collect().await.unwrap();
                answer.map(|text| Full::new(Bytes::from(text)))
            }
        })
        .start_on(network.listen("a.test:80"))
}

#[test]
fn its_numbers_are_those_of_the_providers_own_clients() {
    let config = PoolConfig::llm();
    for (timeout, seconds) in [
        (config.request_timeout, 600),
        (config.dial_timeout, 5),
        (config.response_header_timeout, 120),
        (config.body_idle_timeout, 180),
        (config.tcp_keepalive, 60),
        (config.tcp_keepalive_interval, 60),
    ] {
        assert_eq!(timeout, Some(secs(seconds)));
    }
    assert_eq!(config.tcp_keepalive_retries, Some(5));
    assert_eq!((config.max_retries, config.max_retry_after), (2, secs(60)));
    assert_eq!(config.retry_statuses, [408, 429, 500, 502, 503, 504, 529]);
    let budget = config.retry_budget.unwrap();
    assert_eq!((budget.ratio, budget.per_second), (0.2, 10));
    assert_eq!(config.replay_cap, 8 << 20);
    assert_eq!(config.protocol, Protocol::Auto);
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_tried_again_twice_whatever_the_method() {
    let network = Network::new();
    let server = serving(
        &network,
        vec![status(529), status(500), status(200), status(408)],
    );
    let pool = llm_on(&network).build().unwrap();
    let response = pool.post(URL).body("{}").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.retry_info().unwrap().attempts, 3);
    let response = pool.post(URL).body("{}").send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), server.stats().requests),
        (408, 6)
    );
}

const SPENT: [&str; 2] = [
    r#"{"error":{"type":"insufficient_quota","code":"credit_balance_exhausted"}}"#,
    r#"{"type":"error","error":{"type":"rate_limit_error","details":{"error_code":"enforced_spend_limit_reached"}}}"#,
];

#[tokio::test(start_paused = true)]
async fn who_has_no_money_left_is_not_asked_again_and_gets_the_whole_answer() {
    for body in SPENT {
        let network = Network::new();
        let server = serving(&network, vec![error(429, body)]);
        let pool = llm_on(&network).build().unwrap();
        let response = pool.post(URL).body("{}").send().await.unwrap();
        assert_eq!(response.status(), 429);
        assert_eq!(response.text().await.unwrap(), body);
        assert_eq!(server.stats().requests, 1);
        // What is off in the default.
        let pool = on(&network).build().unwrap();
        let response = pool.post(URL).body("{}").send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), body);
        assert_eq!(server.stats().requests, 5);
    }
    let network = Network::new();
    let fast = r#"{"error":{"type":"requests","code":"rate_limit_exceeded"}}"#;
    let server = serving(&network, vec![error(429, fast), status(200)]);
    let pool = llm_on(&network).build().unwrap();
    let response = pool.post(URL).body("{}").send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), server.stats().requests),
        (200, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_classifier_of_the_users_own_is_asked_too() {
    for (own, known, asked) in [
        ("nope", false, 1),
        (SPENT[0], false, 3),
        (SPENT[0], true, 1),
    ] {
        let network = Network::new();
        let server = serving(&network, vec![error(429, own)]);
        let pool = llm_on(&network)
            .provider_errors(known)
            .classify_errors(|answer| match answer.body == b"nope" {
                true => Verdict::Final,
                false => Verdict::Retry,
            })
            .build()
            .unwrap();
        let response = pool.get(URL).send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), own);
        assert_eq!(server.stats().requests, asked, "{own} {known}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_is_kept_up_to_a_minute_and_longer_ones_end_it() {
    for (asked, requests) in [("60", 2), ("61", 1)] {
        let network = Network::new();
        let wait = Response::builder().status(429).header("retry-after", asked);
        let server = serving(&network, vec![wait.body("later").unwrap(), status(200)]);
        let pool = llm_on(&network).build().unwrap();
        let begun = Instant::now();
        let response = pool.post(URL).body("{}").send().await.unwrap();
        assert_eq!(server.stats().requests, requests, "{asked}");
        let waited = begun.elapsed().as_secs();
        let expected = if requests == 2 { (200, 60) } else { (429, 0) };
        assert_eq!((response.status().as_u16(), waited), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_byte_may_take_two_minutes_and_a_silence_after_it_three() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let pool = llm_on(&network).max_retries(0).build().unwrap();
    let begun = Instant::now();
    let slow = pool.post(URL).body("{}");
    let slow = tokio::spawn(slow.send_streaming());
    let mut server = peer(&listener).await;
    server.read_head().await.unwrap();
    let error = slow.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResponseTimeout);
    assert_eq!(begun.elapsed().as_secs(), 120);

    let request = tokio::spawn(pool.post(URL).body("{}").send_streaming());
    let mut server = peer(&listener).await;
    server.read_head().await.unwrap();
    tokio::time::advance(secs(119)).await;
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n";
    server.write(head).await.unwrap();
    let mut response = request.await.unwrap().unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "ab");
    settle().await;
    tokio::time::advance(secs(179)).await;
    server.write("1\r\nc\r\n").await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "c");
    let begun = Instant::now();
    let error = response.chunk().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BodyIdleTimeout);
    assert_eq!(begun.elapsed().as_secs(), 180);
}

/// A streamed body of so many bytes.
fn upload(bytes: usize) -> Body {
    let pieces = (0..bytes / PIECE).map(|_| Ok::<_, std::io::Error>(vec![b'x'; PIECE]));
    Body::from_stream(stream::iter(pieces))
}

const PIECE: usize = 16 * 1024;

/// RTY-15
#[tokio::test(start_paused = true)]
async fn a_large_upload_is_sent_again_as_far_as_it_and_the_process_may_keep_it() {
    let memory = ReplayMemory::process();
    let limit = memory.limit();
    assert_eq!(limit, 64 << 20);
    for (bytes, room, attempts) in [
        (1 << 20, limit, 2),
        (9 << 20, limit, 1),
        (1 << 20, 1 << 19, 1),
    ] {
        memory.set_limit(room);
        let network = Network::new();
        let server = serving(&network, vec![status(503), status(200)]);
        let pool = llm_on(&network).build().unwrap();
        let response = pool.post(URL).body(upload(bytes)).send().await.unwrap();
        assert_eq!(server.stats().requests, attempts, "{bytes} {room}");
        assert_eq!(response.status(), if attempts == 2 { 200 } else { 503 });
        drop(response);
        settle().await;
        assert_eq!(memory.used(), 0);
    }
    memory.set_limit(limit);
    // The default keeps less.
    let network = Network::new();
    let server = serving(&network, vec![status(503), status(200)]);
    let pool = on(&network).build().unwrap();
    let response = pool.post(URL).body(upload(1 << 20)).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), server.stats().requests),
        (503, 1)
    );
}

#[tokio::test]
async fn a_redirect_elsewhere_loses_what_carries_keys() {
    let network = Network::new();
    let send_on = |_: Request<Incoming>| {
        let response = Response::builder()
            .status(307)
            .header("location", "http://b.test/");
        std::future::ready(response.body(Full::<Bytes>::default()).unwrap())
    };
    let _first = Server::builder()
        .handler(send_on)
        .start_on(network.listen("a.test:80"));
    let _second = echo_on(&network, "b.test:80");
    let pool = llm_on(&network).build().unwrap();
    let carrying = [
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "authorization",
        "anthropic-version",
        "openai-organization",
    ];
    let mut request = pool.post(URL).body("{}").header("x-own", "kept");
    for name in carrying {
        request = request.header(name, "secret");
    }
    let echo = request.send().await.unwrap().text().await.unwrap();
    assert!(echo.contains("x-own: kept"), "{echo}");
    for name in carrying {
        assert!(!echo.contains(name), "{name} in {echo}");
    }
}
