use std::task::{Context, Poll};

use super::*;
use futures_util::Stream;
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use standpipe_core::{Replay, ReplayBody};
use standpipe_retry::GiveUpReason;

/// A stream of pieces, without a length.
pub(crate) struct Chunks(VecDeque<Result<Bytes, BoxError>>);

impl Chunks {
    pub(crate) fn of(bytes: &[u8], size: usize) -> Self {
        Self(
            bytes
                .chunks(size)
                .map(|piece| Ok(Bytes::copy_from_slice(piece)))
                .collect(),
        )
    }
}

impl Stream for Chunks {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.pop_front())
    }
}

fn bytes(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i % 251) as u8).collect()
}

fn streamed(bytes: &[u8]) -> Request<Body> {
    let body = Body::from_stream(Chunks::of(bytes, 999));
    Request::post("http://a/").body(body).unwrap()
}

/// RTY-14
#[tokio::test(start_paused = true)]
async fn each_kind_of_body_is_the_same_on_each_attempt() {
    let sent = bytes(60_000);
    let (full, made) = (Bytes::from(sent.clone()), Bytes::from(sent.clone()));
    for (kind, body) in [
        ("empty", Body::empty()),
        ("bytes", Body::from(full)),
        ("factory", Body::from_fn(move || Full::new(made.clone()))),
        ("stream", Body::from_stream(Chunks::of(&sent, 999))),
    ] {
        let script = Script::statuses(&[503, 503, 503, 200]);
        let request = Request::post("http://a/").body(body).unwrap();
        send(&RetryLayer::new(plain()), &script, request)
            .await
            .unwrap();
        let seen = script.seen();
        assert_eq!(seen.len(), 4, "{kind}");
        let expected = if kind == "empty" { &[][..] } else { &sent };
        assert!(seen.iter().all(|seen| seen.body == expected), "{kind}");
    }
}

/// RTY-14
#[tokio::test(start_paused = true)]
async fn trailers_are_replayed() {
    let mut trailers = HeaderMap::new();
    trailers.insert("checksum", "7".parse().unwrap());
    let frames = [
        Ok::<_, BoxError>(Frame::data(Bytes::from("abc"))),
        Ok(Frame::trailers(trailers.clone())),
    ];
    let body = Body::new(StreamBody::new(futures_util::stream::iter(frames)));
    let script = Script::statuses(&[503, 503, 200]);
    let request = Request::post("http://a/").body(body).unwrap();
    send(&RetryLayer::new(plain()), &script, request)
        .await
        .unwrap();
    for seen in script.seen() {
        assert_eq!(
            (seen.body, seen.trailers),
            ("abc".into(), Some(trailers.clone()))
        );
    }
}

/// RTY-15
#[tokio::test(start_paused = true)]
async fn over_the_cap_the_attempt_goes_on_and_the_retry_is_given_up() {
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let keep = reasons.clone();
    let layer = RetryLayer::new(plain()).on_give_up(move |event| keep.lock().push(event.reason()));
    let sent = bytes(64 * 1024 + 1);
    let script = Script::statuses(&[503]);
    let response = send(&layer, &script, streamed(&sent)).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "503"
    );
    assert_eq!((script.calls(), &script.seen()[0].body[..]), (1, &sent[..]));
    assert_eq!(*reasons.lock(), [GiveUpReason::Body]);
    // Up to the cap it is kept, and the cap can be set.
    let script = Script::statuses(&[503, 200]);
    send(&layer, &script, streamed(&bytes(64 * 1024)))
        .await
        .unwrap();
    assert_eq!(script.calls(), 2);
    let layer = RetryLayer::new(plain().replay_cap(65 * 1024));
    let script = Script::statuses(&[503, 200]);
    send(&layer, &script, streamed(&sent)).await.unwrap();
    assert_eq!(script.calls(), 2);
}

/// RTY-16: a stream that says how long it is.
#[tokio::test(start_paused = true)]
async fn a_body_that_says_it_is_too_long_is_never_kept() {
    struct Long;
    impl http_body::Body for Long {
        type Data = Bytes;
        type Error = BoxError;
        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            Poll::Ready(None)
        }
        fn size_hint(&self) -> http_body::SizeHint {
            http_body::SizeHint::with_exact(64 * 1024 + 1)
        }
    }
    let mut body = Body::new(Long);
    body.keep(64 * 1024);
    assert!(body.replay().is_none());
    assert!(ReplayBody::new(Long).replay().is_none());
    assert!(ReplayBody::with_cap(Long, 70_000).replay().is_some());
    let script = Script::statuses(&[503, 200]);
    let request = Request::post("http://a/").body(Body::new(Long)).unwrap();
    let response = send(&RetryLayer::new(plain()), &script, request)
        .await
        .unwrap();
    assert_eq!((response.status().as_u16(), script.calls()), (503, 1));
}

/// RTY-17
#[tokio::test(start_paused = true)]
async fn the_error_of_the_callers_stream_surfaces_and_is_not_retried() {
    let mut chunks = Chunks::of(b"abc", 1);
    chunks.0.push_back(Err("the disk is gone".into()));
    let script = Script::statuses(&[200]);
    let request = Request::put("http://a/")
        .body(Body::from_stream(chunks))
        .unwrap();
    let last = error(send(&RetryLayer::new(plain()), &script, request).await);
    assert_eq!((last.kind(), last.attempts()), (ErrorKind::RequestBody, 1));
    let source = std::error::Error::source(&last).unwrap();
    assert_eq!(source.to_string(), "the disk is gone");
}

/// The answer may come before the body has ended: the next attempt goes on where the first left off.
#[tokio::test(start_paused = true)]
async fn an_attempt_answered_early_leaves_the_rest_of_the_stream_to_the_next() {
    let sent = bytes(10_000);
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let held = Arc::new(Mutex::new(Vec::new()));
    let (keep, hold) = (attempts.clone(), held.clone());
    let service = tower::service_fn(move |request: Request<Body>| {
        let (keep, hold) = (keep.clone(), hold.clone());
        async move {
            let mut body = request.into_body();
            let mut read = Vec::new();
            let first = keep.lock().is_empty();
            while let Some(frame) = body.frame().await {
                read.extend_from_slice(frame?.data_ref().unwrap());
                if first && read.len() > 3000 {
                    break;
                }
            }
            keep.lock().push(read);
            // The upload under way is still in hyper's hands.
            hold.lock().push(body);
            Ok::<_, BoxError>(answer(if first { 503 } else { 200 }))
        }
    });
    let got = RetryLayer::new(plain())
        .layer(service)
        .oneshot(streamed(&sent))
        .await;
    assert_eq!(status(&got), 200);
    let attempts = attempts.lock().clone();
    assert_eq!(attempts[0], sent[..attempts[0].len()]);
    assert_eq!(attempts[1], sent);
    // The first attempt's body cannot give the pieces that the second has taken.
    let mut first = held.lock().remove(0);
    assert!(first.frame().await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_foreign_body_is_sent_again_when_it_is_wrapped() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = seen.clone();
    let service = tower::service_fn(move |request: Request<ReplayBody<StreamBody<_>>>| {
        let keep = keep.clone();
        async move {
            let read = request.into_body().collect().await?.to_bytes();
            let first = keep.lock().is_empty();
            keep.lock().push(read);
            Ok::<_, BoxError>(answer(if first { 503 } else { 200 }))
        }
    });
    let frames = [
        Ok::<_, BoxError>(Frame::data(Bytes::from("ab"))),
        Ok(Frame::data(Bytes::from("c"))),
    ];
    let body = ReplayBody::new(StreamBody::new(futures_util::stream::iter(frames)));
    let request = Request::post("http://a/").body(body).unwrap();
    let got = RetryLayer::new(plain())
        .layer(service)
        .oneshot(request)
        .await;
    assert_eq!(status(&got), 200);
    assert_eq!(*seen.lock(), ["abc", "abc"]);
}

/// RTY-18
#[tokio::test(start_paused = true)]
async fn a_failed_answer_is_read_before_the_wait_up_to_a_bound() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    struct Counted(Arc<AtomicUsize>, usize, Option<Arc<Mutex<Option<Instant>>>>);
    impl Stream for Counted {
        type Item = Result<Bytes, BoxError>;
        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            let Some(left) = self.1.checked_sub(1) else {
                return if self.2.is_some() {
                    Poll::Pending
                } else {
                    Poll::Ready(None)
                };
            };
            self.1 = left;
            self.0.fetch_add(1024, Ordering::Relaxed);
            Poll::Ready(Some(Ok(Bytes::from_static(&[0; 1024]))))
        }
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            if let Some(dropped) = &self.2 {
                *dropped.lock() = Some(Instant::now());
            }
        }
    }
    let dropped = Arc::new(Mutex::new(None));
    for (kib, stalls, read) in [(64, false, 64), (10_000, false, 65), (3, true, 3)] {
        let counter = Arc::new(AtomicUsize::new(0));
        let (count, drops) = (counter.clone(), dropped.clone());
        let failed = MockAnswer::from_fn(move || {
            let stalled = stalls.then(|| drops.clone());
            let body = Body::from_stream(Counted(count.clone(), kib, stalled));
            Ok(Response::builder().status(503).body(body).unwrap())
        });
        let begun = Instant::now();
        let script = Script::new([failed, status_of(200)]);
        send(&RetryLayer::new(plain()), &script, get())
            .await
            .unwrap();
        assert_eq!(counter.load(Ordering::Relaxed), read * 1024);
        assert_eq!(script.waits(), [secs(1)], "the reading is part of the wait");
        if stalls {
            let held = dropped.lock().expect("dropped") - begun;
            assert!(held >= millis(100) && held <= millis(101), "{held:?}");
        }
    }
}
