//! Redirects, as a pool follows them: each hop by the stack of the host that it goes to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use standpipe::{ErrorKind, HostConfig, Origin, RateLimitConfig};
use standpipe_test::Server;
use standpipe_test::memory::Network;

use crate::support::{URL, assert_line, echo, echo_on, echoed_body, on, secs};

fn redirect(status: u16, to: &str) -> Response<Full<Bytes>> {
    let response = Response::builder().status(status).header("location", to);
    response.body(Full::from("elsewhere")).unwrap()
}

/// A server that sends everybody on.
fn sending_on(network: &Network, address: &str, status: u16, to: &'static str) -> Server {
    Server::builder()
        .handler(move |_: Request<Incoming>| std::future::ready(redirect(status, to)))
        .start_on(network.listen(address))
}

#[tokio::test]
async fn each_hop_has_the_headers_of_its_own_host_and_the_answer_tells_where_it_came_from() {
    let network = Network::new();
    let _first = sending_on(&network, "a.test:80", 302, "http://b.test/there");
    let _second = echo_on(&network, "b.test:80");
    let pool = on(&network)
        .host(
            "a.test",
            HostConfig::new().default_header("x-a-key", "of a"),
        )
        .host(
            "b.test",
            HostConfig::new().default_header("x-b-key", "of b"),
        )
        .build()
        .unwrap();
    let request = pool
        .get(URL)
        .bearer_auth("secret")
        .header("x-api-key", "secret")
        .header("x-own", "kept");
    let response = request.send().await.unwrap();
    assert_eq!(response.url(), "http://b.test/there");
    let echo = response.text().await.unwrap();
    assert_line(&echo, "GET /there");
    assert_line(&echo, "x-own: kept");
    assert_line(&echo, "x-b-key: of b");
    for gone in ["x-a-key", "authorization", "x-api-key", "secret"] {
        assert!(!echo.contains(gone), "{gone} in {echo:?}");
    }
}

#[tokio::test]
async fn a_body_goes_along_where_the_status_says_so_and_it_can_be_sent_again() {
    let network = Network::new();
    let _first = sending_on(&network, "a.test:80", 307, "http://b.test/");
    let _other = sending_on(&network, "c.test:80", 303, "http://b.test/");
    let _second = echo_on(&network, "b.test:80");
    let pool = on(&network).build().unwrap();
    let echo = pool.post(URL).body("again").send().await.unwrap();
    let echo = echo.text().await.unwrap();
    assert_line(&echo, "POST /");
    assert_eq!(echoed_body(&echo), "again");
    let echo = pool
        .post("http://c.test/")
        .body("once")
        .send()
        .await
        .unwrap();
    let echo = echo.text().await.unwrap();
    assert_line(&echo, "GET /");
    assert_eq!(echoed_body(&echo), "");

    let chunks = [Ok::<_, std::io::Error>("a stream")];
    let stream = standpipe::Body::from_stream(futures_util::stream::iter(chunks));
    let response = pool.post(URL).body(stream).send().await.unwrap();
    assert_eq!(response.status(), 307);
}

#[tokio::test]
async fn a_loop_ends_with_the_limit_and_none_are_followed_where_they_are_off() {
    let network = Network::new();
    let server = sending_on(&network, "a.test:80", 302, "/again");
    let pool = on(&network).max_redirects(Some(3)).build().unwrap();
    let error = pool.get(URL).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooManyRedirects { limit: 3 });
    assert_eq!(server.stats().requests, 4);
    let pool = on(&network).max_redirects(None).build().unwrap();
    let response = pool.get(URL).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.url().to_string()),
        (302, URL.to_owned())
    );
    assert_eq!(response.text().await.unwrap(), "elsewhere");
}

/// RED-08
#[tokio::test(start_paused = true)]
async fn each_hop_passes_the_limit_and_the_metrics_of_its_host_within_one_deadline() {
    let network = Network::new();
    let _first = sending_on(&network, "a.test:80", 302, "http://b.test/");
    let second = network.listen("b.test:80");
    let one = std::num::NonZeroU32::MIN;
    let limited = HostConfig::new().rate_limit(RateLimitConfig::per_minute(one));
    let pool = on(&network)
        .host("b.test", limited)
        .request_timeout(Some(secs(10)))
        .build()
        .unwrap();
    let begun = tokio::time::Instant::now();
    let error = pool.get(URL).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded, "{error}");
    assert_eq!(begun.elapsed().as_secs(), 10);
    let error = pool.get(URL).send().await.unwrap_err();
    assert!(error.is_rate_limited(), "{error}");
    assert_eq!(
        error.origin().unwrap(),
        &Origin::parse("http://b.test").unwrap()
    );
    assert_eq!(begun.elapsed().as_secs(), 10);
    let metrics = pool.metrics();
    assert_eq!(
        (metrics.requests.total, metrics.figures.attempts.total),
        (2, 3)
    );
    drop(second);
}

#[tokio::test]
async fn a_redirect_leaves_a_connection_that_is_used_again() {
    let network = Network::new();
    let handler = |request: Request<Incoming>| async move {
        match request.uri().path() {
            "/" => redirect(302, "/there"),
            _ => echo(request.map(BodyExt::boxed)).await,
        }
    };
    let server = Server::builder()
        .handler(handler)
        .start_on(network.listen("a.test:80"));
    let pool = on(&network).build().unwrap();
    for _ in 0..10 {
        let response = pool.get(URL).send().await.unwrap();
        assert_line(&response.text().await.unwrap(), "GET /there");
    }
    assert_eq!((server.stats().requests, network.dials()), (20, 1));
}

/// A server at `a.test` that sends all on to `b.test` by `status`, and one there that echoes.
fn two_hops(network: &Network, status: u16) -> [Server; 2] {
    let first = Server::builder()
        .handler(move |request: Request<Incoming>| {
            let keys = request.headers().get_all("idempotency-key");
            let key = keys
                .iter()
                .next()
                .map(|key| key.to_str().unwrap().to_owned());
            let location = format!("http://b.test/{}", key.unwrap_or_default());
            std::future::ready(redirect(status, &location))
        })
        .start_on(network.listen("a.test:80"));
    [first, echo_on(network, "b.test:80")]
}

/// RTY-21
#[tokio::test]
async fn all_hops_of_a_request_have_the_key_that_the_pool_made_for_it() {
    for retries in [0, 3] {
        let network = Network::new();
        let _servers = two_hops(&network, 307);
        let made = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&made);
        let pool = on(&network)
            .max_retries(retries)
            .idempotency_key(move || count.fetch_add(1, Ordering::Relaxed).into())
            .build()
            .unwrap();
        for number in 0..2 {
            let echo = pool.post(URL).body("x").send().await.unwrap();
            let echo = echo.text().await.unwrap();
            assert_line(&echo, &format!("POST /{number}"));
            assert_line(&echo, &format!("idempotency-key: {number}"));
        }
        assert_eq!(made.load(Ordering::Relaxed), 2);
    }
}

#[tokio::test]
async fn a_key_is_that_of_one_method() {
    let network = Network::new();
    let _servers = two_hops(&network, 303);
    let pool = on(&network)
        .idempotency_key(|| "made".parse().unwrap())
        .build()
        .unwrap();
    for request in [pool.post(URL), pool.post(URL).idempotency_key("made")] {
        let echo = request.send().await.unwrap().text().await.unwrap();
        assert_line(&echo, "GET /made");
        assert!(!echo.contains("idempotency-key"), "{echo:?}");
    }
    // Whoever gives one to a method that stays means it.
    let request = pool.get(URL).idempotency_key("own");
    let echo = request.send().await.unwrap().text().await.unwrap();
    assert_line(&echo, "idempotency-key: own");
}
