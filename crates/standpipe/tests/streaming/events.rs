//! Server-sent events. What the decoder makes of bytes is tested beside it.

use std::time::Duration;

use http::StatusCode;
use http_body_util::Full;
use standpipe::sse::{ErrorEvent, Events};
use standpipe::{Error, ErrorKind, Phase, Pool, PoolBuilder, Protocol, RequestSent, Response};
use standpipe_test::memory::Network;
use standpipe_test::{H2Peer, Server, h2peer};

use crate::Streaming;
use crate::support::{URL, on, pool_and_listener, secs, settle};

const EVENTS: &str = "content-type: text/event-stream\r\n";

async fn begin() -> (Streaming, Events) {
    begin_with(|builder| builder).await
}

async fn begin_with(configure: impl FnOnce(PoolBuilder) -> PoolBuilder) -> (Streaming, Events) {
    let (streaming, response) = Streaming::begin(EVENTS, configure).await;
    (streaming, response.events().unwrap())
}

async fn data(events: &mut Events) -> String {
    events.next().await.unwrap().unwrap().into_data()
}

async fn failure(events: &mut Events) -> Error {
    let error = events.next().await.unwrap().unwrap_err();
    assert_eq!(error.phase(), Some(Phase::Body));
    assert_eq!(error.request_sent(), RequestSent::Yes);
    assert_eq!(error.url(), Some(URL));
    error
}

/// SSE-01, SSE-05
#[tokio::test(start_paused = true)]
async fn events_come_one_by_one_however_the_bytes_are_cut() {
    let (mut streaming, mut events) = begin().await;
    for byte in "event: a\r\ndata: \u{20ac}\r\rid: 7\ndata: 2\n\n".bytes() {
        streaming.chunk([byte]).await;
        settle().await;
    }
    let first = events.next().await.unwrap().unwrap();
    assert_eq!(
        (first.name(), first.data(), first.id()),
        ("a", "\u{20ac}", "")
    );
    assert_eq!(events.last_event_id(), "");
    assert_eq!(data(&mut events).await, "2");
    assert_eq!(events.last_event_id(), "7");
    assert_eq!(events.events_read(), 2);
    streaming.chunk("data: 3\n\ndata: 4\n\n").await;
    assert_eq!(data(&mut events).await, "3");
    assert_eq!(data(&mut events).await, "4");
    streaming.chunk("data: cut sho").await;
    streaming.end().await;
    // What was begun is no event, and without a last event to wait for the end is one.
    assert!(events.next().await.is_none() && events.next().await.is_none());
    streaming.kept();
}

#[cfg(feature = "json")]
#[tokio::test(start_paused = true)]
async fn the_data_of_an_event_is_read_as_json() {
    let (mut streaming, mut events) = begin().await;
    streaming
        .chunk("data: {\"a\":\ndata: [1, 2]}\n\ndata: hunter2\n\n")
        .await;
    let event = events.next().await.unwrap().unwrap();
    let json: serde_json::Value = event.json().unwrap();
    assert_eq!(json, serde_json::json!({"a": [1, 2]}));
    let event = events.next().await.unwrap().unwrap();
    let error = event.json::<u32>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(!error.to_string().contains("hunter2"));
}

/// SSE-06
#[tokio::test(start_paused = true)]
async fn a_line_or_an_event_over_its_limit_ends_the_stream() {
    for (text, kind) in [
        ("data: 34567\n\n", ErrorKind::LineTooLong { limit: 10 }),
        (": 345678901", ErrorKind::LineTooLong { limit: 10 }),
        (
            "data: 1\ndata: 2\ndata: 3\n",
            ErrorKind::EventTooLarge { limit: 4 },
        ),
    ] {
        let (mut streaming, events) = begin().await;
        let mut events = events.max_line_bytes(10).max_event_bytes(4);
        streaming.chunk("data: 1234\n\n").await;
        streaming.chunk(text).await;
        assert_eq!(data(&mut events).await, "1234");
        let error = failure(&mut events).await;
        assert_eq!(error.kind(), kind, "{text:?}");
        assert!(error.is_decode() && error.is_body());
        assert!(events.next().await.is_none());
        streaming.closed().await;
    }
}

/// SSE-07
#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_before_its_last_event_is_incomplete() {
    let (mut streaming, events) = begin().await;
    let mut events = events.ends_when(|event| event.data() == "[DONE]");
    streaming
        .chunk("data: 1\n\ndata: 2\n\ndata: [DONE]\n")
        .await;
    streaming.end().await;
    assert_eq!(data(&mut events).await, "1");
    assert_eq!(data(&mut events).await, "2");
    let error = failure(&mut events).await;
    assert_eq!(error.kind(), ErrorKind::StreamIncomplete { events: 2 });
    assert!(events.next().await.is_none());
}

/// SSE-07
#[tokio::test(start_paused = true)]
async fn the_last_event_is_given_and_ends_the_stream_and_the_connection_is_kept() {
    for last in ["event: message_stop\ndata: {}\n\n", "data: [DONE]\n\n"] {
        let (mut streaming, events) = begin().await;
        let mut events =
            events.ends_when(|event| event.name() == "message_stop" || event.data() == "[DONE]");
        streaming
            .chunk(format!("data: 1\n\n{last}data: after\n\n"))
            .await;
        assert_eq!(data(&mut events).await, "1");
        assert!(["{}", "[DONE]"].contains(&data(&mut events).await.as_str()));
        // The end of the body comes a moment later.
        let ending = tokio::spawn(async move { (events.next().await.is_none(), events) });
        settle().await;
        tokio::time::advance(Duration::from_millis(50)).await;
        streaming.end().await;
        assert!(ending.await.unwrap().0);
        streaming.kept();
    }
}

/// SSE-07
#[tokio::test(start_paused = true)]
async fn a_body_that_goes_on_after_the_last_event_is_not_waited_for() {
    let (mut streaming, events) = begin().await;
    let mut events = events.ends_when(|event| event.data() == "[DONE]");
    streaming.chunk("data: [DONE]\n\n").await;
    assert_eq!(data(&mut events).await, "[DONE]");
    let begun = tokio::time::Instant::now();
    assert!(events.next().await.is_none());
    assert!(begun.elapsed() <= Duration::from_millis(101));
    streaming.closed().await;
}

/// SSE-08
#[tokio::test(start_paused = true)]
async fn an_event_that_tells_of_a_failure_is_an_error_with_all_it_says() {
    let (mut streaming, events) = begin().await;
    let mut events = events.ends_when(|event| event.data() == "[DONE]");
    let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"hunter2"}}"#;
    streaming
        .chunk(format!(
            "data: 1\n\nevent: error\ndata: {body}\n\ndata: 2\n\n"
        ))
        .await;
    assert_eq!(data(&mut events).await, "1");
    let error = failure(&mut events).await;
    assert_eq!(error.kind(), ErrorKind::StreamError);
    let event = ErrorEvent::of(&error).expect("the event");
    assert_eq!((event.name(), event.data()), ("error", body));
    let source = std::error::Error::source(&error).unwrap();
    let shown = format!("{error} {error:?} {source} {source:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    // What comes after it is given, and the failure is told once.
    assert_eq!(data(&mut events).await, "2");
    streaming.end().await;
    assert!(events.next().await.is_none());
}

/// A stream of `body`, as it is answered each time.
fn always(network: &Network, body: &'static str) -> Server {
    Server::builder()
        .handler(move |_| async move {
            http::Response::builder()
                .header("content-type", "text/event-stream")
                .body(Full::from(body))
                .unwrap()
        })
        .start_on(network.listen("a.test:80"))
}

/// SSE-08
#[tokio::test(start_paused = true)]
async fn streams_that_fail_in_a_row_open_the_circuit_though_each_head_was_a_success() {
    for (body, opens) in [
        ("event: error\ndata: overloaded\n\n", true),
        ("data: cut short\n\n", true),
        ("data: [DONE]\n\n", false),
    ] {
        let network = Network::new();
        let server = always(&network, body);
        let breaker = standpipe::CircuitBreakerConfig::new().threshold(3);
        let pool = on(&network).circuit_breaker(breaker).build().unwrap();
        for _ in 0..3 {
            let response = pool.get(URL).send_streaming().await.unwrap();
            let events = response.events().unwrap();
            let mut events = events.ends_when(|event| event.data() == "[DONE]");
            while events.next().await.is_some() {}
        }
        let next = pool.get(URL).send_streaming().await;
        assert_eq!(
            next.is_err_and(|error| error.is_circuit_open()),
            opens,
            "{body:?}"
        );
        assert_eq!(server.stats().requests, if opens { 3 } else { 4 });
    }
}

/// SSE-08
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_dropped_or_passes_a_limit_says_nothing_of_the_server() {
    let network = Network::new();
    let _server = always(&network, "data: 12345\n\n");
    let breaker = standpipe::CircuitBreakerConfig::new().threshold(1);
    let pool = on(&network).circuit_breaker(breaker).build().unwrap();
    for limit in [3, 100] {
        let response = pool.get(URL).send_streaming().await.unwrap();
        let mut events = response.events().unwrap().max_line_bytes(limit);
        assert_eq!(events.next().await.unwrap().is_err(), limit == 3);
    }
    assert!(pool.get(URL).send_streaming().await.is_ok());
}

/// SSE-08
#[tokio::test(start_paused = true)]
async fn the_user_says_which_events_tell_of_a_failure() {
    let (mut streaming, events) = begin().await;
    let mut events = events.fails_when(|event| event.data().starts_with(r#"{"error"#));
    streaming
        .chunk("event: error\ndata: mine\n\ndata: {\"error\": 1}\n\n")
        .await;
    assert_eq!(data(&mut events).await, "mine");
    assert_eq!(failure(&mut events).await.kind(), ErrorKind::StreamError);
}

/// SSE-09
#[tokio::test(start_paused = true)]
async fn a_silence_is_stream_idle_with_what_came_and_a_comment_ends_it() {
    let (mut streaming, mut events) = begin_with(|b| b.body_idle_timeout(Some(secs(30)))).await;
    let reading = tokio::spawn(async move {
        let begun = tokio::time::Instant::now();
        let mut read = Vec::new();
        let error = loop {
            match events.next().await.expect("an error first") {
                Ok(event) => read.push(event.into_data()),
                Err(error) => break error,
            }
        };
        assert!(events.next().await.is_none());
        (read, error, begun.elapsed())
    });
    streaming.chunk("data: 1\n\n").await;
    for ping in [": ping\n\n", "event: ping\n\n", ":", "\n"] {
        settle().await;
        tokio::time::advance(secs(29)).await;
        streaming.chunk(ping).await;
    }
    settle().await;
    let (read, error, took) = reading.await.unwrap();
    assert_eq!(read, ["1"]);
    let bytes = "data: 1\n\n: ping\n\nevent: ping\n\n:\n".len() as u64;
    assert_eq!(error.kind(), ErrorKind::StreamIdle { bytes, events: 1 });
    assert!(error.is_timeout() && error.is_body());
    assert_eq!(took.as_secs(), 4 * 29 + 30);
    streaming.closed().await;
}

/// SSE-10
#[tokio::test(start_paused = true)]
async fn dropping_the_events_closes_an_http1_connection_at_once() {
    let (mut streaming, mut events) = begin().await;
    streaming.chunk("data: 1\n\n").await;
    assert_eq!(data(&mut events).await, "1");
    assert_eq!(streaming.pool.stats().total.active, 1);
    let begun = tokio::time::Instant::now();
    drop(events);
    streaming.closed().await;
    assert!(begun.elapsed().is_zero());
}

/// SSE-10
#[tokio::test(start_paused = true)]
async fn dropping_the_events_resets_an_http2_stream_at_once() {
    let (network, listener, pool) = pool_and_listener(|b| b.protocol(Protocol::Http2));
    let sending = tokio::spawn(pool.get(URL).send_streaming());
    let mut peer = H2Peer::accept(listener.accept().await, &[]).await.unwrap();
    let stream = peer.request().await.unwrap();
    let head = [(":status", "200"), ("content-type", "text/event-stream")];
    peer.head(stream, &head, false).await.unwrap();
    peer.data(stream, "data: 1\n\n", false).await.unwrap();
    let mut events = sending.await.unwrap().unwrap().events().unwrap();
    assert_eq!(data(&mut events).await, "1");
    drop(events);
    let reset = peer.next(h2peer::kind::RST_STREAM).await.unwrap();
    assert_eq!(reset.stream, stream);
    assert_eq!(pool.stats().total.streams, 0);
    assert_eq!(network.open_connections(), 1);
}

/// SSE-11
#[tokio::test(start_paused = true)]
async fn a_stream_whose_first_event_is_a_failure_is_given_and_not_asked_for_again() {
    let network = Network::new();
    let server = Server::builder()
        .handler(|_| async {
            http::Response::builder()
                .header("content-type", "text/event-stream")
                .body(Full::from("event: error\ndata: overloaded\n\n"))
                .unwrap()
        })
        .start_on(network.listen("a.test:80"));
    let pool = on(&network).build().unwrap();
    let response = pool.get(URL).send_streaming().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut events = response.events().unwrap();
    let error = failure(&mut events).await;
    assert_eq!(ErrorEvent::of(&error).unwrap().data(), "overloaded");
    assert!(events.next().await.is_none());
    assert_eq!(server.stats().requests, 1);
}

fn made(status: u16, headers: &[(&str, &str)]) -> Response {
    let mut response = http::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let body = Full::<bytes::Bytes>::from("data: hunter2\n\n");
    response.body(body).unwrap().into()
}

/// SSE-12
#[tokio::test]
async fn what_is_no_event_stream_is_not_read_as_one() {
    let stream = ("content-type", "text/event-stream");
    for (status, headers) in [
        (200, &[("content-type", "application/json")][..]),
        (
            200,
            &[("content-type", "text/event-stream-not; charset=utf-8")],
        ),
        (200, &[]),
        (204, &[stream]),
        (205, &[stream]),
        (304, &[stream]),
        (200, &[stream, ("content-encoding", "gzip")]),
    ] {
        let error = made(status, headers).events().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode, "{status} {headers:?}");
        assert!(!error.to_string().contains("gzip") && !error.to_string().contains("json"));
    }
    for status in [404, 529] {
        let error = made(status, &[stream]).events().unwrap_err();
        assert_eq!(error.status().unwrap().as_u16(), status);
    }
    for (status, headers) in [
        (200, &[stream][..]),
        (
            201,
            &[("content-type", "Text/Event-Stream ; charset=utf-8")],
        ),
        (200, &[stream, ("content-encoding", "identity")]),
    ] {
        let mut events = made(status, headers).events().unwrap();
        assert_eq!(data(&mut events).await, "hunter2");
    }
}

#[tokio::test(start_paused = true)]
async fn retry_and_the_last_id_are_shown_and_the_id_is_sent_to_go_on_from_it() {
    let (mut streaming, mut events) = begin().await;
    assert_eq!((events.retry(), events.last_event_id()), (None, ""));
    streaming
        .chunk("retry: 1500\nid: 4\u{20ac}\ndata: x\n\n")
        .await;
    data(&mut events).await;
    assert_eq!(events.retry(), Some(Duration::from_millis(1500)));
    let pool = Pool::new();
    let request = pool.get(URL).last_event_id(events.last_event_id());
    let built = request.build().unwrap();
    let id = &built.headers()["last-event-id"];
    assert_eq!(id.as_bytes(), "4\u{20ac}".as_bytes());
    let none = pool.get(URL).last_event_id("").build().unwrap();
    assert!(none.headers().is_empty());
    let wrong = pool.get(URL).last_event_id("a\nb").build().unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::InvalidRequest);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_the_server_cuts_is_an_error_and_not_an_end() {
    let (mut streaming, mut events) = begin().await;
    streaming.chunk("data: 1\n\n").await;
    assert_eq!(data(&mut events).await, "1");
    streaming.peer.reset();
    let error = failure(&mut events).await;
    assert_eq!(error.kind(), ErrorKind::ConnectionClosed, "{error}");
    assert!(events.next().await.is_none());
}
