//! Answers that two readers might read in two ways.

use http::{HeaderName, HeaderValue, Method, Request, Uri};
use standpipe_core::{Body, ErrorKind};

use crate::scripted::{Scripted, streaming_post};
use crate::support::{A, failure_of, send};

/// SMG-01: what cannot be said in HTTP cannot be put into a request, so it is refused before there is one.
#[test]
fn line_ends_and_nul_get_into_no_part_of_a_request() {
    for bad in ["\r", "\n", "\0", "\r\n", " \r\n "] {
        let with = |before: &str| format!("{before}{bad}x: y");
        assert!(Method::from_bytes(with("GET").as_bytes()).is_err());
        assert!(HeaderName::from_bytes(with("a").as_bytes()).is_err());
        assert!(HeaderValue::from_bytes(with("a").as_bytes()).is_err());
        for url in [
            "http://a.test",
            "http://a.test/",
            "http://a.test/?",
            "http://a",
        ] {
            assert!(with(url).parse::<Uri>().is_err(), "{url}");
        }
    }
    assert!(HeaderName::from_bytes(b":path").is_err());
    assert!(Method::from_bytes(b"GET /").is_err());
}

/// What is written for a request whose caller has set `encoding` as its transfer coding.
async fn written(encodings: &[&str], body: Body) -> String {
    let scripted = Scripted::new();
    let mut request = Request::post(A).body(body).unwrap();
    for encoding in encodings {
        let value = encoding.parse().unwrap();
        request.headers_mut().append("transfer-encoding", value);
    }
    let begun = scripted.begin(request).await;
    let mut peer = begun.peer;
    let head = begun.head;
    begun.sent.abort();
    peer.closed().await;
    head + std::str::from_utf8(peer.surplus()).unwrap()
}

/// SMG-02: whatever the caller says of the coding, the body is framed as the head says.
#[tokio::test(start_paused = true)]
async fn a_coding_of_the_callers_own_ends_in_chunks() {
    for encodings in [
        &["chunked"][..],
        &["Chunked"],
        &["gzip, chunked"],
        &["gzip", "chunked"],
        &["gzip"],
        &["identity"],
    ] {
        let text = written(encodings, Body::from("body")).await;
        assert!(!text.contains("content-length"), "{text}");
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut last = head
            .lines()
            .filter(|line| line.starts_with("transfer-encoding"));
        let last = last.next_back().unwrap().to_ascii_lowercase();
        assert!(last.ends_with("chunked"), "{text}");
        assert_eq!(body, "4\r\nbody\r\n0\r\n\r\n", "{encodings:?}");
    }
}

/// SMG-02: chunks within chunks.
#[tokio::test(start_paused = true)]
async fn a_coding_that_is_not_last_is_refused_or_never_said_twice() {
    for encodings in [
        &["chunked, gzip"][..],
        &["chunked", "chunked"],
        &["chunked, chunked"],
    ] {
        let scripted = Scripted::new();
        let mut request = Request::post(A).body(Body::from("body")).unwrap();
        for encoding in encodings {
            let value = encoding.parse().unwrap();
            request.headers_mut().append("transfer-encoding", value);
        }
        let error = failure_of(send(&scripted.transport, request)).await;
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{encodings:?}");
    }
}

/// SMG-02
#[tokio::test(start_paused = true)]
async fn a_length_and_a_coding_together_are_refused() {
    let (_upload, streaming) = streaming_post(A);
    for mut request in [
        streaming,
        Request::post(A).body(Body::from("body")).unwrap(),
    ] {
        let scripted = Scripted::new();
        let headers = request.headers_mut();
        headers.insert("content-length", "4".parse().unwrap());
        headers.insert("transfer-encoding", "chunked".parse().unwrap());
        let error = failure_of(send(&scripted.transport, request)).await;
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(scripted.network.dials(), 0);
    }
}

/// SMG-04
#[tokio::test(start_paused = true)]
async fn heads_that_servers_and_proxies_read_in_two_ways_are_refused() {
    for head in [
        // A folded line.
        "HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 4\r\n\r\n",
        "HTTP/1.1 200 OK\r\n content-length: 4\r\n\r\n",
        // A space before the colon.
        "HTTP/1.1 200 OK\r\ncontent-length : 4\r\n\r\n",
        // A lone CR, a NUL.
        "HTTP/1.1 200 OK\r\nx: a\rcontent-length: 4\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 4\r\n\r\n",
        "HTTP/1.1 200 OK\rx: y\r\ncontent-length: 4\r\n\r\n",
        // No name, no colon, no version, another version, no status, no number of three digits.
        "HTTP/1.1 200 OK\r\n: 4\r\ncontent-length: 4\r\n\r\n",
        "HTTP/1.1 200 OK\r\nnonsense\r\ncontent-length: 4\r\n\r\n",
        "HTTP/2.0 200 OK\r\ncontent-length: 4\r\n\r\n",
        "HTTP/1.2 200 OK\r\ncontent-length: 4\r\n\r\n",
        "HTTP/0.9 200 OK\r\ncontent-length: 4\r\n\r\n",
        "http/1.1 200 OK\r\ncontent-length: 4\r\n\r\n",
        "HTTP/1.1 OK\r\ncontent-length: 4\r\n\r\n",
        "HTTP/1.1 20 OK\r\ncontent-length: 4\r\n\r\n",
        "HTTP/1.1 2000 OK\r\ncontent-length: 4\r\n\r\n",
        "HTTP/1.1 099 OK\r\ncontent-length: 4\r\n\r\n",
        "ICY 200 OK\r\ncontent-length: 4\r\n\r\n",
    ] {
        let scripted = Scripted::new();
        let exchanged = scripted.exchange(format!("{head}body")).await;
        let error = exchanged.answer.expect_err(head);
        assert_eq!(error.kind(), ErrorKind::Protocol, "{head:?}");
        scripted.assert_closed(exchanged.peer).await;
    }
}

/// SMG-04: lines that end in LF alone may be read as lines (RFC 9112, 2.2).
#[tokio::test(start_paused = true)]
async fn a_bare_line_feed_ends_a_line_of_the_head() {
    let scripted = Scripted::new();
    let answer = "HTTP/1.1 200 OK\ncontent-length: 4\n\nbody";
    let exchanged = scripted.exchange(answer).await;
    assert_eq!(exchanged.answer.unwrap(), "body");
    scripted.assert_reused(exchanged.peer).await;
}

/// SMG-04: a coding that does not end in chunks lasts until the close, and no length counts beside it.
#[tokio::test(start_paused = true)]
async fn a_coding_that_is_not_chunked_is_delimited_by_the_close() {
    for coding in ["gzip", "chunked, identity", "xchunked", "\"chunked\""] {
        let scripted = Scripted::new();
        let mut begun = scripted.begin(crate::support::get(A)).await;
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: {coding}\r\n\r\nall of it"
        );
        begun.peer.write(answer).await.unwrap();
        begun.peer.close().await.unwrap();
        let response = begun.sent.await.unwrap().unwrap();
        let body = crate::support::read(response).await.unwrap();
        assert_eq!(body, "all of it", "{coding}");
        crate::support::settle().await;
        assert_eq!(scripted.network.open_connections(), 0);
    }
}
