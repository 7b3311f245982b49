use std::time::Duration;

use standpipe_core::{Error, ErrorKind, RequestSent};
use tokio::time::Instant;
use tower::{Service, ServiceExt};

use super::{GET, error, get, panic_of, post, send, status};
use crate::mock::{MockAnswer, MockResponse, MockService};

#[tokio::test]
async fn what_is_added_for_a_host_is_given_in_turn_and_the_last_of_it_for_ever() {
    let mock = MockService::new();
    mock.add_response("api.example.com", MockResponse::new(503));
    mock.add_response("other.example.com", MockResponse::new(404));
    mock.add_response("api.example.com", MockResponse::new(200));
    for expected in [503, 200, 200] {
        assert_eq!(
            status(send(&mock, get("http://api.example.com/x")).await),
            expected
        );
    }
    assert_eq!(
        status(send(&mock, get("https://other.example.com/")).await),
        404
    );
}

#[tokio::test]
async fn what_is_added_and_not_asked_for_fails_nothing() {
    let mock = MockService::new();
    mock.add_response("api.example.com", MockResponse::new(200));
    drop(mock);
}

#[tokio::test]
async fn an_expectation_gives_its_answers_in_turn_and_the_last_of_them_for_ever() {
    let mock = MockService::new();
    let expected = mock.expect("*").answer_in_turn([
        ErrorKind::ConnectionClosed.into(),
        MockResponse::new(500).into(),
        MockResponse::new(200).into(),
    ]);
    assert_eq!(
        error(send(&mock, get("http://a/")).await).kind(),
        ErrorKind::ConnectionClosed
    );
    for code in [500, 200, 200] {
        assert_eq!(status(send(&mock, get("http://a/")).await), code);
    }
    assert_eq!(expected.calls(), 4);
}

#[tokio::test]
async fn an_expectation_that_is_full_leaves_the_rest_to_the_next() {
    let mock = MockService::new();
    mock.expect("*").times(1).answer(MockResponse::new(429));
    mock.expect("*").at_most(1).answer(MockResponse::new(503));
    mock.add_response("*", MockResponse::new(200));
    for code in [429, 503, 200] {
        assert_eq!(status(send(&mock, get("http://a/")).await), code);
    }
}

#[tokio::test]
async fn expectations_go_before_what_was_added_for_the_host() {
    let mock = MockService::new();
    mock.add_response("a", MockResponse::new(404));
    mock.expect("a").path("/x").answer(MockResponse::new(200));
    assert_eq!(status(send(&mock, get("http://a/x")).await), 200);
    assert_eq!(status(send(&mock, get("http://a/y")).await), 404);
}

#[tokio::test]
async fn an_answer_may_be_made_of_the_request() {
    let mock = MockService::new();
    mock.expect("a").answer_with(|request| MockResponse {
        body: request.text().to_uppercase().into(),
        ..Default::default()
    });
    mock.expect("b")
        .answer_with(|request| match request.method == GET {
            true => MockAnswer::from(MockResponse::new(200)),
            false => ErrorKind::StreamReset.into(),
        });
    let answer = send(&mock, post("http://a/", "loud")).await.unwrap();
    assert_eq!(answer.body().as_bytes().unwrap(), "LOUD");
    assert_eq!(status(send(&mock, get("http://b/")).await), 200);
    assert_eq!(
        error(send(&mock, post("http://b/", "")).await).kind(),
        ErrorKind::StreamReset
    );
}

#[tokio::test]
async fn an_error_by_kind_knows_the_origin_and_one_of_the_tests_own_stays_as_it_is() {
    let mock = MockService::new();
    mock.add_response("a", ErrorKind::Connect);
    let own = Error::new(ErrorKind::ConnectionClosed).with_request_sent(RequestSent::No);
    mock.add_response("b", own.with_resend());
    let connect = error(send(&mock, get("http://a:81/")).await);
    assert_eq!(connect.kind(), ErrorKind::Connect);
    assert_eq!(connect.origin().unwrap().as_str(), "http://a:81");
    let own = error(send(&mock, get("http://b/")).await);
    assert!(own.calls_for_resend());
    assert_eq!(own.request_sent(), RequestSent::No);
    assert_eq!(own.origin(), None);
}

#[tokio::test]
async fn an_answer_may_be_made_by_a_function_and_so_an_error_of_any_type() {
    let mock = MockService::new();
    mock.add_response("a", MockAnswer::from_fn(|| Err("of another type".into())));
    mock.add_response(
        "a",
        MockAnswer::from_fn(|| Ok(http::Response::new("own".into()))),
    );
    let foreign = send(&mock, get("http://a/")).await.unwrap_err();
    assert_eq!(foreign.to_string(), "of another type");
    assert!(Error::find(foreign.as_ref()).is_none());
    let own = send(&mock, get("http://a/")).await.unwrap();
    assert_eq!(own.body().as_bytes().unwrap(), "own");
}

#[tokio::test(start_paused = true)]
async fn answers_and_errors_wait_their_delay_by_tokios_clock() {
    let mock = MockService::new();
    mock.add_response(
        "a",
        MockResponse {
            delay: Duration::from_secs(2),
            ..Default::default()
        },
    );
    let late = MockAnswer::from(ErrorKind::ConnectTimeout).after(Duration::from_secs(3));
    mock.add_response("b", late);
    let begin = Instant::now();
    assert_eq!(status(send(&mock, get("http://a/")).await), 200);
    assert_eq!(begin.elapsed(), Duration::from_secs(2));
    assert_eq!(
        error(send(&mock, get("http://b/")).await).kind(),
        ErrorKind::ConnectTimeout
    );
    assert_eq!(begin.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_hangs_never_comes() {
    let mock = MockService::new();
    mock.add_response("a", MockAnswer::hang());
    let hour = Duration::from_secs(3600);
    let answer = tokio::time::timeout(hour, send(&mock, get("http://a/"))).await;
    assert!(answer.is_err());
    assert_eq!(mock.calls(), 1);
}

#[tokio::test]
async fn a_status_that_is_none_and_a_host_that_is_none_panic_where_they_are_set() {
    let mock = MockService::new();
    let panic = panic_of(|| mock.add_response("a", MockResponse::new(42)));
    assert_eq!(panic, "42 is no status of HTTP");
    let panic = panic_of(|| drop(mock.expect("a").answer(MockResponse::new(1000))));
    assert_eq!(panic, "1000 is no status of HTTP");
    let panic = panic_of(|| drop(mock.expect("a").answer_in_turn([])));
    assert_eq!(panic, "a mock needs an answer to give");
    let panic = panic_of(|| mock.add_response("a/path", MockResponse::new(200)));
    assert_eq!(
        panic,
        "`a/path` is no host of a mock: a path is given by `path`"
    );
    panic_of(|| mock.add_response("a b", MockResponse::new(200)));
    assert_eq!(
        panic_of(|| drop(mock.expect("a").header("x y", "z"))),
        "`x y` is no name of a header"
    );
}

#[tokio::test]
async fn a_test_can_wait_until_requests_have_come() {
    let mock = MockService::new();
    let expected = mock.expect("a").times(2).answer(MockAnswer::hang());
    let calls =
        ["http://a/1", "http://a/2"].map(|url| tokio::spawn(mock.clone().oneshot(get(url))));
    mock.called(2).await;
    expected.called(2).await;
    let paths = expected.requests();
    assert_eq!(paths.len(), 2);
    assert!(paths.iter().all(|request| request.path().len() == 2));
    calls.iter().for_each(|call| call.abort());
}

#[tokio::test]
#[should_panic(expected = "called without having been polled ready")]
async fn it_panics_when_it_is_called_unready() {
    let mut mock = MockService::new();
    let _ = mock.call(get("http://a/")).await;
}

#[tokio::test]
#[should_panic(expected = "called without having been polled ready")]
async fn a_clone_of_a_ready_mock_is_not_ready() {
    let mut mock = MockService::new();
    ServiceExt::<http::Request<standpipe_core::Body>>::ready(&mut mock)
        .await
        .unwrap();
    let _ = mock.clone().call(get("http://a/")).await;
}

#[tokio::test]
async fn a_panic_of_the_tests_own_code_harms_no_other_request() {
    let mock = MockService::new();
    mock.expect("a")
        .answer_with(|request| match request.path() {
            "/boom" => panic!("the test's own"),
            _ => MockResponse::new(200),
        });
    let call = tokio::spawn(mock.clone().oneshot(get("http://a/boom"))).await;
    assert!(call.unwrap_err().is_panic());
    assert_eq!(status(send(&mock, get("http://a/")).await), 200);
}
