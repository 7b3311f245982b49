//! What one part of the stack is there for: it is swapped, and the rest stays as it is shipped.

use standpipe::NoLayer;
use standpipe::mock::{MockAnswer, MockPool, MockResponse};
use standpipe_example_weather::{Report, WeatherClient, WeatherError, pool};

fn busy() -> MockAnswer {
    MockResponse::new(503).into()
}

async fn ask(mock: &MockPool) -> Result<Report, WeatherError> {
    let client = WeatherClient::new(mock.pool(), "https://weather.example.com/v1/", "k-7");
    client.unwrap().at("lisbon").await
}

#[tokio::test(start_paused = true)]
async fn the_retry_keeps_one_bad_answer_from_the_user() {
    let answers = [
        busy(),
        MockResponse {
            body: r#"{"celsius": 3, "sky": "snow"}"#.into(),
            ..Default::default()
        }
        .into(),
    ];
    let mock = MockPool::with(pool()).unwrap();
    let asked = mock.expect("weather.example.com").times(2);
    asked.answer_in_turn(answers.clone());
    assert_eq!(ask(&mock).await.unwrap().weather.sky, "snow");

    let without = pool().host_stack(|stack| stack.retry(NoLayer));
    let mock = MockPool::with(without).unwrap();
    let asked = mock.expect("weather.example.com").times(1);
    asked.answer_in_turn(answers);
    ask(&mock).await.unwrap_err();
}

#[tokio::test]
async fn the_circuit_breaker_leaves_an_api_alone_that_keeps_failing() {
    let pool = || pool().without_retry();
    let mock = MockPool::with(pool()).unwrap();
    mock.add_response("weather.example.com", busy());
    for _ in 0..20 {
        ask(&mock).await.unwrap_err();
    }
    assert_eq!(mock.calls(), 5);

    let without = pool().host_stack(|stack| stack.circuit_breaker(NoLayer));
    let mock = MockPool::with(without).unwrap();
    mock.add_response("weather.example.com", busy());
    for _ in 0..20 {
        ask(&mock).await.unwrap_err();
    }
    assert_eq!(mock.calls(), 20);
}
