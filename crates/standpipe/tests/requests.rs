//! Requests as they are put together, and responses as they are read.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode, Uri, Version};
use http_body::Body as _;
use http_body_util::{BodyExt, Full, StreamBody};
use standpipe::{
    Body, ErrorKind, HostConfig, Pool, PoolBuilder, Protocol, RequestBuilder, Response, TlsConfig,
};
use standpipe_test::memory::Network;
use standpipe_test::{Ca, Server};
use support::{URL, assert_line, echo, echo_on, echoed_body, on, peer, pool_and_listener, secs};

/// A pool over a network where `a.test` and `b.test` answer by an echo.
struct Echoes {
    network: Network,
    servers: Vec<Server>,
    pool: Pool,
}

fn echoes(configure: impl FnOnce(PoolBuilder) -> PoolBuilder) -> Echoes {
    let network = Network::new();
    let at = ["a.test:80", "a.test:8080", "b.test:80", "[::1]:80"];
    let servers = at.map(|address| echo_on(&network, address)).into();
    let pool = configure(on(&network)).build().unwrap();
    Echoes {
        network,
        servers,
        pool,
    }
}

async fn text(request: RequestBuilder) -> String {
    request.send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn the_method_and_the_url_arrive_as_given() {
    let echoes = echoes(|builder| builder);
    let pool = &echoes.pool;
    assert_line(
        &text(pool.get("http://a.test/x?y=%20&z")).await,
        "GET /x?y=%20&z",
    );
    assert_line(&text(pool.post("http://a.test")).await, "POST /");
    let purge = Method::from_bytes(b"PURGE").unwrap();
    assert_line(&text(pool.request(purge, URL)).await, "PURGE /");
    assert_line(&text(pool.get("http://A.TEST:80/x#part")).await, "GET /x");
    assert_line(
        &text(pool.get("http://a.test/x//y/../z")).await,
        "GET /x//y/../z",
    );
    let port = text(pool.get("http://a.test:8080/")).await;
    assert_line(&port, "host: a.test:8080");
    assert_eq!(echoes.servers[1].stats().requests, 1);
    assert_line(&text(pool.get("http://[::1]/")).await, "host: [::1]");
}

#[tokio::test]
async fn a_url_may_be_text_or_a_uri() {
    let echoes = echoes(|builder| builder);
    let pool = &echoes.pool;
    let owned = String::from("http://a.test/string");
    let uri = Uri::from_static("http://a.test/uri");
    assert_line(&text(pool.get(&owned)).await, "GET /string");
    assert_line(&text(pool.get(owned)).await, "GET /string");
    assert_line(&text(pool.get(&uri)).await, "GET /uri");
    assert_line(&text(pool.get(uri)).await, "GET /uri");
}

#[tokio::test]
async fn header_adds_and_headers_replaces() {
    let echoes = echoes(|builder| builder);
    let request = |pool: &Pool| {
        pool.get(URL)
            .header("x-a", "1")
            .header("X-A", "2")
            .header("x-b", "kept")
    };
    let added = text(request(&echoes.pool)).await;
    for line in ["x-a: 1", "x-a: 2", "x-b: kept"] {
        assert_line(&added, line);
    }
    let mut headers = HeaderMap::new();
    headers.append("x-a", HeaderValue::from_static("3"));
    headers.append("x-a", HeaderValue::from_static("4"));
    headers.append("x-c", HeaderValue::from_static("new"));
    let replaced = text(request(&echoes.pool).headers(headers)).await;
    for line in ["x-a: 3", "x-a: 4", "x-b: kept", "x-c: new"] {
        assert_line(&replaced, line);
    }
    assert!(!replaced.contains("x-a: 1") && !replaced.contains("x-a: 2"));
    let typed = echoes.pool.get(URL).header(
        HeaderName::from_static("x-typed"),
        HeaderValue::from_static("v"),
    );
    assert_line(&text(typed).await, "x-typed: v");
}

/// SMG-06
#[tokio::test]
async fn a_bearer_token_is_sent_once_and_is_sensitive() {
    let echoes = echoes(|builder| builder);
    let request = || {
        let wrong = echoes.pool.get(URL).header(AUTHORIZATION, "Basic x");
        wrong.bearer_auth("first").bearer_auth("hunter2")
    };
    assert!(!format!("{:?}", request()).contains("hunter2"));
    let built = request().build().unwrap();
    let values: Vec<_> = built.headers().get_all(AUTHORIZATION).iter().collect();
    assert_eq!(values, ["Bearer hunter2"]);
    assert!(values[0].is_sensitive());
    let sent = text(request()).await;
    assert_eq!(sent.matches("authorization:").count(), 1, "{sent}");
    assert_line(&sent, "authorization: Bearer hunter2");
}

#[tokio::test]
async fn a_body_of_any_kind_arrives_whole() {
    let echoes = echoes(|builder| builder);
    let post = || echoes.pool.post(URL);
    let chunks = ["str", "", "eam"].map(Ok::<_, std::io::Error>);
    let stream = Body::from_stream(futures_util::stream::iter(chunks));
    let factory = Body::from_fn(|| Full::<Bytes>::from("factory"));
    for (request, body, framing) in [
        (post().body("text"), "text", "content-length: 4"),
        (
            post().body(String::from("string")),
            "string",
            "content-length: 6",
        ),
        (post().body(vec![b'v']), "v", "content-length: 1"),
        (
            post().body(Bytes::from_static(b"bytes")),
            "bytes",
            "content-length: 5",
        ),
        (post().body(stream), "stream", "transfer-encoding: chunked"),
        (post().body(factory), "factory", "content-length: 7"),
    ] {
        let sent = text(request).await;
        assert_eq!(echoed_body(&sent), body);
        assert_line(&sent, framing);
    }
    for empty in [
        post(),
        post().body(()),
        post().body(""),
        post().body("x").body(""),
    ] {
        assert_eq!(echoed_body(&text(empty).await), "");
    }
    let large = "x".repeat(1 << 20);
    assert_eq!(echoed_body(&text(post().body(large.clone())).await), large);
}

#[tokio::test]
async fn a_stream_is_sent_as_it_comes_and_not_collected_first() {
    let (_network, listener, pool) = pool_and_listener(|builder| builder);
    let (chunks, mut received) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    let stream = futures_util::stream::poll_fn(move |cx| received.poll_recv(cx));
    let sending = tokio::spawn(pool.post(URL).body(Body::from_stream(stream)).send());
    let mut peer = peer(&listener).await;
    peer.read_head().await.unwrap();
    chunks.send(Ok(Bytes::from("one"))).await.unwrap();
    assert_eq!(peer.read_exact_body(8).await.unwrap(), "3\r\none\r\n");
    chunks.send(Ok(Bytes::from("more"))).await.unwrap();
    assert_eq!(peer.read_exact_body(9).await.unwrap(), "4\r\nmore\r\n");
    drop(chunks);
    assert_eq!(peer.read_exact_body(5).await.unwrap(), "0\r\n\r\n");
    peer.respond("200 OK", "").await.unwrap();
    assert_eq!(sending.await.unwrap().unwrap().status(), StatusCode::OK);
}

#[cfg(feature = "json")]
#[tokio::test]
async fn json_sets_the_body_and_the_content_type_unless_it_is_set() {
    let echoes = echoes(|builder| builder);
    let post = || echoes.pool.post(URL);
    let sent = text(post().json(&serde_json::json!({"a": [1, 2]}))).await;
    assert_line(&sent, "content-type: application/json");
    assert_eq!(echoed_body(&sent), r#"{"a":[1,2]}"#);
    let sent = text(
        post()
            .header("content-type", "application/problem+json")
            .json("x"),
    )
    .await;
    assert_line(&sent, "content-type: application/problem+json");
    assert_eq!(sent.matches("content-type").count(), 1);
    assert_eq!(echoed_body(&sent), "\"x\"");
}

#[tokio::test]
async fn build_gives_the_request_and_sends_nothing() {
    let echoes = echoes(|builder| builder);
    let request = echoes.pool.post("http://a.test/x").header("x-a", "1");
    let request = request.body("body").timeout(secs(3)).build().unwrap();
    assert_eq!(echoes.network.dials(), 0);
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.uri(), "http://a.test/x");
    assert_eq!(request.headers()["x-a"], "1");
    assert_eq!(request.body().as_bytes().unwrap(), "body");
    // It can be sent by the pool all the same.
    let response = echoes.pool.execute(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(body.ends_with(b"\n\nbody"), "{body:?}");
}

#[tokio::test]
async fn execute_sends_a_request_that_was_made_elsewhere() {
    let echoes = echoes(|builder| builder);
    let frames =
        ["a", "b"].map(|chunk| Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from(chunk))));
    let body = StreamBody::new(futures_util::stream::iter(frames));
    let request = Request::put("http://b.test/y")
        .header("x-a", "1")
        .body(body);
    let response = echoes.pool.execute(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let sent = String::from_utf8(body.into()).unwrap();
    for line in ["PUT /y", "x-a: 1", "host: b.test"] {
        assert_line(&sent, line);
    }
    assert_eq!(echoed_body(&sent), "ab");
}

#[tokio::test]
async fn default_headers_are_for_requests_that_do_not_set_them() {
    let host = HostConfig::new()
        .default_header("x-version", "2")
        .default_header("x-many", "1")
        .default_header("x-many", "2");
    let echoes = echoes(|builder| builder.host("a.test", host));
    let plain = text(echoes.pool.get(URL)).await;
    for line in ["x-version: 2", "x-many: 1", "x-many: 2"] {
        assert_line(&plain, line);
    }
    let own = text(
        echoes
            .pool
            .get(URL)
            .header("X-Version", "3")
            .header("x-many", ""),
    )
    .await;
    assert_line(&own, "x-version: 3");
    assert_line(&own, "x-many: ");
    assert_eq!(own.matches("x-version").count(), 1, "{own}");
    assert_eq!(own.matches("x-many").count(), 1, "{own}");
    // A request that was made elsewhere has them too.
    let request = Request::get(URL).body(Body::empty()).unwrap();
    let body = echoes.pool.execute(request).await.unwrap().into_body();
    let body = body.collect().await.unwrap().to_bytes();
    assert_line(std::str::from_utf8(&body).unwrap(), "x-version: 2");
}

/// SMG-06
#[tokio::test]
async fn default_headers_never_reach_another_host() {
    let echoes = echoes(|builder| {
        builder
            .host(
                "a.test",
                HostConfig::new().default_header("authorization", "for-a"),
            )
            .host("b.test", HostConfig::new().default_header("x-b", "for-b"))
    });
    for _ in 0..2 {
        let a = text(echoes.pool.get(URL)).await;
        assert_line(&a, "authorization: for-a");
        assert!(!a.contains("for-b"), "{a}");
        let b = text(echoes.pool.get("http://b.test/")).await;
        assert_line(&b, "x-b: for-b");
        assert!(!b.contains("for-a"), "{b}");
        // The host of the URL counts, not the one that the request claims.
        let claimed = text(echoes.pool.get("http://b.test/").header("host", "a.test")).await;
        assert!(!claimed.contains("for-a"), "{claimed}");
        let other = text(echoes.pool.get("http://[::1]/")).await;
        assert!(!other.contains("for-"), "{other}");
    }
}

#[tokio::test]
async fn settings_of_a_host_hold_for_all_its_spellings_and_ports() {
    for name in ["a.test", "A.Test", "a.test."] {
        let host = HostConfig::new().default_header("x-a", "1");
        let echoes = echoes(|builder| builder.host(name, host));
        for url in ["http://a.test/", "http://A.TEST./", "http://a.test:8080/"] {
            assert_line(&text(echoes.pool.get(url)).await, "x-a: 1");
        }
    }
    let host = HostConfig::new().default_header("x-a", "6");
    let echoes = echoes(|builder| builder.host("[0:0:0:0:0:0:0:1]", host));
    assert_line(&text(echoes.pool.get("http://[::1]/")).await, "x-a: 6");
}

#[tokio::test]
async fn a_second_setting_of_the_same_host_replaces_the_first() {
    let first = HostConfig::new().default_header("x-first", "1");
    let second = HostConfig::new().default_header("x-second", "2");
    let echoes = echoes(|b| b.host("a.test", first).host("A.TEST", second));
    let sent = text(echoes.pool.get(URL)).await;
    assert_line(&sent, "x-second: 2");
    assert!(!sent.contains("x-first"), "{sent}");
}

#[tokio::test]
async fn the_user_agent_is_the_requests_the_hosts_or_the_pools_in_this_order() {
    let host = HostConfig::new().default_header("user-agent", "host/1");
    let echoes = echoes(|builder| builder.user_agent("pool/1").host("b.test", host));
    let pool = &echoes.pool;
    assert_line(&text(pool.get(URL)).await, "user-agent: pool/1");
    let host = text(pool.get("http://b.test/")).await;
    assert_line(&host, "user-agent: host/1");
    assert_eq!(host.matches("user-agent").count(), 1);
    for url in [URL, "http://b.test/"] {
        let own = text(pool.get(url).header("user-agent", "mine/1")).await;
        assert_line(&own, "user-agent: mine/1");
        assert_eq!(own.matches("user-agent").count(), 1);
    }
    let without = self::echoes(|builder| builder);
    assert!(!text(without.pool.get(URL)).await.contains("user-agent"));
    let shared = self::echoes(|builder| builder.config(standpipe::PoolConfig::shared()));
    assert!(
        text(shared.pool.get(URL))
            .await
            .contains("user-agent: standpipe/")
    );
}

/// A server whose answer is as long as the path says, in chunks that come one by one.
fn chunks_on(network: &Network) -> Server {
    Server::builder()
        .handler(|_| async {
            let chunks = ["\"one ", "two ", "three\""];
            let frames = chunks
                .map(|chunk| Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from(chunk))));
            let stream =
                futures_util::StreamExt::then(futures_util::stream::iter(frames), |frame| async {
                    tokio::task::yield_now().await;
                    frame
                });
            http::Response::builder()
                .status(StatusCode::CREATED)
                .header("x-a", "1")
                .body(StreamBody::new(stream))
                .unwrap()
        })
        .start_on(network.listen("a.test:80"))
}

async fn chunked(pool: &Pool) -> Response {
    pool.get(URL).send().await.unwrap()
}

#[tokio::test]
async fn a_response_tells_its_head_and_is_read_as_bytes_text_or_json() {
    let network = Network::new();
    let _server = chunks_on(&network);
    let pool = on(&network).build().unwrap();
    let response = chunked(&pool).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(response.version(), Version::HTTP_11);
    assert_eq!(response.headers()["x-a"], "1");
    assert_eq!(response.bytes().await.unwrap(), "\"one two three\"");
    assert_eq!(
        chunked(&pool).await.text().await.unwrap(),
        "\"one two three\""
    );
    #[cfg(feature = "json")]
    {
        let json: String = chunked(&pool).await.json().await.unwrap();
        assert_eq!(json, "one two three");
    }
    let body = chunked(&pool).await.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "\"one two three\"");
    assert_eq!(pool.stats().total.created, 1);
}

#[tokio::test]
async fn a_response_becomes_one_of_http_with_all_it_had() {
    let network = Network::new();
    let _server = chunks_on(&network);
    let pool = on(&network).build().unwrap();
    let response: http::Response<Body> = chunked(&pool).await.into();
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(response.headers()["x-a"], "1");
    assert!(response.body().connection_info().is_some());
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "\"one two three\"");
}

#[tokio::test]
async fn a_response_knows_its_connection_whether_its_body_streams_or_not() {
    let network = Network::new();
    let _server = chunks_on(&network);
    let _short = echo_on(&network, "b.test:80");
    let pool = on(&network).build().unwrap();
    for url in [URL, "http://b.test/"] {
        let mut ids = Vec::new();
        for n in 0..3 {
            let response = pool.get(url).send().await.unwrap();
            let info = response.connection_info().expect("a connection").clone();
            assert_eq!((info.uses_before(), info.reused()), (n, n > 0));
            assert_eq!(info.version, Version::HTTP_11);
            ids.push(info.id);
            response.bytes().await.unwrap();
        }
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }
    assert_eq!(network.dials(), 2);
}

#[tokio::test]
async fn a_status_of_failure_is_no_error() {
    let (_network, listener, pool) = pool_and_listener(|builder| builder);
    for status in ["404 Not Found", "500 Internal Server Error", "301 Moved"] {
        pool.close_idle();
        let sending = tokio::spawn(pool.get(URL).send());
        let mut peer = peer(&listener).await;
        peer.read_head().await.unwrap();
        peer.respond(status, "why").await.unwrap();
        let response = sending.await.unwrap().unwrap();
        assert!(status.starts_with(response.status().as_str()));
        assert_eq!(response.text().await.unwrap(), "why");
    }
}

/// H1-04
#[tokio::test]
async fn the_answer_to_head_has_no_body_whatever_length_it_tells() {
    let (network, listener, pool) = pool_and_listener(|b| b.max_response_bytes(10));
    let sending = tokio::spawn(pool.request(Method::HEAD, URL).send());
    let mut peer = peer(&listener).await;
    peer.read_head().await.unwrap();
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
        .await
        .unwrap();
    let response = sending.await.unwrap().unwrap();
    assert_eq!(response.headers()["content-length"], "1000000");
    assert!(response.bytes().await.unwrap().is_empty());
    let next = support::spawn_get(&pool, URL);
    peer.read_head().await.unwrap();
    peer.respond("200 OK", "in step").await.unwrap();
    assert_eq!(next.await.unwrap().unwrap(), "in step");
    assert_eq!(network.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_the_request_is_shorter_or_longer_than_the_pools() {
    let (_network, listener, pool) = pool_and_listener(|b| b.request_timeout(Some(secs(10))));
    let begun = tokio::time::Instant::now();
    let shorter = pool.get(URL).timeout(secs(2)).send().await.unwrap_err();
    assert_eq!(shorter.kind(), ErrorKind::DeadlineExceeded);
    assert_eq!(begun.elapsed(), secs(2));
    drop(peer(&listener).await);

    let longer = tokio::spawn(pool.get(URL).timeout(secs(1)).timeout(secs(30)).send());
    let mut peer = peer(&listener).await;
    peer.read_head().await.unwrap();
    tokio::time::advance(secs(29)).await;
    support::settle().await;
    assert!(!longer.is_finished());
    peer.respond("200 OK", "late").await.unwrap();
    let response = longer.await.unwrap().unwrap();
    assert_eq!(response.text().await.unwrap(), "late");
}

/// CAN-18
#[tokio::test]
async fn a_request_that_is_never_sent_drops_its_body() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let (_network, _listener, pool) = pool_and_listener(|builder| builder);
    let drops = Arc::new(AtomicUsize::new(0));
    let body = || {
        let counted = Counted(Arc::clone(&drops));
        Body::from_stream(futures_util::stream::poll_fn(move |_| {
            let _ = &counted;
            std::task::Poll::Ready(None::<Result<Bytes, std::io::Error>>)
        }))
    };
    drop(pool.post(URL).body(body()));
    drop(pool.post(URL).body(body()).send());
    let broken = pool.post(URL).body(body()).header("x y", "");
    assert!(broken.send().await.is_err());
    assert_eq!(drops.load(Ordering::Relaxed), 3);
}

fn https_on(network: &Network, ca: &Ca, alpn: &[&[u8]]) -> Server {
    Server::builder()
        .tls(ca.server_config(&["a.test"], alpn))
        .handler(echo)
        .start_on(network.listen("a.test:443"))
}

#[tokio::test]
async fn tls_is_set_up_by_its_settings_or_by_a_finished_configuration() {
    const BOTH: &[&[u8]] = &[b"h2", b"http/1.1"];
    let network = Network::new();
    let ca = Ca::new();
    let _server = https_on(&network, &ca, BOTH);
    let roots = TlsConfig::default().roots([ca.certificate_der()]);
    for builder in [
        on(&network).tls(roots),
        on(&network).tls_config(ca.client_config(BOTH)),
    ] {
        let pool = builder.build().unwrap();
        let response = pool.get("https://a.test/x").send().await.unwrap();
        assert_eq!(response.version(), Version::HTTP_2);
        let info = response.connection_info().unwrap();
        assert!(info.tls_time.is_some());
        assert_line(&response.text().await.unwrap(), "GET https://a.test/x");
    }
    let pool = on(&network).tls(TlsConfig::default().roots([Ca::new().certificate_der()]));
    let error = pool
        .build()
        .unwrap()
        .get("https://a.test/")
        .send()
        .await
        .unwrap_err();
    assert!(error.is_tls(), "{error}");
}

#[tokio::test]
async fn the_protocol_that_was_set_is_the_one_spoken() {
    let network = Network::new();
    let ca = Ca::new();
    let _server = https_on(&network, &ca, &[b"h2", b"http/1.1"]);
    let tls = TlsConfig::default().roots([ca.certificate_der()]);
    for (protocol, version) in [
        (Protocol::Auto, Version::HTTP_2),
        (Protocol::Http1, Version::HTTP_11),
        (Protocol::Http2, Version::HTTP_2),
    ] {
        let builder = on(&network).tls(tls.clone()).protocol(protocol);
        let pool = builder.build().unwrap();
        let response = pool.get("https://a.test/").send().await.unwrap();
        assert_eq!(response.version(), version, "{protocol:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_here_already_is_bytes_and_one_that_streams_is_not() {
    let (_network, listener, pool) = pool_and_listener(|builder| builder);
    let sending = tokio::spawn(pool.get(URL).send());
    let mut peer = peer(&listener).await;
    peer.read_head().await.unwrap();
    peer.respond("200 OK", "short").await.unwrap();
    let body = sending.await.unwrap().unwrap().into_body();
    assert_eq!(body.as_bytes().unwrap(), "short");

    let sending = tokio::spawn(pool.get(URL).send());
    peer.read_head().await.unwrap();
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n123")
        .await
        .unwrap();
    let body = sending.await.unwrap().unwrap().into_body();
    assert!(body.as_bytes().is_none());
    assert_eq!(body.size_hint().exact(), Some(6));
    peer.write("456").await.unwrap();
    assert_eq!(body.collect().await.unwrap().to_bytes(), "123456");
}
