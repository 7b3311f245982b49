//! Where a response ends, and what of it is delivered.

use http_body_util::BodyExt;
use standpipe_core::ErrorKind;

use crate::scripted::Scripted;
use crate::support::{A, get, settle, stats};

/// The exchange fails for the peer's breach of the protocol, and its connection is not used again.
async fn assert_refused(answer: &str) {
    let scripted = Scripted::new();
    let exchanged = scripted.exchange(answer).await;
    let error = exchanged.answer.expect_err(answer);
    let kinds = [ErrorKind::Protocol, ErrorKind::ConnectionClosed];
    assert!(kinds.contains(&error.kind()), "{answer:?}: {error:?}");
    assert!(!error.calls_for_resend(), "{answer:?}: {error:?}");
    scripted.assert_closed(exchanged.peer).await;
}

/// H1-05
#[tokio::test(start_paused = true)]
async fn a_204_with_a_length_has_no_body_and_what_follows_it_is_not_taken_for_one() {
    for answer in [
        "HTTP/1.1 204 No Content\r\ncontent-length: 4\r\n\r\n",
        "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n",
    ] {
        let scripted = Scripted::new();
        let exchanged = scripted.exchange(answer).await;
        assert_eq!(exchanged.answer.unwrap(), "");
        scripted.assert_reused(exchanged.peer).await;
        let answer = format!("{answer}body");
        let scripted = Scripted::new();
        let exchanged = scripted.exchange(answer).await;
        assert_eq!(exchanged.answer.unwrap(), "");
        scripted.assert_closed(exchanged.peer).await;
    }
}

/// H1-11
#[tokio::test(start_paused = true)]
async fn bytes_that_come_after_the_body_end_the_connection_that_is_idle_by_then() {
    let scripted = Scripted::new();
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody";
    let mut exchanged = scripted.exchange(answer).await;
    assert_eq!(exchanged.answer.unwrap(), "body");
    assert_eq!(stats(&scripted.transport).idle, 1);
    exchanged.peer.write("surplus").await.unwrap();
    settle().await;
    scripted.assert_closed(exchanged.peer).await;
}

/// H1-12
#[tokio::test(start_paused = true)]
async fn two_lengths_that_differ_are_refused() {
    for lengths in ["4\r\ncontent-length: 5", "5\r\ncontent-length: 4", "4, 5"] {
        assert_refused(&format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {lengths}\r\n\r\nbody?"
        ))
        .await;
    }
}

/// H1-12: the encoding counts (RFC 9112, 6.3), and the connection is not to be trusted any further.
#[tokio::test(start_paused = true)]
async fn an_answer_with_both_a_length_and_an_encoding_ends_the_connection() {
    for length in ["4", "100", "0"] {
        let scripted = Scripted::new();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\ntransfer-encoding: chunked\r\n\r\n\
             4\r\nbody\r\n0\r\n\r\n"
        );
        let exchanged = scripted.exchange(answer).await;
        assert_eq!(exchanged.answer.unwrap(), "body");
        scripted.assert_closed(exchanged.peer).await;
    }
}

/// H1-13
#[tokio::test(start_paused = true)]
async fn a_length_that_is_no_number_is_refused() {
    for length in [
        "+4",
        "-4",
        "4x",
        "0x4",
        "4 4",
        "",
        "4,",
        ",4",
        "1e1",
        "99999999999999999999",
        "18446744073709551616",
    ] {
        assert_refused(&format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\nbody"
        ))
        .await;
    }
}

/// H1-13: the same length twice may be taken for one (RFC 9110, 8.6).
#[tokio::test(start_paused = true)]
async fn one_length_said_twice_is_that_length() {
    for lengths in ["4, 4", "4\r\ncontent-length: 4"] {
        let scripted = Scripted::new();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {lengths}\r\n\r\nbody");
        let exchanged = scripted.exchange(answer).await;
        assert_eq!(exchanged.answer.unwrap(), "body");
        scripted.assert_reused(exchanged.peer).await;
    }
}

/// H1-13
#[tokio::test(start_paused = true)]
async fn a_chunk_size_that_is_no_number_is_refused() {
    let long = format!("4;{}", "x".repeat(64 * 1024));
    for size in [
        "x",
        "-4",
        "+4",
        "0x4",
        "",
        " 4",
        "4 4",
        "10000000000000000",
        "fffffffffffffffff",
        &long,
    ] {
        let answer = format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{size}\r\nbody\r\n0\r\n\r\n"
        );
        assert_refused(&answer).await;
    }
}

/// H1-13
#[tokio::test(start_paused = true)]
async fn a_chunk_longer_than_its_size_is_refused() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    for chunk in [
        "3\r\nbody\r\n0\r\n\r\n",
        "4\r\nbody0\r\n\r\n",
        "4\nbody\n0\n\n",
    ] {
        assert_refused(&format!("{head}{chunk}")).await;
    }
}

/// H1-14
#[tokio::test(start_paused = true)]
async fn trailers_are_delivered_and_the_connection_is_used_again() {
    let scripted = Scripted::new();
    let mut begun = scripted.begin(get(A)).await;
    let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
                  4\r\nbody\r\n0\r\nx-sum: 7\r\n\r\n";
    begun.peer.write(answer).await.unwrap();
    let (response, peer) = begun.head().await;
    let collected = response.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["x-sum"], "7");
    assert_eq!(collected.to_bytes(), "body");
    settle().await;
    scripted.assert_reused(peer).await;
}

/// H1-14
#[tokio::test(start_paused = true)]
async fn trailers_without_end_are_refused() {
    let many: String = (0..2_000).map(|n| format!("x-{n}: y\r\n")).collect();
    let large = format!("x: {}\r\n", "y".repeat(128 * 1024));
    for trailers in [many, large] {
        assert_refused(&format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n{trailers}\r\n"
        ))
        .await;
    }
}

/// H1-15
#[tokio::test(start_paused = true)]
async fn a_head_over_the_limits_is_refused() {
    let many: String = (0..200).map(|n| format!("x-{n}: y\r\n")).collect();
    let large = format!("x: {}\r\n", "y".repeat(100 * 1024));
    let status = "HTTP/1.1 200 ".to_owned() + &"O".repeat(100 * 1024) + "\r\n";
    for head in [
        format!("HTTP/1.1 200 OK\r\n{many}"),
        format!("HTTP/1.1 200 OK\r\n{large}"),
        status,
    ] {
        assert_refused(&format!("{head}content-length: 4\r\n\r\nbody")).await;
    }
}

/// H1-15: it is not read to an end that does not come.
#[tokio::test(start_paused = true)]
async fn a_head_without_end_is_given_up_at_its_limit() {
    let scripted = Scripted::new();
    let mut begun = scripted.begin(get(A)).await;
    begun.peer.write("HTTP/1.1 200 OK\r\n").await.unwrap();
    let mut written = 0;
    while begun
        .peer
        .write("x: yyyyyyyyyyyyyyyyyyyyyyyyy\r\n")
        .await
        .is_ok()
    {
        written += 30;
        assert!(written < 1024 * 1024, "it would take anything");
        tokio::task::yield_now().await;
    }
    let error = begun.sent.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    scripted.assert_works().await;
}
