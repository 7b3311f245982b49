use http_body_util::BodyExt;
use standpipe_core::{Deadline, Origin};
use tower::ServiceExt;

use super::*;

/// TO-01, the attempt.
#[tokio::test(start_paused = true)]
async fn an_attempt_ends_the_wait_for_the_response_head() {
    let inner = answering_after(HOUR);
    let probe = inner.handle();
    let end = Instant::now() + secs(4);
    let attempt = under(TimeoutLayer::attempt(secs(4)), inner);
    let error = Error::from_boxed(attempt.oneshot(request()).await.unwrap_err());
    assert_timed_out(&error, ErrorKind::AttemptTimeout, Phase::Exchange, end);
    assert_eq!(probe.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_leaves_the_body_alone() {
    let (mut sender, body) = channel();
    let attempt = under(TimeoutLayer::attempt(secs(4)), answering_with(body));
    let mut body = attempt.oneshot(request()).await.unwrap().into_body();
    let late = tokio::spawn(async move {
        tokio::time::sleep(HOUR).await;
        sender.send_data("late".into()).await
    });
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "late"
    );
    late.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_includes_the_body_ends_it_too() {
    let (_sender, body) = channel();
    let end = Instant::now() + secs(4);
    let layer = TimeoutLayer::attempt(secs(4)).including_body();
    let response = under(layer, answering_with(body)).oneshot(request()).await;
    let error = response
        .unwrap()
        .into_body()
        .frame()
        .await
        .unwrap()
        .unwrap_err();
    assert_timed_out(&error, ErrorKind::AttemptTimeout, Phase::Body, end);
}

/// TO-02
#[tokio::test(start_paused = true)]
async fn where_the_deadline_comes_first_it_is_what_ran_out() {
    let mut late = request();
    Deadline::after(secs(3)).attach(&mut late);
    let end = Instant::now() + secs(3);
    let attempt = under(TimeoutLayer::attempt(secs(4)), answering_after(HOUR));
    let error = Error::from_boxed(attempt.oneshot(late).await.unwrap_err());
    assert_timed_out(&error, ErrorKind::DeadlineExceeded, Phase::Exchange, end);
}

/// A service that answers with the deadline it sees, an hour later.
fn telling_the_deadline() -> impl tower::Service<
    Request<()>,
    Response = Response<Option<Deadline>>,
    Error = BoxError,
    Future: Send,
> {
    tower::service_fn(|request: Request<()>| async move {
        tokio::time::sleep(HOUR).await;
        Ok(Response::new(Deadline::of(&request)))
    })
}

#[tokio::test(start_paused = true)]
async fn an_attempt_of_its_own_timer_changes_no_deadline() {
    let attempt = under(TimeoutLayer::attempt(HOUR * 2), telling_the_deadline());
    let response = attempt.oneshot(request()).await.unwrap();
    assert_eq!(response.into_body().into_inner(), None);
}

#[tokio::test(start_paused = true)]
async fn no_attempt_timeout_means_no_limit_and_no_deadline() {
    let attempt = under(TimeoutLayer::attempt(None), telling_the_deadline());
    let response = attempt.oneshot(request()).await.unwrap();
    assert_eq!(response.into_body().into_inner(), None);
}

#[tokio::test(start_paused = true)]
async fn handed_down_the_shorter_time_is_the_inner_deadline_and_no_timer_runs() {
    let layer = TimeoutLayer::attempt(secs(4)).handed_down();
    for (total, seen) in [(None, 4), (Some(9), 4), (Some(3), 3)] {
        let seen = Deadline::after(secs(seen));
        let mut request = request();
        if let Some(total) = total {
            Deadline::after(secs(total)).attach(&mut request);
        }
        let response = under(layer, telling_the_deadline()).oneshot(request).await;
        assert_eq!(response.unwrap().into_body().into_inner(), Some(seen));
    }
}

fn inner_error(kind: ErrorKind) -> Error {
    Error::new(kind)
        .with_phase(Phase::Acquire)
        .with_origin(Origin::parse("http://example.com").unwrap())
        .with_request_sent(RequestSent::No)
        .with_attempts(1)
}

#[tokio::test(start_paused = true)]
async fn handed_down_the_inner_error_says_whether_attempt_or_total_ran_out() {
    let layer = TimeoutLayer::attempt(secs(4)).handed_down();
    for (inner, total, outer) in [
        (ErrorKind::DeadlineExceeded, None, ErrorKind::AttemptTimeout),
        (
            ErrorKind::DeadlineExceeded,
            Some(9),
            ErrorKind::AttemptTimeout,
        ),
        (
            ErrorKind::DeadlineExceeded,
            Some(4),
            ErrorKind::DeadlineExceeded,
        ),
        (
            ErrorKind::DeadlineExceeded,
            Some(3),
            ErrorKind::DeadlineExceeded,
        ),
        (ErrorKind::QueueFull, None, ErrorKind::QueueFull),
    ] {
        let mut request = request();
        if let Some(total) = total {
            Deadline::after(secs(total)).attach(&mut request);
        }
        let failing = tower::service_fn(move |_: Request<()>| async move {
            Err::<Response<()>, _>(inner_error(inner))
        });
        let error = under(layer, failing).oneshot(request).await.unwrap_err();
        let error = Error::from_boxed(error);
        assert_eq!(error.kind(), outer, "{inner:?} with a total of {total:?}");
        assert_eq!(error.phase(), Some(Phase::Acquire));
        assert_eq!(error.origin().unwrap().as_str(), "http://example.com");
        assert_eq!(error.request_sent(), RequestSent::No);
        assert_eq!(error.attempts(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn handed_down_the_body_says_it_the_same_way() {
    for (total, kind) in [
        (9, ErrorKind::AttemptTimeout),
        (3, ErrorKind::DeadlineExceeded),
    ] {
        let mut request = request();
        Deadline::after(secs(total)).attach(&mut request);
        let (sender, body) = Channel::<Bytes, Error>::new(1);
        sender.abort(inner_error(ErrorKind::DeadlineExceeded));
        let layer = TimeoutLayer::attempt(secs(4)).handed_down();
        let response = under(layer, answering_with(body)).oneshot(request).await;
        let error = response
            .unwrap()
            .into_body()
            .frame()
            .await
            .unwrap()
            .unwrap_err();
        assert_eq!((error.kind(), error.phase()), (kind, Some(Phase::Acquire)));
    }
}
