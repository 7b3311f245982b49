//! Answers before the answer.

use http::{Request, StatusCode};
use standpipe_core::{Body, ErrorKind, RequestSent};

use crate::scripted::Scripted;
use crate::support::{A, failure_of, get, pass, read, secs, settle, stats};

const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n";

/// H1-06
#[tokio::test(start_paused = true)]
async fn any_number_of_informational_answers_is_skipped() {
    let scripted = Scripted::new();
    for count in [1, 2, 500] {
        let mut begun = scripted.begin(get(A)).await;
        for _ in 0..count {
            begun.peer.write(HINTS).await.unwrap();
            tokio::task::yield_now().await;
        }
        let end = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n";
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody";
        begun.peer.write(format!("{end}{answer}")).await.unwrap();
        let (response, peer) = begun.head().await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(!response.headers().contains_key("link"));
        assert_eq!(read(response).await.unwrap(), "body");
        drop(peer);
        settle().await;
    }
}

/// H1-06: each of them is no answer, so they do not move the clock.
#[tokio::test(start_paused = true)]
async fn informational_answers_do_not_put_off_the_timeout_of_the_head() {
    let scripted = Scripted::with(|b| b.response_head_timeout(Some(secs(10))));
    let mut begun = scripted.begin(get(A)).await;
    for _ in 0..9 {
        begun.peer.write(HINTS).await.unwrap();
        pass(secs(1)).await;
        assert!(!begun.sent.is_finished());
    }
    begun.peer.write(HINTS).await.unwrap();
    let error = failure_of(begun.sent).await;
    assert_eq!(error.kind(), ErrorKind::ResponseTimeout);
    scripted.assert_closed(begun.peer).await;
}

/// H1-06
#[tokio::test(start_paused = true)]
async fn informational_answers_without_end_are_given_up() {
    let scripted = Scripted::new();
    let mut begun = scripted.begin(get(A)).await;
    let mut written = 0;
    while begun.peer.write(HINTS).await.is_ok() {
        written += HINTS.len();
        assert!(written < 8 * 1024 * 1024, "it would take anything");
        tokio::task::yield_now().await;
    }
    let error = failure_of(begun.sent).await;
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert_eq!(error.request_sent(), RequestSent::Yes);
    scripted.assert_works().await;
}

/// H1-07
#[tokio::test(start_paused = true)]
async fn a_switch_of_protocols_that_nobody_asked_for_is_an_error() {
    let scripted = Scripted::new();
    let answer = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nraw";
    let exchanged = scripted.exchange(answer).await;
    let error = exchanged.answer.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    scripted.assert_closed(exchanged.peer).await;
}

/// H1-07
#[tokio::test(start_paused = true)]
async fn a_switch_of_protocols_that_nobody_takes_up_ends_the_connection() {
    let scripted = Scripted::new();
    let request = Request::get(A)
        .header("connection", "upgrade")
        .header("upgrade", "chat")
        .body(Body::empty())
        .unwrap();
    let mut begun = scripted.begin(request).await;
    let answer =
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\nraw";
    begun.peer.write(answer).await.unwrap();
    let (response, peer) = begun.head().await;
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(stats(&scripted.transport).idle, 0);
    drop(response);
    settle().await;
    scripted.assert_closed(peer).await;
}
