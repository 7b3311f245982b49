//! What stands in the request line.

use http::{Method, Request};
use standpipe_core::{Body, ErrorKind};

use crate::scripted::Scripted;
use crate::support::{A, failure_of, fetch, get, post};

async fn line(request: Request<Body>) -> String {
    let scripted = Scripted::new();
    let begun = scripted.begin(request).await;
    begun.head.lines().next().unwrap().to_owned()
}

/// SMG-05
#[tokio::test(start_paused = true)]
async fn a_path_is_sent_as_it_was_given() {
    for path in [
        "/",
        "//",
        "//x",
        "///x//y",
        "/%2e%2e/",
        "/../../x",
        "/./x",
        "/a%2Fb",
        "/%00",
        "/%zz",
        "/a;b=c",
        "/?",
        "/??",
        "/?a=b&a=b",
        "/x?y#".trim_end_matches('#'),
        "/http://b.test/",
        "/*",
    ] {
        let sent = line(get(&format!("http://a.test{path}"))).await;
        assert_eq!(sent, format!("GET {path} HTTP/1.1"));
    }
}

/// SMG-05
#[tokio::test(start_paused = true)]
async fn an_empty_path_is_the_root_and_a_query_stays_with_it() {
    assert_eq!(line(get("http://a.test")).await, "GET / HTTP/1.1");
    assert_eq!(line(get("http://a.test?x=y")).await, "GET /?x=y HTTP/1.1");
}

/// SMG-05
#[tokio::test(start_paused = true)]
async fn a_long_path_is_sent_whole_and_one_that_is_too_long_is_no_uri() {
    let path = format!("/{}", "x".repeat(60_000));
    let sent = line(get(&format!("http://a.test{path}"))).await;
    assert_eq!(sent, format!("GET {path} HTTP/1.1"));
    let path = "x".repeat(1024 * 1024);
    let huge = Request::get(format!("http://a.test/{path}"));
    huge.body(Body::empty()).unwrap_err();
}

/// SMG-05
#[tokio::test(start_paused = true)]
async fn a_target_without_a_host_is_refused() {
    let scripted = Scripted::new();
    for target in ["*", "/path", "a.test:80"] {
        let mut request = get(A);
        *request.method_mut() = Method::OPTIONS;
        *request.uri_mut() = target.parse().unwrap();
        let error = failure_of(crate::support::send(&scripted.transport, request)).await;
        assert!(error.kind().is_local() || error.kind() == ErrorKind::InvalidRequest);
    }
    assert_eq!(scripted.network.dials(), 0);
}

/// SMG-05: the authority form (RFC 9112, 3.2.3).
#[tokio::test(start_paused = true)]
async fn a_tunnel_is_asked_for_by_host_and_port() {
    let mut request = get(A);
    *request.method_mut() = Method::CONNECT;
    assert_eq!(line(request).await, "CONNECT a.test:80 HTTP/1.1");
}

/// SMG-05
#[tokio::test(start_paused = true)]
async fn a_method_of_the_callers_own_is_sent_as_it_was_given() {
    for method in ["get", "Post", "PROPFIND", "M-SEARCH", "X!#$%&'*+-.^_`|~0"] {
        let mut request = get(A);
        *request.method_mut() = method.parse().unwrap();
        assert_eq!(line(request).await, format!("{method} / HTTP/1.1"));
    }
}

/// SMG-06
#[tokio::test(start_paused = true)]
async fn neither_query_nor_header_nor_body_is_in_an_error() {
    let scripted = Scripted::new();
    drop(scripted.listener);
    let mut request = post("http://a.test/path?key=SECRET", "SECRET");
    let value = "Bearer SECRET".parse().unwrap();
    request.headers_mut().insert("authorization", value);
    let error = fetch(&scripted.transport, request).await.unwrap_err();
    let text = format!("{error} {error:?} {error:#?}");
    assert!(!text.contains("SECRET"), "{text}");
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        let text = format!("{cause} {cause:?}");
        assert!(!text.contains("SECRET"), "{text}");
        source = cause.source();
    }
    assert!(!format!("{:?}", scripted.transport).contains("SECRET"));
}
