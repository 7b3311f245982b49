use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use standpipe_core::sync::Mutex;
use standpipe_core::{Body, ErrorKind};
use standpipe_rate_limit::{Quota, RateLimitLayer, ServerWord};
use standpipe_test::Server;
use standpipe_test::memory::Network;
use standpipe_transport::Transport;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};

use crate::{Empty, Record, answering, error, ms, n, ready, request, ten_a_second};

/// RL-07: a server that answers 429 with `Retry-After: 1` receives nothing for that second from 32
/// tasks, and after it no burst above the quota.
#[tokio::test(start_paused = true)]
async fn a_429_silences_32_tasks_for_its_time() {
    let network = Network::new();
    let received = Arc::new(Mutex::new(Vec::new()));
    let seen = received.clone();
    let server = Server::builder()
        .handler(move |_| {
            let mut seen = seen.lock();
            let refuse = seen.len() == 9;
            seen.push(Instant::now());
            async move {
                let mut response = Response::new(Empty::new());
                if refuse {
                    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
                    response
                        .headers_mut()
                        .insert("retry-after", "1".parse().unwrap());
                }
                response
            }
        })
        .start_on(network.listen("api.test:80"));
    let transport = Transport::builder()
        .connector(network.connector())
        .build()
        .unwrap();
    let quota = Quota::per_second(n(20)).burst(n(4));
    let service = RateLimitLayer::new(quota).layer(transport);
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let service = service.clone();
            tokio::spawn(async move {
                for _ in 0..3 {
                    let request = Request::get("http://api.test/")
                        .body(Body::empty())
                        .unwrap();
                    service.clone().oneshot(request).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let at = received.lock().clone();
    assert_eq!(at.len(), 96);
    let refused = at[9];
    // The bucket was empty, and filled no further in the pause.
    assert_eq!(at[10] - refused, ms(1_050), "{at:?}");
    for (i, begin) in at.iter().enumerate() {
        for (j, end) in at.iter().enumerate().skip(i) {
            let refilled = (*end - *begin).as_millis() as usize / 50;
            assert!(
                j - i < 4 + refilled + 1,
                "{} in {:?}",
                j - i + 1,
                *end - *begin
            );
        }
    }
    drop(server);
}

/// RL-07
#[tokio::test(start_paused = true)]
async fn an_absurd_word_stops_nobody_for_longer_than_max_pause() {
    for headers in [
        &[("retry-after", "99999999")][..],
        &[
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "9999999999"),
        ],
        &[("ratelimit", r#""a";r=0;t=999999999999999"#)],
    ] {
        let word = ServerWord::default().max_pause(Duration::from_secs(5));
        let layer = RateLimitLayer::builder()
            .requests(ten_a_second(10))
            .server_word(word);
        let mut service = layer.reject().build().layer(answering(429, headers));
        ready(&mut service).call(request()).await.unwrap();
        let refused = error(ready(&mut service).call(request()).await);
        assert_eq!(refused.kind(), ErrorKind::RateLimited);
        assert_eq!(
            refused.retry_after(),
            Some(Duration::from_secs(5)),
            "{headers:?}"
        );
        tokio::time::advance(Duration::from_secs(5)).await;
        ready(&mut service).call(request()).await.unwrap();
    }
}

/// RL-07
#[tokio::test(start_paused = true)]
async fn the_pace_is_lowered_before_a_429_comes() {
    let headers = &[
        ("x-ratelimit-remaining-requests", "4"),
        ("x-ratelimit-reset-requests", "10s"),
    ];
    let layer = RateLimitLayer::builder()
        .requests(ten_a_second(10))
        .reject()
        .build();
    let mut service = layer.layer(answering(200, headers));
    let first = ready(&mut service).call(request());
    // Two at once, then the other two in ten seconds, instead of nine more at once.
    first.await.unwrap();
    assert!(service.handle().stats().slowed);
    let calls: Vec<_> = (0..3)
        .map(|_| ready(&mut service).call(request()))
        .collect();
    let results = futures_util::future::join_all(calls).await;
    let admitted = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(admitted, 2);
    tokio::time::advance(Duration::from_secs(11)).await;
    ready(&mut service).call(request()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn ample_words_and_unknown_ones_change_nothing() {
    for headers in [
        &[
            ("x-ratelimit-remaining-requests", "900"),
            ("x-ratelimit-reset-requests", "10s"),
        ][..],
        &[
            ("x-ratelimit-remaining-requests", "-1"),
            ("x-ratelimit-reset-requests", "10s"),
        ],
        &[
            ("x-ratelimit-remaining-tokens", "1"),
            ("x-ratelimit-reset-tokens", "10s"),
        ],
    ] {
        let mut service = RateLimitLayer::new(ten_a_second(10)).layer(answering(200, headers));
        ready(&mut service).call(request()).await.unwrap();
        assert!(!service.handle().stats().slowed, "{headers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deaf_limiter_hears_nothing() {
    let layer = RateLimitLayer::builder()
        .requests(ten_a_second(10))
        .no_server_word();
    let mut service = layer.build().layer(answering(429, &[("retry-after", "9")]));
    ready(&mut service).call(request()).await.unwrap();
    assert_eq!(service.handle().stats().paused, None);
}

/// A server that knows better than our quota is met at its own pace.
#[tokio::test(start_paused = true)]
async fn without_a_quota_the_servers_word_is_the_limit() {
    let record = Record::new();
    let mut service = RateLimitLayer::builder().build().layer(record.service());
    service.handle().pause(ms(700));
    ready(&mut service).call(request()).await.unwrap();
    assert_eq!(record.at(), [700].map(ms));
}
