use standpipe_core::ErrorKind;

use super::{GET, POST, error, get, post, send, status, with_header};
use crate::mock::{MockResponse, MockService, UnmatchedRequest};

/// Whether a mock of `host` takes the request.
async fn takes(host: &str, request: http::Request<standpipe_core::Body>) -> bool {
    let mock = MockService::new();
    mock.add_response(host, MockResponse::new(200));
    send(&mock, request).await.is_ok()
}

#[tokio::test]
async fn a_host_is_named_alone_or_with_its_port_or_as_an_origin() {
    for (host, url, expected) in [
        ("a.example", "http://a.example/x", true),
        ("A.example.", "https://a.EXAMPLE:8443/", true),
        ("a.example", "http://b.example/", false),
        ("a.example:80", "http://a.example/", true),
        ("a.example:80", "https://a.example/", false),
        ("a.example:8080", "http://a.example:8080/", true),
        ("https://a.example", "https://a.example:443/x", true),
        ("https://a.example/", "http://a.example/x", false),
        ("[::1]", "http://[::1]:3000/", true),
        ("[::1]:3000", "http://[::1]:3001/", false),
        ("*", "http://b.example/", true),
    ] {
        assert_eq!(takes(host, get(url)).await, expected, "{host} of {url}");
    }
}

#[tokio::test]
async fn a_request_without_a_host_in_its_uri_is_for_that_of_its_header() {
    let by_header = || with_header(get("/x"), "host", "a.example:8080");
    assert!(takes("a.example", by_header()).await);
    assert!(takes("a.example:8080", by_header()).await);
    assert!(!takes("b.example", by_header()).await);
    assert!(!takes("a.example", get("/x")).await);
    assert!(takes("*", get("/x")).await);
}

#[tokio::test]
async fn all_that_is_asked_must_hold() {
    let mock = MockService::new();
    mock.expect("a")
        .method(POST)
        .path("/things")
        .query("page", "a b")
        .header("x-key", "1")
        .any_header("x-any")
        .no_header("x-not")
        .body("hello")
        .is("a short path", |request| request.path().len() < 10)
        .times(1)
        .answer(MockResponse::new(200));
    let right = || {
        let request = post("http://a/things?x=&page=a+b", "hello");
        with_header(with_header(request, "x-key", "1"), "x-any", "")
    };
    type Change = fn(&mut http::Request<standpipe_core::Body>);
    let wrong: [(Change, &str); 8] = [
        (|r| *r.method_mut() = GET, "the method is GET"),
        (
            |r| *r.uri_mut() = "http://a/thing?page=a+b".parse().unwrap(),
            "the path is /thing",
        ),
        (
            |r| *r.uri_mut() = "http://a/things".parse().unwrap(),
            "the query has no page",
        ),
        (
            |r| *r.uri_mut() = "http://a/things?page=2".parse().unwrap(),
            "the query has page=2",
        ),
        (
            |r| *r.headers_mut().get_mut("x-key").unwrap() = "2".parse().unwrap(),
            "the header x-key is \"2\"",
        ),
        (
            |r| drop(r.headers_mut().remove("x-any")),
            "there is no header x-any",
        ),
        (
            |r| drop(r.headers_mut().insert("x-not", "1".parse().unwrap())),
            "the header x-not is Some(\"1\")",
        ),
        (|r| *r.body_mut() = "hullo".into(), "the body is \"hullo\""),
    ];
    for (change, why) in wrong {
        let mut request = right();
        change(&mut request);
        let error = error(send(&mock, request).await);
        let source = std::error::Error::source(&error).unwrap();
        let unmatched = source.downcast_ref::<UnmatchedRequest>().unwrap();
        assert_eq!(unmatched.nearest.as_ref().unwrap().reasons, [why]);
    }
    assert_eq!(mock.unmatched().len(), wrong.len());
    assert_eq!(status(send(&mock, right()).await), 200);
}

#[tokio::test]
async fn one_of_several_values_of_a_header_is_enough() {
    let mock = MockService::new();
    mock.expect("a")
        .header("x", "2")
        .answer(MockResponse::new(200));
    let request = with_header(with_header(get("http://a/"), "x", "1"), "x", "2");
    assert_eq!(status(send(&mock, request).await), 200);
}

#[tokio::test]
async fn the_first_expectation_that_matches_answers() {
    let mock = MockService::new();
    mock.expect("a").path("/x").answer(MockResponse::new(201));
    mock.expect("a").answer(MockResponse::new(202));
    mock.expect("a")
        .path("/x")
        .at_most(1)
        .answer(MockResponse::new(203));
    assert_eq!(status(send(&mock, get("http://a/x")).await), 201);
    assert_eq!(status(send(&mock, get("http://a/y")).await), 202);
}

#[tokio::test]
async fn an_unmatched_request_gets_an_error_that_nothing_tries_again() {
    let mock = MockService::new();
    let error = error(send(&mock, get("http://a:81/x")).await);
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(error.origin().unwrap().as_str(), "http://a:81");
    assert_eq!(
        error.to_string(),
        "the request cannot be sent: the mock expects nothing, and got GET http://a:81/x (http://a:81)"
    );
}
