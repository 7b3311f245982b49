use super::*;
use standpipe_retry::RequestRetry;

fn wishing(wish: RequestRetry) -> Request<Body> {
    let mut request = post();
    request.extensions_mut().insert(wish);
    request
}

#[tokio::test(start_paused = true)]
async fn a_request_may_have_no_retry() {
    let script = Script::statuses(&[503, 200]);
    let response = send(
        &RetryLayer::new(plain()),
        &script,
        wishing(RequestRetry::off()),
    )
    .await
    .unwrap();
    assert_eq!((response.status().as_u16(), script.calls()), (503, 1));
    assert!(response.extensions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_request_may_have_a_policy_of_its_own() {
    let own = plain()
        .max_retries(1)
        .statuses([500])
        .backoff(ExponentialBackoff::new(secs(9)).jitter(Jitter::None));
    // The layer's own judge and backoff are replaced with the rest.
    let layer = RetryLayer::new(plain())
        .judge(|_: &standpipe_retry::Attempt<'_>| standpipe_retry::Decision::Final)
        .backoff(|_| secs(77));
    let script = Script::statuses(&[500]);
    send(&layer, &script, wishing(RequestRetry::policy(own.clone())))
        .await
        .unwrap();
    assert_eq!(script.waits(), [secs(9)]);
    let script = Script::statuses(&[503, 200]);
    send(&layer, &script, wishing(RequestRetry::policy(own)))
        .await
        .unwrap();
    assert_eq!(script.calls(), 1);
    // Also where the layer's own retries nothing.
    let script = Script::statuses(&[503, 200]);
    let off = RetryLayer::new(RetryPolicy::none());
    let got = send(&off, &script, wishing(RequestRetry::policy(plain()))).await;
    assert_eq!(status(&got), 200);
}

#[tokio::test(start_paused = true)]
async fn a_request_may_have_a_hook_of_its_own() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let (layers, requests) = (log.clone(), log.clone());
    let layer = RetryLayer::new(plain())
        .on_retry(move |retry| layers.lock().push(("layer", retry.attempts())));
    let wish = RequestRetry::new()
        .on_retry(move |retry| requests.lock().push(("request", retry.attempts())));
    let script = Script::statuses(&[503, 503, 200]);
    send(&layer, &script, wishing(wish)).await.unwrap();
    send(&layer, &Script::statuses(&[503, 200]), get())
        .await
        .unwrap();
    assert_eq!(
        *log.lock(),
        [
            ("layer", 1),
            ("request", 1),
            ("layer", 2),
            ("request", 2),
            ("layer", 1)
        ]
    );
}

/// STALE-09: what the request carries is there on each attempt.
#[tokio::test(start_paused = true)]
async fn each_attempt_has_the_callers_uri_version_and_extensions() {
    #[derive(Clone, Debug, PartialEq)]
    struct Mine(u32);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = seen.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let mine = request.extensions().get::<Mine>().cloned();
        keep.lock()
            .push((request.uri().clone(), request.version(), mine));
        async { Ok::<_, BoxError>(answer(503)) }
    });
    let mut request = Request::get("http://example.com:81/a?b")
        .body(Body::empty())
        .unwrap();
    *request.version_mut() = http::Version::HTTP_2;
    request.extensions_mut().insert(Mine(7));
    RetryLayer::new(plain())
        .layer(service)
        .oneshot(request)
        .await
        .unwrap();
    let expected = (
        "http://example.com:81/a?b".parse().unwrap(),
        http::Version::HTTP_2,
        Some(Mine(7)),
    );
    assert_eq!(*seen.lock(), vec![expected; 4]);
}
