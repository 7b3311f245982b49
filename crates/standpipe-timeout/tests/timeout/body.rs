use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use standpipe_timeout::TimeoutBody;
use tower::ServiceExt;

use super::*;

async fn body_under<B: Send + 'static>(layer: TimeoutLayer, body: B) -> TimeoutBody<B> {
    let service = under(layer, answering_with(body));
    service.oneshot(request()).await.unwrap().into_body()
}

/// TO-01, TO-04
#[tokio::test(start_paused = true)]
async fn each_frame_resets_the_idle_timeout_and_silence_trips_it() {
    let (mut sender, body) = channel();
    let mut body = body_under(TimeoutLayer::body_idle(secs(10)), body).await;
    let peer = tokio::spawn(async move {
        for _ in 0..20 {
            tokio::time::sleep(secs(9)).await;
            sender.send_data("x".into()).await.unwrap();
        }
        sender
    });
    for _ in 0..20 {
        assert!(body.frame().await.unwrap().is_ok());
    }
    let end = Instant::now() + secs(10);
    let error = body.frame().await.unwrap().unwrap_err();
    assert_timed_out(&error, ErrorKind::BodyIdleTimeout, Phase::Body, end);
    assert_eq!(
        error.to_string(),
        "the response body stalled: no frame for 10s"
    );
    drop(peer.await.unwrap());
    assert!(body.frame().await.is_none(), "one outcome");
}

/// TO-04
#[tokio::test(start_paused = true)]
async fn a_slow_reader_does_not_trip_the_idle_timeout() {
    let (mut sender, body) = channel();
    let mut body = body_under(TimeoutLayer::body_idle(secs(10)), body).await;
    for frame in ["a", "b", "c"] {
        sender.send_data(frame.into()).await.unwrap();
    }
    for frame in ["a", "b", "c"] {
        tokio::time::advance(HOUR).await;
        assert_eq!(
            body.frame().await.unwrap().unwrap().into_data().unwrap(),
            frame
        );
    }
}

/// TO-04
#[tokio::test(start_paused = true)]
async fn a_reader_that_looked_once_and_came_back_late_has_its_frame_and_a_new_wait() {
    let (mut sender, body) = channel();
    let mut body = body_under(TimeoutLayer::body_idle(secs(10)), body).await;
    let wakes = Arc::default();
    assert!(poll_with(&wakes, std::pin::pin!(body.frame())).is_pending());
    tokio::time::advance(secs(1)).await;
    sender.send_data("a".into()).await.unwrap();
    tokio::time::advance(HOUR).await;
    assert!(body.frame().await.unwrap().is_ok());
    tokio::time::advance(HOUR).await;
    let end = Instant::now() + secs(10);
    let error = body.frame().await.unwrap().unwrap_err();
    assert_timed_out(&error, ErrorKind::BodyIdleTimeout, Phase::Body, end);
}

#[tokio::test(start_paused = true)]
async fn the_idle_timeout_leaves_the_wait_for_the_head_alone() {
    let idle = under(TimeoutLayer::body_idle(secs(10)), answering_after(HOUR));
    assert!(idle.oneshot(request()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn no_idle_timeout_and_no_total_let_a_body_take_its_time() {
    let (mut sender, body) = channel();
    let mut body = body_under(TimeoutLayer::body_idle(None), body).await;
    let wakes = Arc::<Wakes>::default();
    assert!(poll_with(&wakes, std::pin::pin!(body.frame())).is_pending());
    tokio::time::advance(HOUR).await;
    assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
    sender.send_data("a".into()).await.unwrap();
    assert!(body.frame().await.unwrap().is_ok());
}

#[test]
fn a_body_that_never_makes_its_reader_wait_makes_no_timer() {
    // A timer cannot be made outside a runtime.
    let mut cx = Context::from_waker(Waker::noop());
    let layer = TimeoutLayer::total(secs(5));
    let call = under(layer, answering_with(Full::new(Bytes::from("all")))).oneshot(request());
    let Poll::Ready(response) = std::pin::pin!(call).poll(&mut cx) else {
        panic!("an answer at once needs no timer");
    };
    let collected = response.unwrap().into_body().collect();
    let Poll::Ready(all) = std::pin::pin!(collected).poll(&mut cx) else {
        panic!("a whole body needs no timer");
    };
    assert_eq!(all.unwrap().to_bytes(), "all");
}

#[tokio::test(start_paused = true)]
async fn frames_that_are_there_are_handed_over_after_the_deadline() {
    let (mut sender, body) = channel();
    let mut body = body_under(TimeoutLayer::total(secs(5)), body).await;
    sender.send_data("a".into()).await.unwrap();
    tokio::time::advance(HOUR).await;
    assert!(body.frame().await.unwrap().is_ok());
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn length_end_trailers_and_errors_of_the_inner_body_pass() {
    let whole = body_under(TimeoutLayer::total(secs(5)), Full::new(Bytes::from("abc"))).await;
    assert_eq!(whole.size_hint().exact(), Some(3));
    assert!(!whole.is_end_stream());
    assert_eq!(whole.get_ref().size_hint().exact(), Some(3));
    assert_eq!(
        whole.into_inner().collect().await.unwrap().to_bytes(),
        "abc"
    );
    let empty = body_under(TimeoutLayer::total(secs(5)), Full::<Bytes>::default()).await;
    assert!(empty.is_end_stream());

    let (mut sender, body) = Channel::<Bytes, BoxError>::new(2);
    let mut body = body_under(TimeoutLayer::total(secs(5)), body).await;
    sender.send_trailers(http::HeaderMap::new()).await.unwrap();
    assert!(body.frame().await.unwrap().unwrap().is_trailers());
    sender.abort(Error::new(ErrorKind::StreamReset).into());
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StreamReset);

    let (sender, body) = Channel::<Bytes, BoxError>::new(2);
    let mut body = body_under(TimeoutLayer::total(secs(5)), body).await;
    sender.abort("boom".into());
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other);
    assert!(std::error::Error::source(&error).is_some());
}

/// TO-08
#[tokio::test(start_paused = true)]
async fn a_body_that_has_ended_keeps_no_timer_while_it_is_held() {
    let error: BoxError = "boom".into();
    for last in [None, Some(Ok(Frame::data(Bytes::new()))), Some(Err(error))] {
        let body = Late {
            waited: false,
            last,
            ended: false,
        };
        let mut body = body_under(TimeoutLayer::total(secs(5)), body).await;
        let wakes = Arc::default();
        assert!(poll_with(&wakes, std::pin::pin!(body.frame())).is_pending());
        assert_eq!(registered(&wakes), 1);
        assert!(poll_with(&wakes, std::pin::pin!(body.frame())).is_ready());
        assert_eq!(registered(&wakes), 0);
    }
}

/// Without this, a body that is always busy would hold up its own deadline.
#[tokio::test(start_paused = true)]
async fn a_body_that_uses_up_the_tasks_budget_does_not_stop_the_clock() {
    struct Busy;
    impl Body for Busy {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            while tokio::task::coop::poll_proceed(cx)
                .map(|coop| coop.made_progress())
                .is_ready()
            {}
            Poll::Pending
        }
    }
    let mut body = body_under(TimeoutLayer::total(secs(5)), Busy).await;
    let wakes = Arc::default();
    assert!(poll_with(&wakes, std::pin::pin!(body.frame())).is_pending());
    tokio::time::advance(secs(6)).await;
    let Poll::Ready(Some(Err(error))) = poll_with(&wakes, std::pin::pin!(body.frame())) else {
        panic!("the time is over");
    };
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
}

/// A body that lets its reader wait once and gives its last, which it knows where that is a frame.
struct Late {
    waited: bool,
    last: Option<Result<Frame<Bytes>, BoxError>>,
    ended: bool,
}

impl Body for Late {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if !std::mem::replace(&mut self.waited, true) {
            return Poll::Pending;
        }
        self.ended = matches!(self.last, Some(Ok(_)));
        Poll::Ready(self.last.take())
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}
