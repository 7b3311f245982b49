//! Answers that a reset or a close cuts short, and connections that end after one.

use super::*;
use crate::faults::{At, Fault};

// ---- reset ----

#[tokio::test(start_paused = true)]
async fn a_reset_before_the_head_gives_nothing() {
    for protocol in BOTH {
        let script = hello().request(0, Fault::Reset(At::BeforeHead));
        let mut test = Test::new(protocol, script).await;
        assert_reset(&test.get().await.unwrap_err());
        let stats = test.server.until(|stats| stats.open == 0).await;
        assert_eq!(stats.requests, 1);
        if protocol == Protocol::Http1 {
            assert_eq!(stats.bytes_out, 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_within_the_head_gives_a_part_of_it() {
    for protocol in BOTH {
        let mut sent = [0, 0];
        for (at, sent) in [At::BeforeHead, At::Head(10)].into_iter().zip(&mut sent) {
            let mut test = Test::new(protocol, hello().request(0, Fault::Reset(at))).await;
            assert_reset(&test.get().await.unwrap_err());
            *sent = test.server.until(|stats| stats.open == 0).await.bytes_out;
        }
        assert_eq!(sent[1] - sent[0], 10);
    }
}

/// hyper keeps its bytes to itself: here is what it reads.
#[tokio::test(start_paused = true)]
async fn a_part_of_the_head_is_read_before_the_reset() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    for (n, part) in [
        (10, "HTTP/1.1 2"),
        (1000, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r"),
    ] {
        let network = Network::new();
        let _server = hello()
            .request(0, Fault::Reset(At::Head(n)))
            .start_on(network.listen(ADDRESS));
        let mut io = network.dial(ADDRESS).await.unwrap();
        io.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let mut read = Vec::new();
        let error = io.read_to_end(&mut read).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(String::from_utf8(read).unwrap(), part);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_within_the_body_gives_a_part_of_it() {
    for protocol in BOTH {
        for (n, part) in [(0, ""), (3, "hel"), (8, "hello...")] {
            let script = hello().request(0, Fault::Reset(At::Body(n)));
            let mut test = Test::new(protocol, script).await;
            let mut body = test.get().await.unwrap().into_body();
            let mut read = String::new();
            let error = loop {
                match piece(&mut body).await {
                    Ok(piece) => read.push_str(str::from_utf8(&piece).unwrap()),
                    Err(error) => break error,
                }
            };
            assert_reset(&error);
            assert_eq!(read, part);
        }
    }
}

// ---- close ----

#[tokio::test(start_paused = true)]
async fn a_close_before_or_within_the_head_is_an_end_too_early() {
    for protocol in BOTH {
        for at in [At::BeforeHead, At::Head(10)] {
            let mut test = Test::new(protocol, hello().request(0, Fault::Close(at))).await;
            let error = test.get().await.unwrap_err();
            match protocol {
                Protocol::Http1 => assert!(error.is_incomplete_message(), "{error:?}"),
                Protocol::Http2 => assert_broken(&error),
            }
            test.server.until(|stats| stats.open == 0).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_within_the_body_is_an_end_too_early() {
    for protocol in BOTH {
        let script = hello().request(0, Fault::Close(At::Body(2)));
        let mut test = Test::new(protocol, script).await;
        let mut body = test.get().await.unwrap().into_body();
        assert_eq!(piece(&mut body).await.unwrap(), "he");
        assert_broken(&piece(&mut body).await.unwrap_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_closed_after_the_answer_has_not_said_so() {
    for protocol in BOTH {
        let script = hello().request(0, Fault::CloseAfterAnswer);
        let mut test = Test::new(protocol, script).await;
        let response = test.get().await.unwrap();
        assert!(!response.headers().contains_key("connection"));
        assert_eq!(body(response).await.unwrap(), "hello");
        test.server.until(|stats| stats.open == 0).await;
        test.get().await.unwrap_err();
        assert_eq!(test.server.stats().requests, 1);
    }
}

/// The race of keep-alive: the client finds the connection open, and its request meets the close.
#[tokio::test(start_paused = true)]
async fn a_kept_connection_closes_as_the_next_request_arrives() {
    for protocol in BOTH {
        let script = hello().request(0, Fault::CloseOnNextRequest);
        let mut test = Test::new(protocol, script).await;
        let response = test.get().await.unwrap();
        assert_eq!(body(response).await.unwrap(), "hello");
        tokio::time::sleep(3600 * SECOND).await;
        assert_eq!(test.server.stats().open, 1);
        let error = test.get().await.unwrap_err();
        // It was sent: hyper does not give the request back.
        assert!(!error.is_canceled(), "{error:?}");
        let stats = test.server.until(|stats| stats.open == 0).await;
        assert_eq!(stats.requests, 1);
    }
}

/// The connection has ended before the answer.
#[track_caller]
fn assert_broken(error: &hyper::Error) {
    let kind = io_kind(error).unwrap_or_else(|| panic!("{error:?}"));
    assert_ne!(kind, io::ErrorKind::ConnectionReset);
}
