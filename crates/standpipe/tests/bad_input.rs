//! What is wrong with a request, or with what is made of its answer: a typed error at the earliest
//! point.

mod support;

use bytes::Bytes;
use http::{HeaderName, Request, Uri};
use http_body_util::{BodyExt, Full, StreamBody};
use standpipe::{Body, Error, ErrorKind, Phase, Pool, RequestBuilder, RequestSent, Response};
use standpipe_test::memory::{Listener, Network};
use standpipe_test::{Peer, Server};
use support::{URL, on, peer, pool_and_listener};

/// A pool over a network where all that is dialled would answer, so that a dial that should not be
/// is seen.
fn nobody_dialled() -> (Network, Listener, Pool) {
    pool_and_listener(|builder| builder)
}

/// The error of a request that must not cause a dial.
async fn refused(network: &Network, request: RequestBuilder) -> Error {
    let error = request.send().await.unwrap_err();
    assert_eq!(network.dials(), 0, "{error}");
    assert_eq!(error.phase(), Some(Phase::Check), "{error}");
    assert_eq!(error.request_sent(), RequestSent::No, "{error}");
    error
}

/// The kinds that `send`, `build` and `execute` give for a URL, which must be one.
async fn refused_url(network: &Network, pool: &Pool, url: &str) -> Error {
    let built = pool.get(url).build().expect_err(url);
    let sent = refused(network, pool.get(url)).await;
    assert_eq!(built.kind(), sent.kind(), "{url:?}");
    assert_eq!(built.to_string(), sent.to_string(), "{url:?}");
    // The URI type takes more than ASCII; as a request's own it is sent as it is.
    if let Ok(uri) = url.parse::<Uri>()
        && url.is_ascii()
    {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = uri;
        let executed = pool.execute(request).await.unwrap_err();
        assert_eq!(executed.kind(), sent.kind(), "{url:?}");
        assert_eq!(network.dials(), 0, "{url:?}");
    }
    sent
}

/// RTR-11
#[tokio::test]
async fn a_url_without_a_host_is_refused() {
    let (network, _listener, pool) = nobody_dialled();
    for url in [
        "",
        "/path",
        "*",
        "a.test",
        "a.test/path",
        "http://",
        "http:///path",
        "http://:80/",
        "http://?q",
        "http:a.test",
        "//a.test/",
        "http://./",
        "file:///etc/hosts",
        "mailto:a@a.test",
    ] {
        let error = refused_url(&network, &pool, url).await;
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{url:?}: {error}");
    }
}

/// SMG-01
#[tokio::test]
async fn a_url_with_characters_that_no_url_has_is_refused() {
    let (network, _listener, pool) = nobody_dialled();
    for url in [
        "http://exämple.com/",
        "http://a.test/ü",
        "http://a.test/?q=ü",
        "http://a.test/a b",
        "http://a.test/\r\nx: y",
        "http://a.test/\0",
        "http://a b/",
        "http://a\n.test/",
        " http://a.test/",
        "http://a.test:80:80/",
        "http://[::1/",
        "http://[nonsense]/",
        "http://a_b%20c/",
    ] {
        let error = refused_url(&network, &pool, url).await;
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{url:?}: {error}");
    }
    let error = refused_url(&network, &pool, "http://exämple.com/").await;
    assert!(error.to_string().contains("punycode"), "{error}");
}

#[tokio::test]
async fn a_scheme_that_is_not_spoken_is_refused() {
    let (network, _listener, pool) = nobody_dialled();
    for url in [
        "ftp://a.test/",
        "ws://a.test/",
        "httpx://a.test/",
        "unix://a.test/x",
    ] {
        let error = refused_url(&network, &pool, url).await;
        assert_eq!(
            error.kind(),
            ErrorKind::UnsupportedScheme,
            "{url:?}: {error}"
        );
    }
}

/// RTR-11
#[tokio::test]
async fn a_port_out_of_range_is_refused() {
    let (network, _listener, pool) = nobody_dialled();
    for port in [
        "0",
        "65536",
        "99999",
        "99999999999999999999",
        "-1",
        "+80",
        "http",
        "8a",
    ] {
        let url = format!("http://a.test:{port}/");
        let error = refused_url(&network, &pool, &url).await;
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{url:?}: {error}");
    }
}

/// RTR-02, SMG-06
#[tokio::test]
async fn userinfo_is_refused_and_the_password_appears_nowhere() {
    let (network, _listener, pool) = nobody_dialled();
    for url in [
        "http://user:hunter2@a.test/",
        "http://hunter2@a.test/",
        "https://:hunter2@a.test:443/path",
        "http://user:hunter2@",
        "http://user:hunter2@@a.test/",
        "http://user:hunter2@a.test:99999/",
        "http://user:hünter2@a.test/hunter2",
        "ftp://user:hunter2@a.test/",
    ] {
        let error = refused_url(&network, &pool, url).await;
        let builder = pool.get(url);
        let everything = format!("{error} {error:?} {builder:?} {pool:?} {:?}", pool.stats());
        assert!(!everything.contains("hunter2"), "{everything}");
    }
    let error = refused_url(&network, &pool, "http://user:hunter2@a.test/").await;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().contains("userinfo"), "{error}");
    let uri = Uri::from_static("http://user:hunter2@a.test/");
    let builder = pool.get(&uri);
    assert!(!format!("{builder:?}").contains("hunter2"), "{builder:?}");
    let error = refused(&network, builder).await;
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

/// SMG-01, SMG-06
#[tokio::test]
async fn a_header_that_is_none_is_refused_and_its_value_is_not_repeated() {
    let (network, _listener, pool) = nobody_dialled();
    for value in ["hunter2\n", "hunter2\r\nx: y", "hunter2\0", "\u{7f}hunter2"] {
        for request in [
            pool.get(URL).header("x-key", value),
            pool.get(URL).header("x-key", value.to_owned()),
            pool.get(URL).bearer_auth(value),
        ] {
            let error = refused(&network, request).await;
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{value:?}");
            assert!(
                !format!("{error} {error:?}").contains("hunter2"),
                "{error:?}"
            );
        }
    }
    for name in ["", "x y", "x:", "x\r\ny", "naïve", "x\0", ":path"] {
        let error = refused(&network, pool.get(URL).header(name, "v")).await;
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{name:?}");
    }
}

#[tokio::test]
async fn the_first_mistake_is_the_one_that_is_told() {
    let (network, _listener, pool) = nobody_dialled();
    let request = || {
        pool.get("http://exämple.com/")
            .header("x y", "v")
            .header("x", "\n")
    };
    let first = pool.get("http://exämple.com/").build().unwrap_err();
    let told = refused(&network, request()).await;
    assert_eq!(told.to_string(), first.to_string());
    assert_eq!(
        request().build().unwrap_err().to_string(),
        first.to_string()
    );

    let request = pool.get(URL).header("x-name", "\n").header("x y", "v");
    let told = refused(&network, request).await.to_string();
    assert!(told.contains("x-name"), "{told}");
}

/// SMG-02
#[tokio::test]
async fn a_length_that_is_not_the_bodys_is_refused() {
    let (network, _listener, pool) = nobody_dialled();
    for length in [
        "2",
        "4",
        "0",
        "-3",
        "+3",
        "3,3",
        "x",
        "",
        "99999999999999999999999",
    ] {
        let request = pool.post(URL).header("content-length", length).body("abc");
        let error = refused(&network, request).await;
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{length:?}");
    }
    let twice = pool
        .post(URL)
        .header("content-length", "3")
        .header("content-length", "4");
    let error = refused(&network, twice.body("abc")).await;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let both = pool
        .post(URL)
        .header("content-length", "3")
        .header("transfer-encoding", "chunked");
    let error = refused(&network, both.body("abc")).await;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let foreign = Request::post(URL).header("content-length", "4");
    let foreign = foreign.body(Full::<Bytes>::from("abc")).unwrap();
    let error = pool.execute(foreign).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(network.dials(), 0);
}

/// H1-19
#[tokio::test]
async fn a_stream_of_another_length_than_declared_fails_and_its_connection_is_not_used_again() {
    let network = Network::new();
    let _server = support::echo_on(&network, "a.test:80");
    let pool = on(&network).build().unwrap();
    for declared in ["2", "4"] {
        let chunks = ["a", "bc"].map(Ok::<_, std::io::Error>);
        let body = Body::from_stream(futures_util::stream::iter(chunks));
        let request = pool.post(URL).header("content-length", declared).body(body);
        let error = request.send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RequestBody, "{declared}: {error}");
        assert_ne!(error.request_sent(), RequestSent::Yes);
    }
    support::settle().await;
    let stats = pool.stats().total;
    assert_eq!((stats.active, stats.idle), (0, 0), "{stats:?}");
    let right = pool.post(URL).header("content-length", "3").body("abc");
    let text = right.send().await.unwrap().text().await.unwrap();
    assert_eq!(support::echoed_body(&text), "abc");
}

#[tokio::test]
async fn an_error_of_the_request_body_is_told_with_its_source() {
    let network = Network::new();
    let _server = support::echo_on(&network, "a.test:80");
    let pool = on(&network).build().unwrap();
    let frames = ["a", "!"].map(|chunk| match chunk {
        "!" => Err(std::io::Error::other("the disk is full")),
        chunk => Ok(http_body::Frame::data(Bytes::from(chunk))),
    });
    let body = StreamBody::new(futures_util::stream::iter(frames));
    let error = pool.execute(Request::post(URL).body(body).unwrap()).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RequestBody);
    let source = std::error::Error::source(&error).expect("a source");
    assert_eq!(source.to_string(), "the disk is full");
}

#[cfg(feature = "json")]
#[tokio::test]
async fn what_cannot_be_written_as_json_is_refused() {
    let (network, _listener, pool) = nobody_dialled();
    let keys_are_no_text = std::collections::HashMap::from([((1, 2), 3)]);
    let error = refused(&network, pool.post(URL).json(&keys_are_no_text)).await;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().contains("JSON"), "{error}");
}

#[derive(Clone, Copy, Debug)]
enum Reads {
    Bytes,
    Text,
    #[cfg(feature = "json")]
    Json,
}

const ALL_READS: &[Reads] = &[
    Reads::Bytes,
    Reads::Text,
    #[cfg(feature = "json")]
    Reads::Json,
];

/// How long the body was, as this way of reading it says.
async fn read(response: Response, how: Reads) -> Result<usize, Error> {
    match how {
        Reads::Bytes => Ok(response.bytes().await?.len()),
        Reads::Text => Ok(response.text().await?.len()),
        #[cfg(feature = "json")]
        Reads::Json => Ok(response.json::<String>().await?.len() + 2),
    }
}

const FRAMINGS: [&str; 2] = [
    "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n\"12345678\"",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n\"123\r\n6\r\n45678\"\r\n0\r\n\r\n",
];

/// One answer to one request, as written; the parts are written one by one, each once the pool has
/// dealt with the one before.
async fn answered(listener: &Listener, request: RequestBuilder, parts: &[&str]) -> Response {
    let sending = tokio::spawn(request.send());
    let mut peer = peer(listener).await;
    peer.read_head().await.unwrap();
    for part in parts {
        peer.write(part).await.unwrap();
        support::settle().await;
    }
    let response = sending.await.unwrap().unwrap();
    drop(tokio::spawn(async move { peer.closed().await }));
    response
}

/// DEC-06
#[tokio::test]
async fn a_body_over_the_limit_is_refused_and_one_of_exactly_the_limit_is_not() {
    for framing in FRAMINGS {
        for how in ALL_READS {
            let (_network, listener, pool) = pool_and_listener(|b| b.max_response_bytes(9));
            let response = answered(&listener, pool.get(URL), &[framing]).await;
            let error = read(response, *how).await.unwrap_err();
            assert_eq!(
                error.kind(),
                ErrorKind::BodyTooLarge { limit: 9 },
                "{how:?}"
            );
            assert_eq!(error.phase(), Some(Phase::Body));
            assert_eq!(error.request_sent(), RequestSent::Yes);
            assert!(error.to_string().contains("9 bytes"), "{error}");

            let (_network, listener, pool) = pool_and_listener(|b| b.max_response_bytes(10));
            let response = answered(&listener, pool.get(URL), &[framing]).await;
            assert_eq!(read(response, *how).await.unwrap(), 10, "{how:?}");
        }
    }
}

/// DEC-06
#[tokio::test]
async fn a_response_may_have_a_limit_of_its_own() {
    let (_network, listener, pool) = pool_and_listener(|b| b.max_response_bytes(9));
    let response = answered(&listener, pool.get(URL), &[FRAMINGS[0]]).await;
    assert_eq!(response.max_bytes(10).bytes().await.unwrap().len(), 10);
    let response = answered(
        fresh(&pool, &listener),
        pool.get("http://a.test/2"),
        &[FRAMINGS[1]],
    )
    .await;
    let error = response.max_bytes(3).text().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BodyTooLarge { limit: 3 });
}

/// Closes what idles, so that the next request comes by a connection of its own.
fn fresh<'a>(pool: &Pool, listener: &'a Listener) -> &'a Listener {
    pool.close_idle();
    listener
}

/// DEC-06
#[tokio::test]
async fn a_declared_length_over_the_limit_is_refused_before_the_body_comes() {
    let (network, listener, pool) = pool_and_listener(|b| b.max_response_bytes(1000));
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n";
    for how in ALL_READS {
        // The body never comes: to wait for it would be to wait for ever.
        let response = answered(&listener, pool.get(URL), &[head]).await;
        let error = read(response, *how).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BodyTooLarge { limit: 1000 });
    }
    network.all_closed().await;
    assert_eq!(pool.stats().total.active, 0);
}

/// DEC-06, CAN-09
#[tokio::test]
async fn a_body_without_a_length_is_refused_at_the_chunk_that_passes_the_limit() {
    let (network, listener, pool) = pool_and_listener(|b| b.max_response_bytes(7));
    let parts = [
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n1234\r\n",
        "4\r\n5678\r\n",
    ];
    let response = answered(&listener, pool.get(URL), &parts).await;
    let error = response.bytes().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BodyTooLarge { limit: 7 });
    network.all_closed().await;
    let stats = pool.stats().total;
    assert_eq!((stats.active, stats.idle), (0, 0));
}

/// DEC-06
#[tokio::test]
async fn a_stream_of_http2_over_the_limit_leaves_the_connection_in_use() {
    let network = Network::new();
    let server = Server::builder()
        .http2()
        .handler(|_| async { http::Response::new(Full::from(vec![b'x'; 300_000])) })
        .start_on(network.listen("a.test:80"));
    let pool = on(&network)
        .protocol(standpipe::Protocol::Http2)
        .max_response_bytes(100_000)
        .build()
        .unwrap();
    for _ in 0..3 {
        let error = pool
            .get(URL)
            .send()
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BodyTooLarge { limit: 100_000 });
    }
    let whole = pool.get(URL).send().await.unwrap().max_bytes(300_000);
    assert_eq!(whole.bytes().await.unwrap().len(), 300_000);
    assert_eq!(server.stats().connections, 1);
    let stats = pool.stats().total;
    assert_eq!((stats.active, stats.idle, stats.streams), (0, 1, 0));
}

#[tokio::test]
async fn a_body_read_as_a_stream_has_no_limit() {
    let (_network, listener, pool) = pool_and_listener(|b| b.max_response_bytes(1));
    let response = answered(&listener, pool.get(URL), &[FRAMINGS[1]]).await;
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "\"12345678\"");
}

#[tokio::test]
async fn a_body_that_is_not_what_was_asked_for_is_a_decode_error_that_does_not_repeat_it() {
    let (_network, listener, pool) = pool_and_listener(|builder| builder);
    let body = |bytes: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", bytes.len());
        [head.as_bytes(), bytes].concat()
    };
    let text = body(b"hunter2 \xff\xfe");
    let response = answered_bytes(&listener, pool.get(URL), &text).await;
    let error = response.text().await.unwrap_err();
    assert_decode(&error, "UTF-8");

    #[cfg(feature = "json")]
    for bytes in [
        &b"hunter2"[..],
        b"",
        b"{\"hunter2\":",
        b"\"hunter2\"",
        b"\xff",
    ] {
        pool.close_idle();
        let response = answered_bytes(&listener, pool.get(URL), &body(bytes)).await;
        let error = response.json::<u32>().await.unwrap_err();
        assert_decode(&error, "JSON");
    }
}

#[track_caller]
fn assert_decode(error: &Error, what: &str) {
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert_eq!(error.phase(), Some(Phase::Body));
    assert_eq!(error.request_sent(), RequestSent::Yes);
    let message = error.to_string();
    assert!(
        message.contains(what) && !message.contains("hunter2"),
        "{message}"
    );
    assert!(std::error::Error::source(error).is_some());
}

async fn answered_bytes(listener: &Listener, request: RequestBuilder, answer: &[u8]) -> Response {
    let sending = tokio::spawn(request.send());
    let mut peer: Peer<_> = peer(listener).await;
    peer.read_head().await.unwrap();
    peer.write(answer).await.unwrap();
    drop(tokio::spawn(async move { peer.closed().await }));
    sending.await.unwrap().unwrap()
}

#[test]
fn a_header_name_of_the_right_type_needs_no_check() {
    let pool = Pool::new();
    let name = HeaderName::from_static("x-name");
    assert!(pool.get(URL).header(name, "v").build().is_ok());
}

#[tokio::test]
async fn a_body_that_the_server_cuts_short_is_an_error_of_the_body() {
    let (_network, listener, pool) = pool_and_listener(|builder| builder);
    let sending = tokio::spawn(pool.get(URL).send());
    let mut peer = peer(&listener).await;
    peer.read_head().await.unwrap();
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n123")
        .await
        .unwrap();
    let response = sending.await.unwrap().unwrap();
    peer.close().await.unwrap();
    let error = response.bytes().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionClosed);
    assert_eq!(error.phase(), Some(Phase::Body));
    assert_eq!(error.request_sent(), RequestSent::Yes);
}
