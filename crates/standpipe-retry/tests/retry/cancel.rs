use super::*;
use standpipe_retry::Attempt;
use standpipe_test::Gate;

/// CAN-10
#[tokio::test(start_paused = true)]
async fn dropped_during_the_wait_no_further_attempt_is_sent() {
    let script = Script::statuses(&[503, 200]);
    let probe = script.service();
    let inner = probe.handle();
    let service = RetryLayer::new(plain()).layer(probe);
    let handle = service.handle();
    let sent = service.oneshot(get());
    assert!(tokio::time::timeout(millis(500), sent).await.is_err());
    // The dropped future has taken its copy of the service with it.
    assert_eq!(
        (inner.calls(), inner.clones(), inner.in_flight()),
        (1, 0, 0)
    );
    tokio::time::sleep(secs(60)).await;
    assert_eq!(inner.calls(), 1);
    // What was decided upon stays charged.
    assert_eq!(handle.stats().retries, 1);
}

/// CAN-10
#[tokio::test(start_paused = true)]
async fn dropped_at_any_await_nothing_stays() {
    // Calls, drains, waits, asks for readiness: a step of 50 ms meets each of them.
    let gate = Gate::new();
    for dropped_after in (0..8000).step_by(50) {
        let body = || futures_util::stream::pending::<Result<Bytes, BoxError>>();
        let failed = MockAnswer::from_fn(move || {
            Ok(Response::builder()
                .status(503)
                .body(Body::from_stream(body()))
                .unwrap())
        });
        let script = Script::new([failed.clone(), failed, status_of(200)]);
        let (inner, slow) = (script.clone(), gate.clone());
        let probe = Probe::new(move |request: Request<Body>| -> Answering {
            let (inner, slow) = (inner.clone(), slow.clone());
            Box::pin(async move {
                let _ = tokio::time::timeout(millis(120), slow.wait()).await;
                inner.answer(request).await
            })
        });
        let handle = probe.handle();
        let sent = RetryLayer::new(plain()).layer(probe).oneshot(post());
        let _ = tokio::time::timeout(millis(dropped_after), sent).await;
        let calls = handle.calls();
        tokio::time::sleep(secs(60)).await;
        assert_eq!(
            (handle.calls(), handle.clones(), handle.in_flight()),
            (calls, 0, 0)
        );
    }
}

/// CAN-11: the decision is made in the request's own future, so there is no late one.
#[tokio::test(start_paused = true)]
async fn dropped_while_a_callback_decides_its_decision_is_of_no_effect() {
    let asked = Arc::new(Mutex::new(0));
    let count = asked.clone();
    let layer = RetryLayer::new(plain()).judge(move |attempt: &Attempt<'_>| {
        *count.lock() += 1;
        standpipe_retry::Policy::judge(&RetryPolicy::new(), attempt)
    });
    let gate = Gate::new();
    let (script, wait) = (Script::statuses(&[503, 200]), gate.clone());
    let inner = script.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (inner, wait) = (inner.clone(), wait.clone());
        async move {
            wait.wait().await;
            inner.answer(request).await
        }
    });
    let sent = tokio::spawn(layer.layer(service).oneshot(get()));
    gate.arrived(1).await;
    sent.abort();
    assert!(sent.await.unwrap_err().is_cancelled());
    gate.open();
    tokio::time::sleep(secs(60)).await;
    assert_eq!(*asked.lock(), 0);
    assert_eq!(script.calls(), 0);
}

/// RTY-22: once the head is handed out, a body that breaks is the caller's.
#[tokio::test(start_paused = true)]
async fn nothing_is_tried_again_once_the_head_was_handed_out() {
    let broken = MockResponse {
        body: MockBody::stream()
            .chunk("half")
            .fail(ErrorKind::ConnectionClosed),
        ..Default::default()
    };
    let script = Script::new([broken.into(), status_of(200)]);
    let response = send(&RetryLayer::new(plain()), &script, get())
        .await
        .unwrap();
    assert!(response.into_body().collect().await.is_err());
    assert_eq!(script.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_threads_share_one_service() {
    let policy = RetryPolicy::new()
        .backoff(ExponentialBackoff::new(Duration::ZERO))
        .budget(None);
    let script = Script::statuses(&[503]);
    let service = RetryLayer::new(policy).layer(script.service());
    let tasks: Vec<_> = (0..64)
        .map(|_| tokio::spawn(service.clone().oneshot(post())))
        .collect();
    for task in tasks {
        assert_eq!(status(&task.await.unwrap()), 503);
    }
    assert_eq!(
        (script.calls(), service.handle().stats().retries),
        (256, 192)
    );
}
