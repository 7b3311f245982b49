use http_body_util::BodyExt;
use standpipe_core::{Body, Deadline};
use standpipe_timeout::RequestTimeout;
use tower::ServiceExt;

use super::*;

/// What becomes of a request with `own` under `layer`, when its answer takes an hour.
async fn outcome(layer: TimeoutLayer, own: RequestTimeout) -> (Result<(), ErrorKind>, Duration) {
    let start = Instant::now();
    let mut request = request();
    request.extensions_mut().insert(own);
    let result = under(layer, answering_after(HOUR)).oneshot(request).await;
    let result = result
        .map(|_| ())
        .map_err(|error| Error::from_boxed(error).kind());
    let took = Duration::from_secs(start.elapsed().as_secs());
    (result, took)
}

#[tokio::test(start_paused = true)]
async fn a_requests_own_time_replaces_the_layers_shorter_or_longer() {
    let exceeded = Err(ErrorKind::DeadlineExceeded);
    for (own, expected) in [
        (RequestTimeout::total(secs(2)), (exceeded, secs(2))),
        (RequestTimeout::total(secs(60)), (exceeded, secs(60))),
        (RequestTimeout::total(HOUR * 2), (Ok(()), HOUR)),
        (RequestTimeout::none(), (Ok(()), HOUR)),
        (RequestTimeout::streaming(secs(2)), (Ok(()), HOUR)),
    ] {
        assert_eq!(
            outcome(TimeoutLayer::total(secs(5)), own).await,
            expected,
            "{own:?}"
        );
        assert_eq!(
            outcome(TimeoutLayer::total(None), own).await,
            expected,
            "{own:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_keeps_its_time_whatever_the_request_says() {
    let expected = (Err(ErrorKind::AttemptTimeout), secs(4));
    for own in [RequestTimeout::none(), RequestTimeout::total(secs(2))] {
        assert_eq!(outcome(TimeoutLayer::attempt(secs(4)), own).await, expected);
    }
}

/// TO-04
#[tokio::test(start_paused = true)]
async fn a_streaming_request_may_outlast_the_total_and_ends_by_silence() {
    let (mut sender, body) = channel();
    let mut request = request();
    request
        .extensions_mut()
        .insert(RequestTimeout::streaming(secs(10)));
    let service = under(TimeoutLayer::total(secs(5)), answering_with(body));
    let mut body = service.oneshot(request).await.unwrap().into_body();
    let peer = tokio::spawn(async move {
        for _ in 0..5 {
            tokio::time::sleep(secs(9)).await;
            sender.send_data("x".into()).await.unwrap();
        }
        sender
    });
    for _ in 0..5 {
        assert!(body.frame().await.unwrap().is_ok());
    }
    let end = Instant::now() + secs(10);
    let error = body.frame().await.unwrap().unwrap_err();
    assert_timed_out(&error, ErrorKind::BodyIdleTimeout, Phase::Body, end);
    drop(peer.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn with_a_total_and_an_idle_timeout_the_one_that_comes_first_ends_the_body() {
    for (total, frames, kind, end) in [
        (25, 2, ErrorKind::DeadlineExceeded, 25),
        (28, 2, ErrorKind::DeadlineExceeded, 28),
        (29, 2, ErrorKind::BodyIdleTimeout, 28),
    ] {
        let start = Instant::now();
        let (mut sender, body) = channel();
        let own = RequestTimeout::total(secs(total)).body_idle(secs(10));
        let service = under(TimeoutLayer::new(own), answering_with(body));
        let mut body = service.oneshot(request()).await.unwrap().into_body();
        let peer = tokio::spawn(async move {
            for _ in 0..frames {
                tokio::time::sleep(secs(9)).await;
                sender.send_data("x".into()).await.unwrap();
            }
            sender
        });
        for _ in 0..frames {
            assert!(body.frame().await.unwrap().is_ok());
        }
        let error = body.frame().await.unwrap().unwrap_err();
        assert_timed_out(&error, kind, Phase::Body, start + secs(end));
        drop(peer.await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_on_the_request_holds_even_where_it_asks_for_no_timeout() {
    let end = Instant::now() + secs(1);
    let mut request = Request::new(Body::empty());
    request.extensions_mut().insert(RequestTimeout::none());
    Deadline::after(secs(1)).attach(&mut request);
    let total = under(TimeoutLayer::total(secs(5)), answering_after(HOUR));
    let error = Error::from_boxed(total.oneshot(request).await.unwrap_err());
    assert_timed_out(&error, ErrorKind::DeadlineExceeded, Phase::Exchange, end);
}

/// TO-04
#[tokio::test(start_paused = true)]
async fn a_limit_on_the_head_ends_the_wait_for_it_and_leaves_the_body_alone() {
    let own = RequestTimeout::streaming(secs(60)).head(secs(3));
    for layer in [
        TimeoutLayer::total(secs(5)),
        TimeoutLayer::total(secs(5)).handed_down(),
    ] {
        let expected = (Err(ErrorKind::ResponseTimeout), secs(3));
        assert_eq!(outcome(layer, own).await, expected);
        let shorter = RequestTimeout::total(secs(2)).head(secs(3));
        let begun = outcome(TimeoutLayer::total(None), shorter).await;
        assert_eq!(begun, (Err(ErrorKind::DeadlineExceeded), secs(2)));

        let (mut sender, body) = channel();
        let mut request = request();
        request.extensions_mut().insert(own);
        let service = under(layer, answering_with(body));
        let mut body = service.oneshot(request).await.unwrap().into_body();
        tokio::time::advance(HOUR).await;
        sender.send_data("late".into()).await.unwrap();
        assert!(body.frame().await.unwrap().is_ok());
    }
}

/// TO-04
#[tokio::test(start_paused = true)]
async fn a_limit_on_the_head_that_is_handed_down_is_told_by_its_own_name() {
    let knows_deadlines = || {
        tower::service_fn(|request: Request<()>| async move {
            let deadline = Deadline::of(&request).expect("a deadline");
            tokio::time::sleep_until(deadline.instant()).await;
            let error = Error::new(ErrorKind::DeadlineExceeded).with_request_sent(RequestSent::No);
            Err::<Response<Body>, BoxError>(error.into())
        })
    };
    for (own, kind, end) in [
        (
            RequestTimeout::none().head(secs(3)),
            ErrorKind::ResponseTimeout,
            3,
        ),
        (
            RequestTimeout::total(secs(9)).head(secs(3)),
            ErrorKind::ResponseTimeout,
            3,
        ),
        (
            RequestTimeout::total(secs(2)).head(secs(3)),
            ErrorKind::DeadlineExceeded,
            2,
        ),
    ] {
        let start = Instant::now();
        let mut request = request();
        request.extensions_mut().insert(own);
        let layer = TimeoutLayer::total(secs(5)).handed_down_to_head();
        let error = under(layer, knows_deadlines()).oneshot(request).await;
        let error = Error::from_boxed(error.unwrap_err());
        assert_eq!(error.kind(), kind);
        assert_eq!(error.request_sent(), RequestSent::No);
        let late = start.elapsed() - secs(end);
        assert!(late <= Duration::from_millis(1), "{late:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_total_goes_on_after_a_head_that_was_in_time() {
    let (sender, body) = channel();
    let own = RequestTimeout::total(secs(9)).head(secs(3));
    let layer = TimeoutLayer::new(own).handed_down_to_head();
    let end = Instant::now() + secs(9);
    let service = under(layer, answering_with(body));
    let mut body = service.oneshot(request()).await.unwrap().into_body();
    let error = body.frame().await.unwrap().unwrap_err();
    assert_timed_out(&error, ErrorKind::DeadlineExceeded, Phase::Body, end);
    drop(sender);
}
