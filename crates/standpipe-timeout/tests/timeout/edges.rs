use http_body_util::BodyExt;
use standpipe_timeout::{ResponseFuture, TimeoutBody};
use tower::{Service, ServiceExt};

use super::*;

fn layers(time: Duration) -> [TimeoutLayer; 4] {
    [
        TimeoutLayer::total(time),
        TimeoutLayer::attempt(time),
        TimeoutLayer::attempt(time).including_body(),
        TimeoutLayer::attempt(time).handed_down(),
    ]
}

/// TO-07
#[tokio::test(start_paused = true)]
async fn under_zero_only_what_is_there_at_once_passes() {
    for layer in layers(Duration::ZERO) {
        assert!(
            under(layer, answering_with(()))
                .oneshot(request())
                .await
                .is_ok()
        );
    }
    for layer in &layers(Duration::ZERO)[..3] {
        let now = Instant::now();
        let service = under(*layer, answering_after(HOUR));
        let error = Error::from_boxed(service.oneshot(request()).await.unwrap_err());
        assert!(error.is_timeout());
        assert!(now.elapsed() <= Duration::from_millis(1));
    }
    let (mut sender, body) = channel();
    let idle = under(
        TimeoutLayer::body_idle(Duration::ZERO),
        answering_with(body),
    );
    let mut body = idle.oneshot(request()).await.unwrap().into_body();
    sender.send_data("x".into()).await.unwrap();
    assert!(body.frame().await.unwrap().is_ok());
    let now = Instant::now();
    let error = body.frame().await.unwrap().unwrap_err();
    assert_timed_out(&error, ErrorKind::BodyIdleTimeout, Phase::Body, now);
}

/// TO-07
#[tokio::test(start_paused = true)]
async fn the_largest_duration_neither_overflows_nor_ends_anything() {
    let decade = HOUR * 24 * 3650;
    for layer in layers(Duration::MAX) {
        let service = under(layer, answering_after(decade));
        assert!(service.oneshot(request()).await.is_ok());
    }
    let (mut sender, body) = channel();
    let idle = under(TimeoutLayer::body_idle(Duration::MAX), answering_with(body));
    let mut body = idle.oneshot(request()).await.unwrap().into_body();
    let peer = tokio::spawn(async move {
        tokio::time::sleep(decade).await;
        sender.send_data("x".into()).await
    });
    assert!(body.frame().await.unwrap().is_ok());
    peer.await.unwrap().unwrap();
}

/// CAN-17: the answer is asked before the clock.
#[tokio::test(start_paused = true)]
async fn an_answer_at_the_very_instant_of_the_timeout_counts() {
    for layer in &layers(secs(5))[..3] {
        let service = under(*layer, answering_after(secs(5)));
        let response = service.oneshot(request()).await.unwrap();
        assert_eq!(response.into_body().into_inner(), "ok");
    }
    let mut total = under(TimeoutLayer::total(secs(5)), answering_after(secs(5)));
    let mut call = Box::pin(total.ready().await.unwrap().call(request()));
    let wakes = Arc::default();
    assert!(poll_with(&wakes, call.as_mut()).is_pending());
    tokio::time::advance(HOUR).await;
    let Poll::Ready(answer) = poll_with(&wakes, call.as_mut()) else {
        panic!("both the answer and the clock are ready");
    };
    assert!(answer.is_ok(), "polled late, the answer still counts");
}

/// CAN-17, TO-08: a call that is dropped has no outcome, and nothing is left of it.
#[tokio::test(start_paused = true)]
async fn dropping_a_call_drops_the_inner_call_and_the_timer() {
    let inner = answering_after(HOUR);
    let probe = inner.handle();
    let mut total = under(TimeoutLayer::total(secs(5)), inner);
    let wakes = Arc::default();
    for wait in [0, 4, 5, 6] {
        let mut call = Box::pin(total.ready().await.unwrap().call(request()));
        assert!(poll_with(&wakes, call.as_mut()).is_pending());
        assert_eq!(registered(&wakes), 2, "the inner sleep and the timer");
        tokio::time::advance(secs(wait)).await;
        drop(call);
        assert_eq!((registered(&wakes), probe.in_flight()), (0, 0));
    }
}

/// TO-08
#[tokio::test(start_paused = true)]
async fn requests_that_have_waited_leave_no_timer_behind() {
    let wakes = Arc::default();
    let second = secs(1);
    let mut total = under(TimeoutLayer::total(HOUR), answering_after(second));
    for _ in 0..1000 {
        let mut calls = Vec::new();
        for _ in 0..100 {
            let mut call = Box::pin(total.ready().await.unwrap().call(request()));
            assert!(poll_with(&wakes, call.as_mut()).is_pending());
            calls.push(call);
        }
        tokio::time::advance(second).await;
        // Finished, and held for longer than they need be.
        let finished = |call: &mut Pin<Box<ResponseFuture<_>>>| {
            assert!(poll_with(&wakes, call.as_mut()).is_ready());
        };
        calls.iter_mut().for_each(finished);
        assert_eq!(registered(&wakes), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_timed_out_call_that_is_held_keeps_no_timer() {
    let pending = tower::service_fn(|_: Request<()>| std::future::pending::<Answer<()>>());
    let mut total = under(TimeoutLayer::total(secs(5)), pending);
    let mut call = Box::pin(total.ready().await.unwrap().call(request()));
    let wakes = Arc::default();
    assert!(poll_with(&wakes, call.as_mut()).is_pending());
    assert_eq!(registered(&wakes), 1);
    tokio::time::advance(secs(6)).await;
    assert!(poll_with(&wakes, call.as_mut()).is_ready());
    assert_eq!(registered(&wakes), 0);
}

/// Without this, a call that is always busy would hold up its own timeout.
#[tokio::test(start_paused = true)]
async fn a_call_that_uses_up_the_tasks_budget_does_not_stop_the_clock() {
    let busy = tower::service_fn(|_: Request<()>| async {
        loop {
            tokio::task::coop::consume_budget().await;
        }
        #[expect(unreachable_code, reason = "names the type")]
        Answer::<()>::Err("unreachable".into())
    });
    let mut attempt = under(TimeoutLayer::attempt(secs(5)), busy);
    let mut call = Box::pin(attempt.ready().await.unwrap().call(request()));
    let wakes = Arc::default();
    assert!(poll_with(&wakes, call.as_mut()).is_pending());
    tokio::time::advance(secs(6)).await;
    assert!(poll_with(&wakes, call.as_mut()).is_ready());
}

#[test]
fn the_types_are_as_free_as_what_they_wrap() {
    fn free<T: Clone + Send + Sync + Unpin + 'static>() {}
    fn sent<T: Send + Sync + Unpin + 'static>() {}
    free::<TimeoutLayer>();
    free::<Timeout<()>>();
    sent::<TimeoutBody<Channel<Bytes, Infallible>>>();
    fn future<T: Send + 'static>() {}
    future::<ResponseFuture<std::future::Ready<Answer<()>>>>();
}
