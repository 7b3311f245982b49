//! What the application does as time goes by: the clock is paused, and goes on to what comes next when
//! nothing else can.

use std::time::Duration;

use standpipe::mock::{MockPool, MockResponse};
use standpipe_example_weather::{STALE_AFTER, WeatherClient, WeatherError, pool};
use tokio::time::{Instant, advance};

fn start() -> (MockPool, WeatherClient) {
    let mock = MockPool::with(pool()).unwrap();
    let client = WeatherClient::new(mock.pool(), "https://weather.example.com/v1/", "k-7");
    (mock, client.unwrap())
}

fn sunny() -> MockResponse {
    MockResponse {
        body: r#"{"celsius": 30, "sky": "sun"}"#.into(),
        ..Default::default()
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_that_takes_an_hour_is_waited_for_for_ten_seconds() {
    let (mock, client) = start();
    let answer = MockResponse {
        delay: Duration::from_secs(3_600),
        ..sunny()
    };
    mock.add_response("weather.example.com", answer);
    let begin = Instant::now();
    let error = client.at("lisbon").await.unwrap_err();
    assert_eq!(begin.elapsed(), Duration::from_secs(10));
    let WeatherError::Unavailable(error) = error else {
        panic!("{error}");
    };
    assert!(error.is_timeout(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_is_known_is_told_for_ten_minutes_and_no_longer() {
    let (mock, client) = start();
    mock.add_response("weather.example.com", sunny());
    mock.add_response("weather.example.com", MockResponse::new(500));
    assert_eq!(client.at("lisbon").await.unwrap().age, Duration::ZERO);

    advance(STALE_AFTER - Duration::from_secs(1)).await;
    let report = client.at("lisbon").await.unwrap();
    assert_eq!(report.weather.sky, "sun");
    assert_eq!(report.age, STALE_AFTER - Duration::from_secs(1));

    advance(Duration::from_secs(1)).await;
    client.at("lisbon").await.unwrap_err();
    assert_eq!(mock.calls(), 3);
}
