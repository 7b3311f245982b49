use std::time::Duration;

use bytes::Bytes;
use http_body::Body as _;
use http_body_util::{BodyExt, StreamBody};
use standpipe_core::{Body, BoxError, Error, ErrorKind, Phase, RequestSent};
use tokio::time::Instant;

use super::{error, get, post, send};
use crate::mock::{MockBody, MockResponse, MockService};

fn with_body(body: impl Into<MockBody>) -> MockService {
    let mock = MockService::new();
    mock.add_response(
        "a",
        MockResponse {
            body: body.into(),
            ..Default::default()
        },
    );
    mock
}

#[tokio::test]
async fn a_body_of_bytes_is_there_at_once_with_its_length() {
    for body in [
        MockBody::from("hello"),
        String::from("hello").into(),
        b"hello".as_slice().into(),
        b"hello".to_vec().into(),
        Bytes::from("hello").into(),
    ] {
        let answer = send(&with_body(body), get("http://a/")).await.unwrap();
        assert_eq!(answer.body().as_bytes().unwrap(), "hello");
    }
    let empty = send(&with_body(""), get("http://a/")).await.unwrap();
    assert!(empty.body().is_end_stream());
}

#[tokio::test(start_paused = true)]
async fn a_streamed_body_comes_chunk_by_chunk_and_at_its_time() {
    let body = MockBody::stream()
        .chunk("one")
        .wait(Duration::from_secs(2))
        .chunk("two");
    let answer = send(&with_body(body), get("http://a/")).await.unwrap();
    let mut body = answer.into_body();
    let begin = Instant::now();
    assert_eq!(body.size_hint().exact(), None);
    for (chunk, at) in [("one", 0), ("two", 2)] {
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), chunk);
        assert_eq!(begin.elapsed().as_secs(), at);
    }
    assert!(body.is_end_stream());
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_body_may_fail_midway() {
    let body = MockBody::from("half")
        .fail(ErrorKind::ConnectionClosed)
        .chunk("never");
    let answer = send(&with_body(body), get("http://a/")).await.unwrap();
    let mut body = answer.into_body();
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "half"
    );
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionClosed);
    assert_eq!(error.phase(), Some(Phase::Body));
    assert_eq!(error.request_sent(), RequestSent::Yes);
    assert_eq!(error.origin().unwrap().as_str(), "http://a");
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_body_may_fail_with_an_error_of_the_tests_own() {
    let own = Error::new(ErrorKind::Protocol).with_message("as the test says");
    let body = MockBody::stream().fail_with(own);
    let answer = send(&with_body(body), get("http://a/")).await.unwrap();
    let error = answer.into_body().frame().await.unwrap().unwrap_err();
    assert_eq!(error.phase(), None);
    assert!(error.to_string().contains("as the test says"));
}

#[tokio::test(start_paused = true)]
async fn a_body_may_fall_silent_for_ever() {
    let body = MockBody::stream().chunk("one").hang();
    let mut body = send(&with_body(body), get("http://a/"))
        .await
        .unwrap()
        .into_body();
    assert!(body.frame().await.is_some());
    for _ in 0..2 {
        let next = tokio::time::timeout(Duration::from_secs(3600), body.frame()).await;
        assert!(next.is_err());
    }
}

#[tokio::test]
async fn trailers_follow_the_body() {
    let mock = MockService::new();
    mock.add_response(
        "a",
        MockResponse {
            headers: [("x-a", "1"), ("x-a", "2")].into(),
            body: "ok".into(),
            trailers: [("grpc-status", "0")].into(),
            ..Default::default()
        },
    );
    let answer = send(&mock, get("http://a/")).await.unwrap();
    assert_eq!(answer.headers().get_all("x-a").iter().count(), 2);
    let body = answer.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(body.to_bytes(), "ok");
}

#[tokio::test]
async fn a_request_is_kept_with_its_body_and_trailers() {
    let mock = with_body("ok");
    let frames = [
        Ok::<_, Error>(http_body::Frame::data(Bytes::from("one "))),
        Ok(http_body::Frame::data(Bytes::from("two"))),
        Ok(http_body::Frame::trailers(
            [("x-sum".parse().unwrap(), "3".parse().unwrap())]
                .into_iter()
                .collect(),
        )),
    ];
    let body = Body::new(StreamBody::new(Frames(frames.into_iter().collect())));
    let mut request = post("http://a/up?x=1&y=a%20b+c%zz", body);
    request.headers_mut().insert("x-h", "v".parse().unwrap());
    request.extensions_mut().insert(7_u8);
    send(&mock, request).await.unwrap();
    let [seen] = mock.requests().try_into().unwrap();
    assert_eq!((seen.path(), seen.header("X-H")), ("/up", Some("v")));
    assert_eq!(seen.query("y").unwrap(), "a b c%zz");
    assert_eq!(seen.query("z"), None);
    assert_eq!(seen.text(), "one two");
    assert_eq!(seen.trailers.as_ref().unwrap()["x-sum"], "3");
    assert_eq!(seen.extensions.get(), Some(&7_u8));
    assert_eq!(
        seen.to_string(),
        "POST http://a/up?x=1&y=a%20b+c%zz with a body of 7 bytes"
    );
}

#[tokio::test]
async fn a_request_whose_body_fails_is_not_received_and_its_error_comes_back() {
    let mock = with_body("ok");
    let body = Body::new(StreamBody::new(Frames::<BoxError>(
        [Err("lost".into())].into(),
    )));
    let error = error(send(&mock, post("http://a/", body)).await);
    assert_eq!(error.kind(), ErrorKind::RequestBody);
    assert_eq!(mock.calls(), 0);

    // A body whose errors are not ours.
    let foreign = StreamBody::new(Frames::<BoxError>([Err("lost".into())].into()));
    let request = http::Request::post("http://a/").body(foreign).unwrap();
    let answer = tower::ServiceExt::oneshot(mock.clone(), request).await;
    let error = Error::from_boxed(answer.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::RequestBody);
    assert_eq!(
        std::error::Error::source(&error).unwrap().to_string(),
        "lost"
    );
}

/// Frames as a stream.
struct Frames<E>(std::collections::VecDeque<Result<http_body::Frame<Bytes>, E>>);

impl<E: Unpin> futures_core::Stream for Frames<E> {
    type Item = Result<http_body::Frame<Bytes>, E>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.pop_front())
    }
}
