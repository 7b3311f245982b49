//! A request's body is dropped once, whatever becomes of the request.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use standpipe_core::{Body, Error};

use crate::scripted::Scripted;
use crate::support::{A, Polled, failure_of, pass, post, read, secs, send, settle, stats};
use crate::wire::Wire;

/// A stream that counts its drops, and ends after `left` frames; with `usize::MAX`, never.
struct Counted {
    drops: Arc<AtomicUsize>,
    left: usize,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.left {
            usize::MAX => Poll::Pending,
            0 => Poll::Ready(None),
            _ => {
                self.left -= 1;
                Poll::Ready(Some(Ok(Frame::data(Bytes::from("frame")))))
            }
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Clone, Default)]
struct Drops(Arc<AtomicUsize>);

impl Drops {
    fn request(&self, left: usize) -> http::Request<Body> {
        let drops = Arc::clone(&self.0);
        post(A, Body::new(Counted { drops, left }))
    }

    #[track_caller]
    fn assert(&self, n: usize) {
        assert_eq!(self.0.load(Ordering::Relaxed), n);
    }
}

/// CAN-18
#[tokio::test(start_paused = true)]
async fn a_body_that_was_sent_is_dropped_once() {
    let (scripted, drops) = (Scripted::new(), Drops::default());
    let mut begun = scripted.begin(drops.request(2)).await;
    begun.peer.respond("200 OK", "").await.unwrap();
    read(begun.sent.await.unwrap().unwrap()).await.unwrap();
    settle().await;
    drops.assert(1);

    let (wire, drops) = (Wire::new(), Drops::default());
    let mut peer = wire.used(&[]).await;
    let sent = send(&wire.transport, drops.request(2));
    let stream = peer.request().await.unwrap();
    peer.respond(stream, "").await.unwrap();
    read(sent.await.unwrap().unwrap()).await.unwrap();
    settle().await;
    drops.assert(1);
}

/// CAN-18
#[tokio::test(start_paused = true)]
async fn a_body_that_was_never_sent_is_dropped_once() {
    // No dial, a failed one, a full queue, a deadline, an invalid head.
    let (scripted, drops) = (Scripted::new(), Drops::default());
    drop(Polled::new(&scripted.transport, drops.request(2)));
    drops.assert(1);
    scripted
        .network
        .fail_next_dials(1, std::io::ErrorKind::ConnectionRefused);
    failure_of(send(&scripted.transport, drops.request(2))).await;
    drops.assert(2);
    let mut invalid = drops.request(2);
    let headers = invalid.headers_mut();
    headers.insert("content-length", "x".parse().unwrap());
    failure_of(send(&scripted.transport, invalid)).await;
    drops.assert(3);

    let scripted = Scripted::with(|b| {
        b.max_waiting_per_host(Some(1))
            .acquire_timeout(Some(secs(5)))
    });
    let hold = scripted.network.hold_dials();
    let waiting = send(&scripted.transport, drops.request(2));
    failure_of(send(&scripted.transport, drops.request(2))).await;
    drops.assert(4);
    failure_of(waiting).await;
    drops.assert(5);
    drop(hold);
}

/// CAN-18
#[tokio::test(start_paused = true)]
async fn a_body_half_sent_is_dropped_once_when_the_request_ends_otherwise() {
    // Dropped, timed out, reset, answered early.
    let (scripted, drops) = (
        Scripted::with(|b| b.response_head_timeout(Some(secs(5)))),
        Drops::default(),
    );
    let begun = scripted.begin(drops.request(usize::MAX)).await;
    begun.sent.abort();
    settle().await;
    drops.assert(1);
    let begun = scripted.begin(drops.request(usize::MAX)).await;
    pass(secs(5)).await;
    failure_of(begun.sent).await;
    settle().await;
    drops.assert(2);
    let begun = scripted.begin(drops.request(usize::MAX)).await;
    begun.peer.reset();
    failure_of(begun.sent).await;
    settle().await;
    drops.assert(3);
    let mut begun = scripted.begin(drops.request(usize::MAX)).await;
    begun.peer.respond("413 Too Large", "no").await.unwrap();
    read(begun.sent.await.unwrap().unwrap()).await.unwrap();
    settle().await;
    drops.assert(4);

    let wire = Wire::new();
    let mut peer = wire.used(&[]).await;
    let sent = send(&wire.transport, drops.request(usize::MAX));
    let stream = peer.request().await.unwrap();
    peer.reset(stream, 8).await.unwrap();
    failure_of(sent).await;
    settle().await;
    drops.assert(5);
    let sent = send(&wire.transport, drops.request(usize::MAX));
    peer.request().await.unwrap();
    sent.abort();
    settle().await;
    drops.assert(6);
}

/// CAN-18: one that goes out on a second connection.
#[tokio::test(start_paused = true)]
async fn a_body_that_is_sent_again_is_dropped_once() {
    let (scripted, drops) = (Scripted::new(), Drops::default());
    let exchanged = scripted
        .exchange("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        .await;
    drop(exchanged.peer);
    let mut begun = scripted.begin(drops.request(2)).await;
    let whole = "5\r\nframe\r\n5\r\nframe\r\n0\r\n\r\n";
    let body = begun.peer.read_exact_body(whole.len()).await;
    assert_eq!(body.unwrap(), whole);
    assert_eq!(stats(&scripted.transport).resent, 1);
    begun.peer.respond("200 OK", "").await.unwrap();
    read(begun.sent.await.unwrap().unwrap()).await.unwrap();
    settle().await;
    drops.assert(1);
}
