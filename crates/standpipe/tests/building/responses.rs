//! What a response tells beside its body.

use std::time::Duration;

use http::{StatusCode, Version};
use http_body_util::Full;
use standpipe::{Body, ErrorKind, Phase, RequestSent, Response};
use standpipe_test::Server;
use standpipe_test::memory::Network;

use crate::support::{URL, echo, on};

fn answering(network: &Network, status: u16, headers: &'static [(&str, &str)]) -> Server {
    Server::builder()
        .handler(move |_| async move {
            let mut response = http::Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(*name, *value);
            }
            response.body(Full::from("why")).unwrap()
        })
        .start_on(network.listen("a.test:80"))
}

/// SMG-06
#[tokio::test(start_paused = true)]
async fn a_status_of_failure_is_an_error_for_those_who_ask() {
    let network = Network::new();
    let _server = answering(&network, 429, &[("retry-after", "120")]);
    let pool = on(&network).max_retries(2).build().unwrap();
    let url = "http://a.test/v1/things?key=hunter2";
    let response = pool.get(url).no_retry().send().await.unwrap();
    let by_ref = response.error_for_status_ref().unwrap_err();
    assert_eq!(response.text().await.unwrap(), "why");
    let response = pool.get(url).no_retry().send().await.unwrap();
    let error = response.error_for_status().unwrap_err();
    assert_eq!(by_ref.to_string(), error.to_string());
    assert_eq!(error.status(), Some(StatusCode::TOO_MANY_REQUESTS));
    assert!(error.is_status() && !error.is_timeout());
    assert_eq!(error.retry_after(), Some(Duration::from_secs(120)));
    assert_eq!(
        (error.phase(), error.request_sent()),
        (Some(Phase::Exchange), RequestSent::Yes)
    );
    assert_eq!(error.origin().unwrap().as_str(), "http://a.test");
    assert_eq!(
        error.to_string(),
        "the server answered 429 Too Many Requests (http://a.test/v1/things)"
    );
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[tokio::test(start_paused = true)]
async fn the_error_of_a_status_knows_the_attempts_that_were_made() {
    let network = Network::new();
    let server = answering(&network, 503, &[]);
    let pool = on(&network).max_retries(2).build().unwrap();
    let response = pool.get(URL).send().await.unwrap();
    let info = response.retry_info().unwrap();
    let error = response.error_for_status().unwrap_err();
    assert_eq!((error.attempts(), error.retry_info()), (3, Some(info)));
    assert_eq!(server.stats().requests, 3);
    assert!(error.to_string().ends_with("after 3 attempts"), "{error}");
}

#[test]
fn a_status_that_is_no_failure_is_none() {
    for status in [200, 204, 299, 301, 304, 399] {
        let response = http::Response::builder().status(status);
        let response: Response = response.body(Body::empty()).unwrap().into();
        assert!(response.error_for_status_ref().is_ok(), "{status}");
        assert_eq!(response.error_for_status().unwrap().status(), status);
    }
    for status in [400, 404, 499, 500, 599] {
        let response = http::Response::builder().status(status);
        let response: Response = response.body(Body::empty()).unwrap().into();
        let error = response.error_for_status().unwrap_err();
        assert_eq!(error.status().unwrap(), status);
        assert_eq!((error.url(), error.origin()), (None, None));
    }
}

#[tokio::test]
async fn a_response_tells_its_url_its_length_its_server_and_its_version() {
    // A real socket, since one in memory has no address.
    let server = Server::builder().handler(echo).start().await;
    let pool = standpipe::Pool::new();
    let url = format!("{}?q", server.url("/x"));
    let response = pool.get(&url).send().await.unwrap();
    assert_eq!(response.url(), url.as_str());
    assert_eq!(response.remote_addr(), Some(server.addr()));
    assert_eq!(response.version(), Version::HTTP_11);
    let length = response.content_length().unwrap();
    assert_eq!(response.bytes().await.unwrap().len() as u64, length);
}

#[tokio::test]
async fn a_response_that_was_made_elsewhere_is_read_like_any_other() {
    let made = http::Response::builder()
        .status(201)
        .header("x-a", "1")
        .body(Full::<bytes::Bytes>::from("\u{feff}text"))
        .unwrap();
    let response = Response::from(made);
    assert_eq!(
        (response.status(), response.url().path()),
        (StatusCode::CREATED, "/")
    );
    assert_eq!(
        (response.content_length(), response.remote_addr()),
        (None, None)
    );
    assert_eq!(response.headers()["x-a"], "1");
    // A byte order mark is no part of the text.
    assert_eq!(response.text().await.unwrap(), "text");
    let large = http::Response::new(Full::<bytes::Bytes>::from(vec![b'x'; 65 * 1024 * 1024]));
    let error = Response::from(large).bytes().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::BodyTooLarge { .. }));
    for length in ["x", "-1", "99999999999999999999"] {
        let made = http::Response::builder().header("content-length", length);
        let response = Response::from(made.body(Body::empty()).unwrap());
        assert_eq!(response.content_length(), None);
    }
}

/// SMG-06
#[tokio::test(start_paused = true)]
async fn an_error_of_the_way_names_the_url_without_its_query() {
    let network = Network::new();
    let pool = on(&network).max_retries(0).build().unwrap();
    let error = pool
        .get("http://a.test/x?key=hunter2")
        .send()
        .await
        .unwrap_err();
    assert!(error.is_connect(), "{error}");
    assert_eq!(error.url(), Some("http://a.test/x"));
    assert!(error.to_string().contains("(http://a.test/x)"), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}
