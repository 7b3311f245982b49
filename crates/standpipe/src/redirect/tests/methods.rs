//! Which method and which body a redirect is followed with.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};

use super::*;

const A: &str = "http://a.example/";

async fn sent(status: u16, method: &str, body: Body) -> Outcome {
    let request = Request::builder()
        .method(method)
        .uri(A)
        .header(CONTENT_TYPE, "text/plain")
        .header(CONTENT_LENGTH, "5")
        .header("content-language", "en")
        .header("expect", "100-continue")
        .header("accept", "text/html")
        .body(body)
        .unwrap();
    send(&ten(), &[(A, status, "/next")], request).await
}

/// RED-02
#[tokio::test]
async fn a_303_and_a_post_that_is_moved_become_a_get_without_a_body() {
    for (status, method) in [
        (301, "POST"),
        (302, "POST"),
        (303, "POST"),
        (303, "PUT"),
        (303, "DELETE"),
        (303, "GET"),
    ] {
        let outcome = sent(status, method, Body::from("hello")).await;
        let next = outcome.last();
        assert_eq!(next.url, "http://a.example/next", "{status} {method}");
        assert_eq!(next.method, Method::GET, "{status} {method}");
        assert_eq!(next.body, "");
        assert_eq!(next.headers.len(), 1, "{:?}", next.headers);
        assert_eq!(next.headers["accept"], "text/html");
    }
}

/// RED-02
#[tokio::test]
async fn other_redirects_keep_method_body_and_headers() {
    for (status, method) in [
        (301, "PUT"),
        (302, "DELETE"),
        (307, "POST"),
        (308, "POST"),
        (307, "PATCH"),
    ] {
        let outcome = sent(status, method, Body::from("hello")).await;
        let next = outcome.last();
        assert_eq!(next.url, "http://a.example/next", "{status} {method}");
        assert_eq!(next.method, method, "{status}");
        assert_eq!(next.body, "hello", "{status} {method}");
        assert_eq!(next.headers[CONTENT_LENGTH], "5");
        assert_eq!(next.headers[CONTENT_TYPE], "text/plain");
    }
}

/// RED-02
#[tokio::test]
async fn a_head_stays_a_head() {
    for status in [301, 302, 303, 307, 308] {
        let outcome = sent(status, "HEAD", Body::empty()).await;
        assert_eq!(outcome.last().method, Method::HEAD, "{status}");
        assert_eq!(outcome.probe.calls(), 2);
    }
}

/// RED-02
#[tokio::test]
async fn a_body_that_can_be_sent_once_leaves_the_redirect_to_the_caller() {
    let once = || {
        let chunks = futures_util::stream::iter([Ok::<_, BoxError>("hel"), Ok("lo")]);
        Body::from_stream(chunks)
    };
    for status in [307, 308] {
        let outcome = sent(status, "POST", once()).await;
        assert_eq!(outcome.status(), status);
        assert_eq!(outcome.seen[0].body, "hello");
        assert_eq!(outcome.probe.calls(), 1);
    }
    let outcome = sent(303, "POST", once()).await;
    assert_eq!(outcome.last().method, Method::GET);
}

/// RED-02
#[tokio::test]
async fn a_body_that_is_made_anew_or_kept_is_sent_again_on_every_hop() {
    use standpipe_core::Replay;

    let site = [
        ("http://a.example/", 307, "http://b.example/"),
        ("http://b.example/", 308, "http://c.example/"),
    ];
    let made = Body::from_fn(|| http_body_util::Full::<bytes::Bytes>::from("hello"));
    let chunks = futures_util::stream::iter([Ok::<_, BoxError>("hel"), Ok("lo")]);
    let mut kept = Body::from_stream(chunks);
    kept.keep(1024);
    for body in [made, kept] {
        let request = Request::post("http://a.example/").body(body).unwrap();
        let outcome = send(&ten(), &site, request).await;
        assert_eq!(outcome.status(), 200);
        let bodies: Vec<_> = outcome.seen.iter().map(|seen| &*seen.body).collect();
        assert_eq!(bodies, ["hello"; 3]);
    }
}

#[tokio::test]
async fn other_statuses_are_the_callers() {
    for status in [200, 201, 300, 304, 305, 306, 404, 503] {
        let outcome = sent(status, "GET", Body::empty()).await;
        assert_eq!(outcome.status(), status);
        assert_eq!(outcome.probe.calls(), 1);
    }
}
