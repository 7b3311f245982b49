//! Requests that are not read to their end before the answer, or ever.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame};
use tokio::sync::mpsc;

use super::*;
use crate::faults::{Fault, Rest};

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_reading_lets_the_upload_stand() {
    for protocol in BOTH {
        for after in [0, 100_000] {
            let script = hello().request(0, Fault::StopReading { after });
            let mut test = Test::new(protocol, script).await;
            let upload = test.client.send(post(1_000_000));
            let upload = timeout(3600 * SECOND, upload).await;
            assert!(upload.is_err(), "{upload:?}");
            let read = test.server.stats().bytes_in;
            let most = after as u64 + 140_000;
            assert!((after as u64..most).contains(&read), "{read} of {after}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_early_answer_comes_before_the_body_was_sent() {
    for protocol in BOTH {
        for rest in [Rest::Read, Rest::Leave, Rest::Close] {
            let script = hello().request(0, Fault::EarlyAnswer(rest));
            let mut test = Test::new(protocol, script).await;
            let (upload, request) = Upload::new();
            let response = test.client.send(request).await.unwrap();
            assert_eq!(body(response).await.unwrap(), "hello");
            let sent = upload.send(1_000_000).await;
            let server = test.server;
            match rest {
                Rest::Read => {
                    assert!(sent);
                    server.until(|stats| stats.bytes_in > 1_000_000).await;
                }
                Rest::Leave => {
                    assert!(!sent);
                    assert_eq!(server.stats().open, 1);
                }
                Rest::Close => {
                    assert!(!sent);
                    if protocol == Protocol::Http1 {
                        server.until(|stats| stats.open == 0).await;
                    }
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_expects_a_100_gets_it_unless_the_answer_is_early() {
    for early in [false, true] {
        let mut script = hello();
        if early {
            script = script.request(0, Fault::EarlyAnswer(Rest::Close));
        }
        let mut test = Test::new(Protocol::Http1, script).await;
        let mut request = post(10);
        let headers = request.headers_mut();
        headers.insert("expect", "100-continue".parse().unwrap());
        let continued = count_informational(&mut request, 100);
        assert_eq!(test.client.send(request).await.unwrap().status(), 200);
        assert_eq!(continued.load(Ordering::SeqCst), usize::from(!early));
    }
}

/// A request's body that the test sends when it wishes.
struct Upload(mpsc::Sender<Bytes>);

struct Uploading(mpsc::Receiver<Bytes>);

impl Upload {
    fn new() -> (Self, Request<RequestBody>) {
        let (pieces, uploading) = mpsc::channel(1);
        let body = Uploading(uploading).boxed_unsync();
        (Self(pieces), Request::post(URL).body(body).unwrap())
    }

    /// Sends so many bytes, and says whether they were taken.
    async fn send(&self, mut bytes: usize) -> bool {
        while bytes > 0 {
            let piece = vec![b'b'; bytes.min(10_000)];
            bytes -= piece.len();
            let sent = timeout(3600 * SECOND, self.0.send(piece.into())).await;
            if !matches!(sent, Ok(Ok(()))) {
                return false;
            }
        }
        true
    }
}

impl Body for Uploading {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.0.poll_recv(cx);
        piece.map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}
