//! What a builder lets into a request's head, and how that goes out.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use standpipe::{Body, ErrorKind, Phase, Pool, Protocol, RequestBuilder, RequestSent};
use standpipe_test::memory::Network;
use standpipe_test::{H2Peer, h2peer};

use crate::support::{URL, on, peer, pool_and_listener, settle};

/// The head as it goes out, over HTTP/1.1.
async fn head(request: impl FnOnce(&Pool) -> RequestBuilder) -> String {
    let (_network, listener, pool) = pool_and_listener(|builder| builder);
    let sending = tokio::spawn(request(&pool).send());
    let mut peer = peer(&listener).await;
    let head = peer.read_head().await.unwrap();
    sending.abort();
    head
}

/// It is refused before anything is dialled.
async fn refused(request: impl FnOnce(&Pool) -> RequestBuilder) {
    let network = Network::new();
    let _listener = network.listen("a.test:80");
    let pool = on(&network).build().unwrap();
    let error = request(&pool).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    assert_eq!(error.phase(), Some(Phase::Check));
    assert_eq!(error.request_sent(), RequestSent::No);
    assert!(error.is_request());
    assert_eq!(network.dials(), 0);
}

/// SMG-01
#[tokio::test]
async fn no_line_break_or_nul_gets_into_a_head_by_any_door() {
    for evil in ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b"] {
        refused(|pool| pool.get(format!("http://a.test/{evil}"))).await;
        refused(|pool| pool.get(format!("http://a.test/?{evil}"))).await;
        refused(|pool| pool.get(format!("http://{evil}.test/"))).await;
        refused(|pool| pool.get(URL).header("x-a", evil)).await;
        refused(|pool| pool.get(URL).header(evil, "x")).await;
        refused(|pool| pool.get(URL).header("host", evil)).await;
        refused(|pool| pool.get(URL).header("upgrade", evil)).await;
        refused(|pool| pool.get(URL).bearer_auth(evil)).await;
        refused(|pool| pool.get(URL).basic_auth(evil, Some("x"))).await;
        refused(|pool| pool.get(URL).basic_auth("x", Some(evil))).await;
        refused(|pool| pool.get(URL).idempotency_key(evil)).await;
        refused(|pool| pool.get(URL).last_event_id(evil)).await;
        assert!(Method::from_bytes(evil.as_bytes()).is_err());
        assert!(HeaderValue::from_str(evil).is_err() && evil.parse::<HeaderName>().is_err());
        assert!(format!("http://a.test/{evil}").parse::<Uri>().is_err());
    }
    // The query is encoded, so there it is data.
    #[cfg(feature = "form")]
    {
        let sent = head(|pool| pool.get(URL).query(&[("a", "x\r\ny\0")])).await;
        assert!(
            sent.starts_with("GET /?a=x%0D%0Ay%00 HTTP/1.1\r\n"),
            "{sent}"
        );
    }
}

/// SMG-02
#[tokio::test]
async fn a_length_and_a_coding_together_or_twice_are_refused_whatever_their_case() {
    let post = |pool: &Pool| pool.post(URL).body("abc");
    let chunks = || Body::from_stream(futures_util::stream::iter([Ok::<_, std::io::Error>("abc")]));
    for coding in ["chunked", "Chunked", "gzip, chunked", "identity"] {
        let both = |request: RequestBuilder| {
            let request = request.header("Content-Length", "3");
            request.header("TRANSFER-ENCODING", coding)
        };
        refused(|pool| both(post(pool))).await;
        refused(|pool| both(pool.post(URL).body(chunks()))).await;
    }
    refused(|pool| {
        post(pool)
            .header("content-length", "3")
            .header("Content-Length", "4")
    })
    .await;
    refused(|pool| post(pool).header("content-length", "4")).await;
    refused(|pool| post(pool).header("transfer-encoding", "chunked, gzip")).await;
    // The same length twice is one length.
    let sent = head(|pool| {
        let request = post(pool).header("content-length", "3");
        request.header("CONTENT-LENGTH", "3")
    });
    let sent = sent.await.to_ascii_lowercase();
    assert!(!sent.contains("transfer-encoding"), "{sent}");
    for line in sent
        .lines()
        .filter(|line| line.starts_with("content-length"))
    {
        assert_eq!(line, "content-length: 3");
    }
}

/// SMG-03
#[tokio::test]
async fn a_name_of_http2s_own_is_no_header() {
    for name in [":path", ":authority", ":method", ":status", ":x", ":"] {
        refused(|pool| pool.get(URL).header(name, "x")).await;
    }
}

/// SMG-03
#[tokio::test(start_paused = true)]
async fn headers_of_the_connection_do_not_go_out_over_http2() {
    let (_network, listener, pool) = pool_and_listener(|b| b.protocol(Protocol::Http2));
    let mut hop = HeaderMap::new();
    for (name, value) in [
        ("connection", "keep-alive"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "close"),
        ("upgrade", "h2c"),
        ("transfer-encoding", "chunked"),
    ] {
        hop.insert(name, HeaderValue::from_static(value));
    }
    let plain = tokio::spawn(pool.get(URL).send());
    let mut peer = H2Peer::accept(listener.accept().await, &[]).await.unwrap();
    let bare = peer.next(h2peer::kind::HEADERS).await.unwrap();
    peer.respond(bare.stream, "").await.unwrap();
    plain.await.unwrap().unwrap().bytes().await.unwrap();
    let sending = tokio::spawn(pool.get(URL).headers(hop).send());
    let head = peer.next(h2peer::kind::HEADERS).await.unwrap();
    // The pseudo-headers are in the table by now, so nothing but they would be longer.
    assert!(
        head.payload.len() <= bare.payload.len(),
        "{head:?} {bare:?}"
    );
    peer.respond(head.stream, "fine").await.unwrap();
    assert_eq!(
        sending.await.unwrap().unwrap().text().await.unwrap(),
        "fine"
    );
}

/// SMG-04
#[tokio::test]
async fn an_answer_that_others_would_read_otherwise_is_an_error() {
    for answer in [
        "HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length : 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx-a: b\rcontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\na",
    ] {
        let (network, listener, pool) = pool_and_listener(|b| b.max_retries(0));
        let sending = tokio::spawn(async move { pool.get(URL).send().await?.bytes().await });
        let mut peer = peer(&listener).await;
        peer.read_head().await.unwrap();
        peer.write(answer).await.unwrap();
        settle().await;
        let error = sending.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{answer:?}: {error}");
        peer.closed().await;
        settle().await;
        assert_eq!(network.open_connections(), 0, "{answer:?}");
    }
}

/// SMG-05
#[tokio::test]
async fn a_target_goes_out_as_it_was_given_or_not_at_all() {
    for (path, line) in [
        ("", "/"),
        ("/", "/"),
        ("//x", "//x"),
        ("/%2e%2e/", "/%2e%2e/"),
        ("/../x/./", "/../x/./"),
        ("/a%2Fb;c=d?e=%00&&", "/a%2Fb;c=d?e=%00&&"),
        ("?q", "/?q"),
        ("/http://b.test/", "/http://b.test/"),
        ("/x#part", "/x"),
    ] {
        let sent = head(|pool| pool.get(format!("http://a.test{path}"))).await;
        let expected = format!("GET {line} HTTP/1.1\r\n");
        assert!(sent.starts_with(&expected), "{path:?}: {sent}");
    }
    for target in ["*", "/path", "//a.test/", "a.test:80", ""] {
        refused(|pool| pool.request(Method::OPTIONS, target)).await;
    }
    let long = format!("http://a.test/{}", "x".repeat(1024 * 1024));
    refused(|pool| pool.get(&long)).await;
    let long = format!("/{}", "x".repeat(60_000));
    let sent = head(|pool| pool.get(format!("http://a.test{long}"))).await;
    assert!(sent.starts_with(&format!("GET {long} HTTP/1.1\r\n")));
}

/// SMG-06
#[tokio::test]
async fn no_secret_is_in_what_is_printed_of_a_request_and_its_response() {
    let (_network, listener, pool) = pool_and_listener(|builder| builder);
    let request = pool
        .post("http://a.test/x")
        .bearer_auth("hunter2")
        .basic_auth("hunter2", Some("hunter2"))
        .body(Bytes::from("hunter2"));
    assert!(!format!("{request:?}").contains("hunter2"));
    let sending = tokio::spawn(request.send());
    let mut peer = peer(&listener).await;
    let head = peer.read_head().await.unwrap();
    assert!(
        head.contains("authorization: Basic aHVudGVyMjpodW50ZXIy"),
        "{head}"
    );
    peer.respond("200 OK", "hunter2").await.unwrap();
    let response = sending.await.unwrap().unwrap();
    assert!(!format!("{response:?} {pool:?}").contains("hunter2"));
}
