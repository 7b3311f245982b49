use std::time::Duration;

use http::{HeaderValue, Request};
use standpipe::mock::{MockPool, MockResponse};
use standpipe::{Body, CircuitBreakerConfig, ErrorKind, NoLayer, Pool};
use tokio::time::Instant;
use tower::util::MapRequestLayer;

use crate::level;

#[tokio::test]
async fn each_request_comes_to_the_mock_once_unless_the_pool_is_set_up_otherwise() {
    let mock = MockPool::new();
    mock.add_response("api.example.com", MockResponse::new(503));
    for calls in 1..=20 {
        assert_eq!(level(&mock.pool()).await.unwrap().status(), 503);
        assert_eq!(mock.calls(), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn the_retries_of_the_pool_are_in_force_over_the_mock() {
    let builder = Pool::builder().max_retries(2).retry_jitter(0.0);
    let mock = MockPool::with(builder.initial_retry_delay(Duration::from_secs(1))).unwrap();
    let asked = mock.expect("api.example.com").times(3).answer_in_turn([
        MockResponse::new(503).into(),
        ErrorKind::Connect.into(),
        MockResponse::new(200).into(),
    ]);
    let begin = Instant::now();
    let response = level(&mock.pool()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.retry_info().unwrap().attempts, 3);
    assert_eq!(begin.elapsed(), Duration::from_secs(1 + 2));
    let at: Vec<_> = asked
        .requests()
        .iter()
        .map(|sent| sent.at - begin)
        .collect();
    assert_eq!(at, [0, 1, 3].map(Duration::from_secs));
}

#[tokio::test(start_paused = true)]
async fn the_circuit_breaker_keeps_requests_from_the_mock() {
    let breaker = CircuitBreakerConfig::new().threshold(2);
    let builder = Pool::builder().without_retry().circuit_breaker(breaker);
    let mock = MockPool::with(builder).unwrap();
    mock.expect("api.example.com")
        .times(2)
        .answer(ErrorKind::Connect);
    for _ in 0..2 {
        level(&mock.pool()).await.unwrap_err();
    }
    assert!(level(&mock.pool()).await.unwrap_err().is_circuit_open());
}

#[tokio::test]
async fn what_the_mock_answers_is_counted() {
    let mock = MockPool::new();
    mock.expect("api.example.com").times(3).answer_in_turn([
        MockResponse {
            body: "12345".into(),
            ..Default::default()
        }
        .into(),
        MockResponse::new(500).into(),
        ErrorKind::ConnectionClosed.into(),
    ]);
    let pool = mock.pool();
    assert_eq!(level(&pool).await.unwrap().bytes().await.unwrap().len(), 5);
    assert_eq!(level(&pool).await.unwrap().bytes().await.unwrap().len(), 0);
    level(&pool).await.unwrap_err();

    let requests = pool
        .host_metrics("api.example.com")
        .unwrap()
        .figures
        .requests;
    assert_eq!(
        (requests.total, requests.successful, requests.failed),
        (3, 1, 2)
    );
    assert_eq!(
        (requests.statuses.success, requests.statuses.server_error),
        (1, 1)
    );
    assert_eq!((requests.errors, requests.bytes_in), (1, 5));
    assert_eq!(pool.metrics().requests.total, 3);
}

#[tokio::test]
async fn layers_of_the_tests_own_stand_over_the_mock() {
    let mark = MapRequestLayer::new(|mut request: Request<Body>| {
        request
            .headers_mut()
            .insert("x-mark", HeaderValue::from_static("1"));
        request
    });
    let builder = Pool::builder()
        .layer(mark)
        .host_stack(|stack| stack.retry(NoLayer));
    let mock = MockPool::with(builder).unwrap();
    mock.expect("api.example.com")
        .header("x-mark", "1")
        .answer(MockResponse::new(503));
    assert_eq!(level(&mock.pool()).await.unwrap().status(), 503);
}

#[test]
fn settings_that_are_out_of_range_are_refused_as_by_the_builder() {
    let error = MockPool::with(Pool::builder().retry_jitter(1.5)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("retry_jitter"), "{error}");
}

#[tokio::test]
async fn its_debug_shows_what_is_expected_and_how_much_came() {
    let mock = MockPool::new();
    mock.expect("api.example.com")
        .path("/v1/level")
        .answer(MockResponse::new(200));
    level(&mock.pool()).await.unwrap();
    let shown = format!("{mock:?}");
    assert!(shown.starts_with("MockPool"), "{shown}");
    assert!(
        shown.contains("path /v1/level") && shown.contains("calls: 1"),
        "{shown}"
    );
}
