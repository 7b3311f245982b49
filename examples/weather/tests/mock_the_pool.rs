//! What the application does with an answer, and what it sends: the pool is a mock.

use standpipe::ErrorKind;
use standpipe::http::Method;
use standpipe::mock::{MockPool, MockResponse};
use standpipe_example_weather::{WeatherClient, WeatherError};

const BASE: &str = "https://weather.example.com/v1/";

fn client(mock: &MockPool) -> WeatherClient {
    WeatherClient::new(mock.pool(), BASE, "k-7").unwrap()
}

#[tokio::test]
async fn it_asks_for_the_place_with_its_key_and_reads_the_answer() {
    let mock = MockPool::new();
    mock.expect("weather.example.com")
        .method(Method::GET)
        .path("/v1/places/lisbon")
        .header("x-api-key", "k-7")
        .answer(MockResponse {
            status: 200,
            body: r#"{"celsius": 21.5, "sky": "clear"}"#.into(),
            ..Default::default()
        });
    let report = client(&mock).at("lisbon").await.unwrap();
    assert_eq!(
        (report.weather.celsius, report.weather.sky.as_str()),
        (21.5, "clear")
    );
}

#[tokio::test]
async fn a_place_that_the_api_does_not_know_is_told_as_such() {
    let mock = MockPool::new();
    mock.add_response("weather.example.com", MockResponse::new(404));
    let error = client(&mock).at("atlantis").await.unwrap_err();
    assert!(matches!(error, WeatherError::NoSuchPlace), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_no_weather_is_a_failure_of_the_api() {
    let mock = MockPool::new();
    mock.add_response(
        "weather.example.com",
        MockResponse {
            body: "<html>busy</html>".into(),
            ..Default::default()
        },
    );
    let error = client(&mock).at("lisbon").await.unwrap_err();
    let WeatherError::Unavailable(error) = error else {
        panic!("{error}");
    };
    assert_eq!(error.kind(), ErrorKind::Decode);
}
