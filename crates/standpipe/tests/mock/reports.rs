use std::panic::{AssertUnwindSafe, catch_unwind};

use http::Method;
use standpipe::mock::{MockPool, MockResponse, UnmatchedRequest};
use standpipe::{ErrorKind, Pool};

use crate::level;

/// What `f` panics with.
#[track_caller]
fn panic_of(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("it should panic");
    *payload.downcast::<String>().expect("a text")
}

/// Forgets what was expected, so that its end says nothing.
fn let_go(mock: MockPool) {
    panic_of(|| drop(mock));
}

#[tokio::test]
async fn the_end_of_the_mock_fails_the_test_and_names_the_nearest_miss() {
    let mock = MockPool::new();
    mock.expect("api.example.com")
        .method(Method::POST)
        .path("/v1/level")
        .answer(MockResponse::new(200));
    let pool = mock.pool();
    level(&pool).await.unwrap_err();
    let report = panic_of(|| drop(mock));
    assert!(
        report.starts_with(
            "1 expectation of the mock not met:\n  api.example.com, method POST, path /v1/level"
        ),
        "{report}"
    );
    assert!(
        report.contains("expected at least 1 request, got 0 requests"),
        "{report}"
    );
    assert!(
        report
            .ends_with("nearest miss: GET https://api.example.com/v1/level, but the method is GET"),
        "{report}"
    );
    // Where it was set up, in the test's own file.
    assert!(report.contains("reports.rs:"), "{report}");
}

#[tokio::test]
async fn a_mock_whose_expectations_were_met_ends_in_silence() {
    let mock = MockPool::new();
    mock.expect("api.example.com")
        .answer(MockResponse::new(200));
    level(&mock.pool()).await.unwrap();
    mock.verify();
    drop(mock);
}

#[tokio::test]
async fn clones_of_the_service_and_the_pool_check_nothing_at_their_end() {
    let mock = MockPool::new();
    mock.expect("api.example.com")
        .answer(MockResponse::new(200));
    drop(mock.clone());
    drop(mock.pool());
    let_go(mock);
}

#[tokio::test]
async fn a_mock_that_ends_in_a_test_that_panics_already_does_not_hide_why() {
    let why = panic_of(|| {
        let mock = MockPool::new();
        mock.expect("api.example.com")
            .answer(MockResponse::new(200));
        panic!("{}", "the test's own words");
    });
    assert_eq!(why, "the test's own words");
}

#[tokio::test(start_paused = true)]
async fn an_unmatched_request_is_an_error_that_shows_what_was_there_and_is_not_retried() {
    let mock = MockPool::with(Pool::builder().max_retries(3)).unwrap();
    mock.expect("api.example.com")
        .path("/v2/level")
        .answer(MockResponse::new(200));
    mock.expect("other.example.com")
        .answer(MockResponse::new(200));
    let error = level(&mock.pool()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let text = error.to_string();
    assert!(
        text.contains("the mock has no answer to GET https://api.example.com/v1/level; nearest is"),
        "{text}"
    );
    assert!(text.contains("but the path is /v1/level"), "{text}");

    let source = std::error::Error::source(&error).unwrap();
    let unmatched = source.downcast_ref::<UnmatchedRequest>().unwrap();
    assert_eq!(unmatched.expectations.len(), 2);
    assert!(unmatched.expectations[1].starts_with("other.example.com"));
    assert_eq!(unmatched.request.path(), "/v1/level");
    assert_eq!((mock.calls(), mock.unmatched().len()), (1, 1));
    let_go(mock);
}
