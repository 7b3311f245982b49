use super::{GET, POST, error, get, let_go, panic_of, post, send};
use crate::mock::{MockResponse, MockService, UnmatchedRequest};

/// `report` without the places where things were set up.
fn without_places(report: &str) -> String {
    let mut out = String::new();
    let mut rest = report;
    while let Some((before, after)) = rest.split_once(" (set up at ") {
        out.push_str(before);
        let (place, after) = after.split_once(')').expect("the end of the place");
        assert!(place.contains("reports.rs:"), "{place}");
        rest = after;
    }
    out + rest
}

#[tokio::test]
async fn the_error_shows_the_request_the_nearest_expectation_why_and_what_there_was() {
    let mock = MockService::new();
    mock.expect("b").answer(MockResponse::new(200));
    mock.expect("a")
        .path("/other")
        .method(POST)
        .answer(MockResponse::new(200));
    mock.expect("a")
        .path("/things")
        .method(POST)
        .answer(MockResponse::new(200));
    let error = error(send(&mock, get("http://a/things")).await);
    let text = "the mock has no answer to GET http://a/things; \
                nearest is a, path /things, method POST, but the method is GET";
    let shown = without_places(&error.to_string());
    assert_eq!(
        shown,
        format!("the request cannot be sent: {text} (http://a)")
    );
    let source = std::error::Error::source(&error).unwrap();
    let unmatched = source.downcast_ref::<UnmatchedRequest>().unwrap();
    assert_eq!(
        without_places(&format!("{unmatched:?}")),
        format!(
            "{text}\nthere were:\n  b\n  a, path /other, method POST\n  a, path /things, method POST"
        )
    );
    assert_eq!(unmatched.request.path(), "/things");
    let_go(mock);
}

#[tokio::test]
async fn an_expectation_that_was_not_met_panics_at_the_end_and_names_the_nearest_miss() {
    let mock = MockService::new();
    mock.expect("a")
        .method(GET)
        .path("/met")
        .answer(MockResponse::new(200));
    mock.expect("a")
        .method(POST)
        .path("/things")
        .times(2)
        .answer(MockResponse::new(201));
    mock.expect("b").at_least(3).answer(MockResponse::new(200));
    for request in [
        get("http://a/met"),
        post("http://a/things", "1"),
        post("http://a/thing", "22"),
        get("http://a/thing"),
    ] {
        let _ = send(&mock, request).await;
    }
    let report = panic_of(|| drop(mock));
    assert_eq!(
        without_places(&report),
        "2 expectations of the mock not met:\n  \
         a, method POST, path /things: expected 2 requests, got 1 request\n    \
         nearest miss: POST http://a/thing with a body of 2 bytes, but the path is /thing\n  \
         b: expected at least 3 requests, got 0 requests\n    \
         nearest miss: GET http://a/met, but the host is http://a"
    );
}

#[tokio::test]
async fn one_request_is_expected_where_nothing_else_is_said() {
    let mock = MockService::new();
    mock.expect("a").answer(MockResponse::new(200));
    assert_eq!(
        without_places(&panic_of(|| mock.verify())),
        "1 expectation of the mock not met:\n  a: expected at least 1 request, got 0 requests"
    );
    send(&mock, get("http://a/")).await.unwrap();
    mock.verify();
    send(&mock, get("http://a/")).await.unwrap();
    drop(mock);
}

#[tokio::test]
async fn at_most_is_met_by_none_and_a_range_by_its_least() {
    let mock = MockService::new();
    mock.expect("a").at_most(2).answer(MockResponse::new(200));
    mock.verify();
    mock.expect("b")
        .at_least(1)
        .at_most(2)
        .answer(MockResponse::new(200));
    let report = without_places(&panic_of(|| mock.verify()));
    assert!(
        report.ends_with("b: expected 1 to 2 requests, got 0 requests"),
        "{report}"
    );
    send(&mock, get("http://b/")).await.unwrap();
}

#[tokio::test]
async fn a_request_too_many_fails_and_is_told_at_the_end() {
    let mock = MockService::new();
    mock.expect("a").times(1).answer(MockResponse::new(200));
    mock.expect("b").at_most(1).answer(MockResponse::new(200));
    for url in ["http://a/", "http://b/"] {
        send(&mock, get(url)).await.unwrap();
        let text = error(send(&mock, get(url)).await).to_string();
        assert!(text.contains("but it has had its 1 request"), "{text}");
    }
    assert_eq!(
        without_places(&panic_of(|| drop(mock))),
        "2 expectations of the mock not met:\n  \
         a: expected 1 request, got 2 requests\n  \
         b: expected at most 1 request, got 2 requests"
    );
}

#[tokio::test]
async fn a_request_that_must_never_come_fails_whatever_else_would_match_it() {
    let mock = MockService::new();
    mock.expect("a").path("/admin").never();
    mock.expect("a").at_least(0).answer(MockResponse::new(200));
    mock.add_response("a", MockResponse::new(200));
    send(&mock, get("http://a/")).await.unwrap();
    mock.verify();
    let text = error(send(&mock, get("http://a/admin")).await).to_string();
    assert!(text.contains("but there may be no such request"), "{text}");
    let report = without_places(&panic_of(|| drop(mock)));
    assert!(
        report.ends_with("a, path /admin: expected no request, got 1 request"),
        "{report}"
    );
}

#[tokio::test]
async fn an_expectation_may_be_missed_because_another_took_its_request() {
    let mock = MockService::new();
    mock.expect("a").answer(MockResponse::new(200));
    mock.expect("a").path("/x").answer(MockResponse::new(201));
    send(&mock, get("http://a/x")).await.unwrap();
    let report = without_places(&panic_of(|| drop(mock)));
    assert!(
        report.ends_with("nearest miss: GET http://a/x, but it was answered by a"),
        "{report}"
    );
}

#[tokio::test]
async fn a_clone_checks_nothing_at_its_end() {
    let mock = MockService::new();
    mock.expect("a").answer(MockResponse::new(200));
    drop(mock.clone());
    send(&mock, get("http://a/")).await.unwrap();
}

#[test]
fn nothing_is_checked_while_the_test_panics_already() {
    let panic = panic_of(|| {
        let mock = MockService::new();
        mock.expect("a").answer(MockResponse::new(200));
        panic!("the test's own panic");
    });
    assert_eq!(panic, "the test's own panic");
}
