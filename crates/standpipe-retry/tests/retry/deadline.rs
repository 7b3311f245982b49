use super::*;
use standpipe_core::{Deadline, RetryInfo};
use standpipe_timeout::TimeoutLayer;
use tower::ServiceBuilder;

fn within(total: Duration, mut request: Request<Body>) -> Request<Body> {
    Deadline::after(total).attach(&mut request);
    request
}

/// RTY-10, TO-03
#[tokio::test(start_paused = true)]
async fn a_wait_that_would_outlast_the_deadline_gives_the_answer_at_once() {
    let script = Script::new([with_headers(429, &[("retry-after", "60")]), status_of(200)]);
    let begun = Instant::now();
    let response = send(&RetryLayer::new(plain()), &script, within(secs(30), get()))
        .await
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), begun.elapsed()),
        (429, Duration::ZERO)
    );
    assert_eq!(response.headers()["retry-after"], "60");
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "429"
    );
}

/// TO-03
#[tokio::test(start_paused = true)]
async fn a_backoff_that_would_outlast_the_deadline_gives_the_last_error_at_once() {
    let script = Script::new([failing(Error::new(ErrorKind::Connect))]);
    let begun = Instant::now();
    let last = error(
        send(
            &RetryLayer::new(plain()),
            &script,
            within(millis(2500), get()),
        )
        .await,
    );
    assert_eq!(
        begun.elapsed(),
        secs(1),
        "the second wait would have been 2 s"
    );
    assert_eq!(last.kind(), ErrorKind::Connect);
    assert_eq!(
        last.retry_info(),
        Some(RetryInfo::new(2, secs(1)).given_up())
    );
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_would_begin_at_the_deadline_is_not_made() {
    for (total, calls) in [(1000, 1), (1001, 2)] {
        let script = Script::statuses(&[503]);
        send(
            &RetryLayer::new(plain()),
            &script,
            within(millis(total), get()),
        )
        .await
        .unwrap();
        assert_eq!(script.calls(), calls, "{total}");
    }
}

/// TO-02: each attempt carries the deadline, in our body and beside a foreign one.
#[tokio::test(start_paused = true)]
async fn every_attempt_carries_the_deadline() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = seen.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        keep.lock().push(Deadline::of(&request));
        async { Ok::<_, BoxError>(answer(503)) }
    });
    let request = within(secs(100), get());
    let deadline = Deadline::of(&request);
    RetryLayer::new(plain())
        .layer(service)
        .oneshot(request)
        .await
        .unwrap();
    assert_eq!(*seen.lock(), [deadline; 4]);

    let keep = seen.clone();
    keep.lock().clear();
    let service = tower::service_fn(move |request: Request<()>| {
        keep.lock().push(Deadline::of(&request));
        async { Ok::<_, BoxError>(answer(503)) }
    });
    let mut request = Request::new(());
    let deadline = Some(Deadline::after(secs(100)).attach(&mut request));
    RetryLayer::new(plain())
        .layer(service)
        .oneshot(request)
        .await
        .unwrap();
    assert_eq!(*seen.lock(), [deadline; 4]);
}

/// TO-02: an attempt gets its own time or what is left, whichever is less.
#[tokio::test(start_paused = true)]
async fn an_attempt_gets_the_lesser_of_its_timeout_and_what_is_left() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = seen.clone();
    let begun = Instant::now();
    let client = ServiceBuilder::new()
        .layer(TimeoutLayer::total(secs(12)))
        .layer(RetryLayer::new(plain()))
        .layer(TimeoutLayer::attempt(secs(5)))
        .service_fn(move |_: Request<Body>| {
            keep.lock().push(begun.elapsed());
            async {
                std::future::pending::<()>().await;
                Ok::<_, BoxError>(answer(200))
            }
        });
    let last = Error::from_boxed(client.oneshot(get()).await.unwrap_err());
    // 0 to 5 s, wait of 1 s, 6 to 11 s; the wait of 2 s would end after 12 s.
    assert_eq!(*seen.lock(), [secs(0), secs(6)]);
    assert_eq!(
        (last.kind(), last.attempts()),
        (ErrorKind::AttemptTimeout, 2)
    );
    assert_eq!(begun.elapsed(), secs(11));
}

/// TO-02: the attempt's deadline, handed down on the request, is not the next attempt's.
#[tokio::test(start_paused = true)]
async fn a_deadline_put_on_one_attempt_below_does_not_stay_for_the_next() {
    let left = Arc::new(Mutex::new(Vec::new()));
    let keep = left.clone();
    let client = ServiceBuilder::new()
        .layer(TimeoutLayer::total(secs(8)))
        .layer(RetryLayer::new(plain()))
        .layer(TimeoutLayer::attempt(secs(5)).handed_down())
        .service_fn(move |request: Request<Body>| {
            keep.lock()
                .push(Deadline::of(&request).unwrap().remaining());
            async { Ok::<_, BoxError>(answer(503)) }
        });
    client.oneshot(get()).await.unwrap();
    assert_eq!(*left.lock(), [secs(5), secs(5), secs(5), secs(1)]);
}

/// What is left of the time is the next attempt's, not the failed answer's.
#[tokio::test(start_paused = true)]
async fn the_rest_of_an_answer_is_read_within_the_deadline() {
    for (total, wait, begins) in [(60, "0", 0), (60, "20", 20), (100, "0", 0), (101, "0", 100)] {
        let stalled = MockResponse {
            status: 503,
            headers: [("retry-after-ms", wait)].into(),
            body: MockBody::stream().chunk("begun").hang(),
            ..Default::default()
        };
        let script = Script::new([stalled.into(), status_of(200)]);
        let request = within(millis(total), get());
        let got = send(&RetryLayer::new(plain()), &script, request).await;
        assert_eq!(status(&got), 200);
        assert_eq!(script.waits(), [millis(begins)], "{total} {wait}");
    }
}
