//! Lines and chunks.

use futures_util::StreamExt;
use standpipe::{ErrorKind, Lines, Phase, RequestSent};

use crate::Streaming;
use crate::support::{secs, settle};

async fn begin() -> (Streaming, Lines) {
    let (streaming, response) = Streaming::begin("", |builder| builder).await;
    (streaming, response.lines())
}

#[tokio::test(start_paused = true)]
async fn lines_end_in_lf_cr_or_crlf_and_the_last_one_need_not() {
    let (mut streaming, mut lines) = begin().await;
    for chunk in [
        "\u{feff}a\nb\r",
        "\nc\r\r",
        "\n",
        "d\u{20ac}",
        "e\n\nla",
        "st",
    ] {
        streaming.chunk(chunk).await;
        settle().await;
    }
    streaming.end().await;
    let expected = ["\u{feff}a", "b", "c", "", "d\u{20ac}e", "", "last"];
    for line in expected {
        assert_eq!(lines.next().await.unwrap().unwrap(), line);
    }
    assert!(lines.next().await.is_none() && lines.next().await.is_none());
    streaming.kept();
}

#[tokio::test(start_paused = true)]
async fn a_line_is_given_before_the_next_one_comes() {
    let (mut streaming, mut lines) = begin().await;
    for end in ["\n", "\r", "\r\n"] {
        streaming.chunk(format!("{{}}{end}")).await;
        assert_eq!(lines.next().await.unwrap().unwrap(), "{}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_character_that_was_cut_is_whole_and_what_is_no_utf8_is_an_error() {
    let (mut streaming, mut lines) = begin().await;
    let (first, second) = "\u{20ac}".as_bytes().split_at(1);
    streaming.chunk(first).await;
    settle().await;
    streaming
        .chunk([second, b"\nhunter2 \xff\nnever\n"].concat())
        .await;
    assert_eq!(lines.next().await.unwrap().unwrap(), "\u{20ac}");
    let error = lines.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert_eq!(error.phase(), Some(Phase::Body));
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    assert!(lines.next().await.is_none());
    streaming.closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_line_over_its_limit_ends_the_lines() {
    let (mut streaming, lines) = begin().await;
    let mut lines = lines.max_line_bytes(5);
    streaming.chunk("12345\n123456").await;
    assert_eq!(lines.next().await.unwrap().unwrap(), "12345");
    let error = lines.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LineTooLong { limit: 5 });
    assert_eq!(error.request_sent(), RequestSent::Yes);
    assert!(lines.next().await.is_none());
    streaming.closed().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_begun_when_the_body_failed_is_no_line() {
    let (mut streaming, mut lines) = begin().await;
    streaming.chunk("whole\nbeg").await;
    assert_eq!(lines.next().await.unwrap().unwrap(), "whole");
    settle().await;
    streaming.peer.reset();
    assert!(lines.next().await.unwrap().is_err());
    assert!(lines.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn chunks_come_as_they_were_sent_and_trailers_after_them() {
    let (mut streaming, response) = Streaming::begin("trailer: x-sum\r\n", |b| b).await;
    let mut bytes = response.bytes_stream();
    for chunk in ["one", "two"] {
        streaming.chunk(chunk).await;
        // As a stream of futures, too.
        let got = StreamExt::next(&mut bytes).await.unwrap().unwrap();
        assert_eq!(got, chunk);
    }
    assert_eq!((bytes.bytes_read(), bytes.trailers()), (6, None));
    streaming.peer.write("0\r\nx-sum: 7\r\n\r\n").await.unwrap();
    assert!(bytes.next().await.is_none() && bytes.next().await.is_none());
    assert_eq!(bytes.trailers().unwrap()["x-sum"], "7");
    settle().await;
    streaming.kept();
}

#[tokio::test(start_paused = true)]
async fn a_response_is_read_chunk_by_chunk_beyond_its_limit() {
    let (mut streaming, response) =
        Streaming::begin("trailer: x-sum\r\n", |b| b.max_response_bytes(4)).await;
    let mut response = response;
    for chunk in ["one", "two"] {
        streaming.chunk(chunk).await;
        assert_eq!(response.chunk().await.unwrap().unwrap(), chunk);
    }
    assert!(response.trailers().is_none());
    streaming.peer.write("0\r\nx-sum: 7\r\n\r\n").await.unwrap();
    assert!(response.chunk().await.unwrap().is_none());
    assert_eq!(response.trailers().unwrap()["x-sum"], "7");
}

#[tokio::test(start_paused = true)]
async fn what_was_not_read_by_chunks_is_read_at_once() {
    let (mut streaming, mut response) = Streaming::begin("", |b| b).await;
    streaming.chunk("one ").await;
    assert_eq!(response.chunk().await.unwrap().unwrap(), "one ");
    streaming.chunk("two ").await;
    settle().await;
    streaming.chunk("three").await;
    streaming.end().await;
    assert_eq!(response.text().await.unwrap(), "two three");
}

/// CAN-09
#[tokio::test(start_paused = true)]
async fn dropping_a_stream_closes_the_connection_at_once() {
    for lines in [false, true] {
        let (mut streaming, response) = Streaming::begin("", |builder| builder).await;
        streaming.chunk("begun").await;
        match lines {
            true => drop(response.lines()),
            false => drop(response.bytes_stream()),
        }
        streaming.closed().await;
    }
}

/// TO-04
#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_its_time_does_not_trip_the_idle_timeout() {
    let (mut streaming, mut lines) = begin().await;
    streaming.chunk("a\n").await;
    settle().await;
    tokio::time::advance(secs(3600)).await;
    assert_eq!(lines.next().await.unwrap().unwrap(), "a");
    tokio::time::advance(secs(3600)).await;
    streaming.chunk("b\n").await;
    assert_eq!(lines.next().await.unwrap().unwrap(), "b");
}
