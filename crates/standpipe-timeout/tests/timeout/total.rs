use standpipe_core::{Body, Deadline, Replay};
use tower::{Service, ServiceExt};

use super::*;

/// TO-01, the total, stalled before the head.
#[tokio::test(start_paused = true)]
async fn a_total_ends_the_wait_for_the_response_head_and_drops_the_call() {
    let inner = answering_after(HOUR);
    let probe = inner.handle();
    let end = Instant::now() + secs(5);
    let error = under(TimeoutLayer::total(secs(5)), inner)
        .oneshot(request())
        .await
        .unwrap_err();
    let error = Error::from_boxed(error);
    assert_timed_out(&error, ErrorKind::DeadlineExceeded, Phase::Exchange, end);
    assert_eq!((probe.calls(), probe.in_flight()), (1, 0));
}

/// TO-01, the total, stalled in the body.
#[tokio::test(start_paused = true)]
async fn a_total_counts_from_the_call_and_covers_the_response_body() {
    use http_body::Body as _;
    use http_body_util::BodyExt;

    let (mut sender, body) = channel();
    let end = Instant::now() + secs(5);
    let response = under(TimeoutLayer::total(secs(5)), answering_with(body))
        .oneshot(request())
        .await
        .unwrap();
    let mut body = response.into_body();
    for _ in 0..2 {
        tokio::time::advance(secs(2)).await;
        sender.send_data("x".into()).await.unwrap();
        assert!(body.frame().await.unwrap().is_ok());
    }
    let error = body.frame().await.unwrap().unwrap_err();
    assert_timed_out(&error, ErrorKind::DeadlineExceeded, Phase::Body, end);
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
    sender.send_data("late".into()).await.unwrap();
    assert!(body.frame().await.is_none(), "one outcome");
}

#[tokio::test(start_paused = true)]
async fn the_layers_below_see_the_deadline_whatever_the_body() {
    async fn seen<B: Send + 'static>(request: Request<B>) -> Option<Deadline> {
        let inner = tower::service_fn(|request: Request<B>| async move {
            Ok::<_, BoxError>(Response::new(Deadline::of(&request)))
        });
        let total = under(TimeoutLayer::total(secs(5)), inner);
        total
            .oneshot(request)
            .await
            .unwrap()
            .into_body()
            .into_inner()
    }
    let expected = Some(Deadline::after(secs(5)));
    assert_eq!(seen(Request::new(Body::empty())).await, expected);
    assert_eq!(seen(Request::new(String::new())).await, expected);
}

#[tokio::test(start_paused = true)]
async fn an_earlier_deadline_on_the_request_stays_in_force() {
    let end = Instant::now() + secs(1);
    let mut request = Request::new(Body::empty());
    Deadline::after(secs(1)).attach(&mut request);
    for layer in [TimeoutLayer::total(secs(5)), TimeoutLayer::total(None)] {
        let mut again = Request::new(request.body().replay().unwrap());
        *again.uri_mut() = request.uri().clone();
        let error = under(layer, answering_after(HOUR)).oneshot(again).await;
        let error = Error::from_boxed(error.unwrap_err());
        assert_timed_out(&error, ErrorKind::DeadlineExceeded, Phase::Exchange, end);
    }
}

/// TO-02
#[tokio::test(start_paused = true)]
async fn a_total_covers_retries_and_an_attempt_takes_no_more_than_what_remains() {
    let attempts = under(
        TimeoutLayer::attempt(secs(4)),
        answering_after::<Body>(HOUR),
    );
    let (record, mut recorded) = tokio::sync::mpsc::unbounded_channel();
    let retry = tower::service_fn(move |request: Request<Body>| {
        let (attempts, record) = (attempts.clone(), record.clone());
        async move {
            loop {
                let again = Request::new(request.body().replay().unwrap());
                let error = match attempts.clone().oneshot(again).await {
                    Ok(response) => return Ok(response),
                    Err(error) => Error::from_boxed(error),
                };
                record.send((error.kind(), Instant::now())).unwrap();
                if error.kind() != ErrorKind::AttemptTimeout {
                    return Err(BoxError::from(error));
                }
                tokio::time::sleep(secs(1)).await;
            }
        }
    });
    let start = Instant::now();
    let total = under(TimeoutLayer::total(secs(12)), retry);
    let error = total
        .oneshot(Request::new(Body::empty()))
        .await
        .unwrap_err();
    let error = Error::from_boxed(error);
    let end = start + secs(12);
    assert_timed_out(&error, ErrorKind::DeadlineExceeded, Phase::Exchange, end);
    let mut seen = Vec::new();
    while let Some((kind, at)) = recorded.recv().await {
        seen.push((kind, (at - start).as_secs()));
    }
    assert_eq!(
        seen,
        [
            (ErrorKind::AttemptTimeout, 4),
            (ErrorKind::AttemptTimeout, 9),
            (ErrorKind::DeadlineExceeded, 12),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_time_runs_from_the_call_and_not_from_the_first_poll() {
    let end = Instant::now() + secs(5);
    let mut total = under(TimeoutLayer::total(secs(5)), answering_after(HOUR));
    let call = total.ready().await.unwrap().call(request());
    tokio::time::advance(secs(3)).await;
    let error = Error::from_boxed(call.await.unwrap_err());
    assert_timed_out(&error, ErrorKind::DeadlineExceeded, Phase::Exchange, end);
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_time_and_an_inner_error_pass_as_they_are() {
    let total = under(TimeoutLayer::total(secs(5)), answering_after(secs(4)));
    let response = total.oneshot(request()).await.unwrap();
    assert_eq!(response.into_body().into_inner(), "ok");

    let failing = tower::service_fn(|_: Request<()>| async {
        Err::<Response<()>, _>(std::io::Error::other("broken"))
    });
    let error = under(TimeoutLayer::total(secs(5)), failing)
        .oneshot(request())
        .await
        .unwrap_err();
    assert!(error.is::<std::io::Error>());
}

#[tokio::test(start_paused = true)]
async fn it_is_ready_when_the_inner_service_is_and_calls_that_very_one() {
    let inner = answering_after(secs(1));
    let probe = inner.handle();
    let mut total = under(TimeoutLayer::total(secs(5)), inner);
    probe.pending_ready();
    let waiting = std::future::poll_fn(|cx| Poll::Ready(total.poll_ready(cx).is_pending()));
    assert!(waiting.await);
    probe.allow_ready();
    let call = total.ready().await.unwrap().call(request());
    call.await.unwrap();
    assert_eq!((probe.calls(), probe.clones()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_total_handed_down_is_put_on_the_request_and_runs_no_timer() {
    let inner = tower::service_fn(|request: Request<()>| async move {
        let deadline = Deadline::of(&request);
        tokio::time::sleep(HOUR).await;
        Ok::<_, BoxError>(Response::new(deadline))
    });
    let deadline = Deadline::after(secs(5));
    let total = under(TimeoutLayer::total(secs(5)).handed_down(), inner);
    let response = total.oneshot(request()).await.unwrap();
    assert_eq!(response.into_body().into_inner(), Some(deadline));
}
