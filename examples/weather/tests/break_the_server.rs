//! What the application does when a connection misbehaves: a server that fails by script, on a network in
//! memory.

use std::time::Duration;

use standpipe::{ErrorKind, Phase};
use standpipe_example_weather::{STALE_AFTER, WeatherClient, WeatherError, pool};
use standpipe_test::faults::{At, Fault, FaultServer, FaultServerBuilder, Reply};
use standpipe_test::memory::Network;

fn server() -> FaultServerBuilder {
    FaultServer::builder().reply(Reply::new(200).body(r#"{"celsius": 8, "sky": "rain"}"#))
}

/// The application as it is shipped, but for how it dials.
fn start(server: FaultServerBuilder) -> (FaultServer, WeatherClient) {
    let network = Network::new();
    let server = server.start_on(network.listen("weather.example.com:80"));
    let pool = pool().connector(network.connector()).build().unwrap();
    let client = WeatherClient::new(pool, "http://weather.example.com/v1/", "k-7").unwrap();
    (server, client)
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_before_the_answer_costs_a_second_request() {
    let (server, client) = start(server().request(0, Fault::Reset(At::BeforeHead)));
    assert_eq!(client.at("lisbon").await.unwrap().weather.sky, "rain");
    assert_eq!(server.stats().requests, 2);
}

#[tokio::test]
async fn half_an_answer_is_none() {
    let (_server, client) = start(server().request(0, Fault::Close(At::Body(10))));
    let error = client.at("lisbon").await.unwrap_err();
    let WeatherError::Unavailable(error) = error else {
        panic!("{error}");
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionClosed);
    assert_eq!(error.phase(), Some(Phase::Body));
    // And the next one has a connection of its own.
    client.at("lisbon").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn when_the_server_falls_silent_what_is_known_is_told() {
    let (_server, client) = start(server().request(1, Fault::Stall(At::Body(10))));
    client.at("lisbon").await.unwrap();
    let report = client.at("lisbon").await.unwrap();
    assert_eq!(report.weather.sky, "rain");
    assert_eq!(report.age, Duration::from_secs(10));
    assert!(report.age < STALE_AFTER);
}
