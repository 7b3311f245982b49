use std::time::Duration;

use http::Method;
use serde_json::json;
use standpipe::mock::{MockAnswer, MockBody, MockPool, MockResponse};
use standpipe::{ErrorKind, Phase, Pool};
use tokio::time::Instant;

use crate::{URL, level};

#[tokio::test]
async fn a_response_written_as_a_literal_is_what_the_caller_gets() {
    let mock = MockPool::new();
    mock.add_response(
        "api.example.com",
        MockResponse {
            status: 200,
            body: r#"{"result":"success"}"#.into(),
            ..Default::default()
        },
    );
    let response = level(&mock.pool()).await.unwrap();
    assert_eq!(response.status(), 200);
    let body: serde_json::Value = response.json().await.unwrap();
    assert_eq!(body, json!({ "result": "success" }));
}

#[tokio::test]
async fn headers_and_json_arrive_and_other_hosts_have_answers_of_their_own() {
    let mock = MockPool::default();
    mock.add_response(
        "api.example.com",
        MockResponse::json(201, json!({ "id": 7 })),
    );
    mock.add_response(
        "other.example.com",
        MockResponse {
            status: 404,
            headers: [("x-reason", "none there")].into(),
            ..Default::default()
        },
    );
    let made = level(&mock.pool()).await.unwrap();
    assert_eq!(made.headers()["content-type"], "application/json");
    assert_eq!(made.text().await.unwrap(), r#"{"id":7}"#);
    let other = mock.pool().get("http://other.example.com/").send().await;
    let other = other.unwrap();
    assert_eq!(other.status(), 404);
    assert_eq!(other.headers()["x-reason"], "none there");
}

#[tokio::test]
async fn answers_come_in_turn_and_the_last_from_then_on() {
    let mock = MockPool::new();
    let asked = mock.expect("api.example.com").times(4).answer_in_turn([
        MockResponse::new(202).into(),
        ErrorKind::ConnectionClosed.into(),
        MockResponse::new(200).into(),
    ]);
    let pool = mock.pool();
    let mut got = Vec::new();
    for _ in 0..4 {
        let answer = level(&pool).await;
        got.push(
            answer
                .map(|answer| answer.status().as_u16())
                .map_err(|error| error.kind()),
        );
    }
    assert_eq!(
        got,
        [Ok(202), Err(ErrorKind::ConnectionClosed), Ok(200), Ok(200)]
    );
    assert_eq!(asked.calls(), 4);
}

#[tokio::test]
async fn what_the_pool_sends_is_matched_and_kept() {
    let mock = MockPool::new();
    let orders = mock
        .expect("https://shop.example.com")
        .method(Method::POST)
        .path("/orders")
        .query("dry", "yes")
        .header("authorization", "Bearer t")
        .json(json!({ "item": "pump" }))
        .answer(MockResponse::new(201));
    let request = mock
        .pool()
        .post("https://shop.example.com/orders")
        .query(&[("dry", "yes")])
        .bearer_auth("t")
        .json(&json!({ "item": "pump" }));
    assert_eq!(request.send().await.unwrap().status(), 201);
    let sent = &orders.requests()[0];
    assert_eq!(sent.header("content-type"), Some("application/json"));
    assert_eq!(sent.text(), r#"{"item":"pump"}"#);
}

#[tokio::test(start_paused = true)]
async fn a_delay_passes_by_the_clock_that_is_paused() {
    let mock = MockPool::new();
    mock.add_response(
        "api.example.com",
        MockResponse {
            delay: Duration::from_secs(40),
            ..Default::default()
        },
    );
    let begin = Instant::now();
    level(&mock.pool()).await.unwrap();
    assert_eq!(begin.elapsed(), Duration::from_secs(40));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_gets_no_answer_ends_at_its_timeout() {
    let mock = MockPool::new();
    mock.add_response("api.example.com", MockAnswer::hang());
    let begin = Instant::now();
    let request = mock.pool().get(URL).timeout(Duration::from_secs(9));
    let error = request.send().await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(begin.elapsed(), Duration::from_secs(9));
    assert_eq!(mock.calls(), 1);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_of_the_body() {
    let mock = MockPool::new();
    mock.add_response(
        "api.example.com",
        MockResponse {
            body: MockBody::stream()
                .chunk("half")
                .fail(ErrorKind::ConnectionClosed),
            ..Default::default()
        },
    );
    let response = level(&mock.pool()).await.unwrap();
    let error = response.bytes().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionClosed);
    assert_eq!(error.phase(), Some(Phase::Body));
}

#[tokio::test]
async fn the_pool_is_a_real_one_that_outlives_the_mock_and_may_be_shut_down() {
    let mock = MockPool::new();
    mock.add_response("api.example.com", MockResponse::new(200));
    let pool: Pool = mock.pool();
    drop(mock);
    assert_eq!(level(&pool).await.unwrap().status(), 200);
    assert!(pool.transport().is_none());
    pool.shutdown(Duration::ZERO).await;
    let refused = level(&pool).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Shutdown);
}
