//! Bodies that wait for the server's leave.

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use standpipe_core::Body;
use standpipe_transport::Http1Config;

use crate::scripted::{Scripted, streaming_post};
use crate::support::{A, pass, read, secs, settle};

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

fn expecting() -> Request<Body> {
    Request::post(A)
        .header("expect", "100-continue")
        .body(Body::from("body"))
        .unwrap()
}

/// H1-18
#[tokio::test(start_paused = true)]
async fn without_an_expectation_the_body_goes_out_at_once() {
    let scripted = Scripted::new();
    let request = Request::post(A).body(Body::from("body")).unwrap();
    let mut begun = scripted.begin(request).await;
    assert_eq!(begun.peer.read_exact_body(4).await.unwrap(), "body");
    begun.peer.respond("200 OK", "done").await.unwrap();
    let (response, _peer) = begun.head().await;
    assert_eq!(read(response).await.unwrap(), "done");
}

/// H1-18
#[tokio::test(start_paused = true)]
async fn an_expectation_keeps_the_body_until_the_server_says_continue() {
    let scripted = Scripted::new();
    let mut begun = scripted.begin(expecting()).await;
    settle().await;
    assert_eq!(begun.peer.surplus(), b"", "the body has not been asked for");
    begun
        .peer
        .write("HTTP/1.1 100 Continue\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(begun.peer.read_exact_body(4).await.unwrap(), "body");
    begun.peer.respond("200 OK", "done").await.unwrap();
    let (response, peer) = begun.head().await;
    assert_eq!(read(response).await.unwrap(), "done");
    settle().await;
    scripted.assert_reused(peer).await;
}

/// H1-18
#[tokio::test(start_paused = true)]
async fn an_expectation_refused_sends_no_body_and_ends_the_connection() {
    let scripted = Scripted::new();
    let mut begun = scripted.begin(expecting()).await;
    settle().await;
    begun
        .peer
        .respond("417 Expectation Failed", "no")
        .await
        .unwrap();
    let (response, mut peer) = begun.head().await;
    assert_eq!(read(response).await.unwrap(), "no");
    peer.closed().await;
    assert_eq!(peer.surplus(), b"", "the body was never sent");
    scripted.assert_works().await;
}

/// H1-18: a server that knows nothing of expectations waits for the body.
#[tokio::test(start_paused = true)]
async fn an_expectation_that_nobody_answers_ends_after_a_while() {
    let scripted = Scripted::new();
    let mut begun = scripted.begin(expecting()).await;
    pass(secs(5)).await;
    assert_eq!(begun.peer.read_exact_body(4).await.unwrap(), "body");
    begun.peer.respond("200 OK", "done").await.unwrap();
    let (response, _peer) = begun.head().await;
    assert_eq!(read(response).await.unwrap(), "done");
}

/// H1-18
#[tokio::test(start_paused = true)]
async fn the_wait_for_leave_is_as_long_as_it_is_set() {
    let mut config = Http1Config::default();
    config.expect_continue_timeout = secs(7);
    let scripted = Scripted::with(|b| b.http1(config));
    let mut begun = scripted.begin(expecting()).await;
    pass(secs(7) - std::time::Duration::from_millis(1)).await;
    assert_eq!(begun.peer.surplus(), b"");
    pass(secs(1)).await;
    assert_eq!(begun.peer.read_exact_body(4).await.unwrap(), "body");
    // A leave that comes late changes nothing.
    begun.peer.write(CONTINUE).await.unwrap();
    begun.peer.respond("200 OK", "done").await.unwrap();
    let (response, peer) = begun.head().await;
    assert_eq!(read(response).await.unwrap(), "done");
    settle().await;
    scripted.assert_reused(peer).await;
}

/// H1-18: another informational answer is no leave.
#[tokio::test(start_paused = true)]
async fn hints_before_the_leave_keep_the_body_waiting() {
    let scripted = Scripted::new();
    let mut begun = scripted.begin(expecting()).await;
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n";
    begun.peer.write(hints).await.unwrap();
    settle().await;
    assert_eq!(begun.peer.surplus(), b"");
    begun.peer.write(CONTINUE).await.unwrap();
    assert_eq!(begun.peer.read_exact_body(4).await.unwrap(), "body");
}

/// H1-18: a server that answers well at once reads the body all the same, or closes.
#[tokio::test(start_paused = true)]
async fn an_answer_of_success_is_a_leave() {
    let scripted = Scripted::new();
    let mut begun = scripted.begin(expecting()).await;
    begun.peer.respond("200 OK", "early").await.unwrap();
    assert_eq!(begun.peer.read_exact_body(4).await.unwrap(), "body");
    let (response, peer) = begun.head().await;
    assert_eq!(read(response).await.unwrap(), "early");
    settle().await;
    scripted.assert_reused(peer).await;
}

/// H1-18: however long the refusal takes to be read.
#[tokio::test(start_paused = true)]
async fn a_refusal_is_final_before_its_body_has_come() {
    for status in ["417 No", "413 Large", "500 Oh", "303 There"] {
        let scripted = Scripted::new();
        let mut begun = scripted.begin(expecting()).await;
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: 4\r\n\r\n");
        begun.peer.write(head + "lo").await.unwrap();
        let (response, mut peer) = begun.head().await;
        pass(secs(10)).await;
        assert_eq!(peer.surplus(), b"", "{status}");
        peer.write("ng").await.unwrap();
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "long");
        settle().await;
        scripted.assert_closed(peer).await;
    }
}

/// H1-18
#[tokio::test(start_paused = true)]
async fn a_streamed_body_waits_as_well() {
    let scripted = Scripted::new();
    let (mut upload, mut request) = streaming_post(A);
    let expectation = "100-Continue".parse().unwrap();
    request.headers_mut().insert("expect", expectation);
    let mut begun = scripted.begin(request).await;
    upload.send_data(Bytes::from("body")).await.unwrap();
    drop(upload);
    settle().await;
    assert_eq!(begun.peer.surplus(), b"");
    begun.peer.write(CONTINUE).await.unwrap();
    let sent = begun.peer.read_exact_body(14).await.unwrap();
    assert_eq!(sent, "4\r\nbody\r\n0\r\n\r\n"[..14]);
    begun.peer.respond("200 OK", "done").await.unwrap();
    let (response, peer) = begun.head().await;
    assert_eq!(read(response).await.unwrap(), "done");
    settle().await;
    scripted.assert_reused(peer).await;
}

/// H1-18: a request that is given up at the gate leaves nothing behind.
#[tokio::test(start_paused = true)]
async fn a_request_that_is_cancelled_while_it_waits_closes_its_connection() {
    let scripted = Scripted::new();
    let begun = scripted.begin(expecting()).await;
    begun.sent.abort();
    settle().await;
    scripted.assert_closed(begun.peer).await;
}
