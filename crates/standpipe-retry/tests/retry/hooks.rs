use super::*;
use standpipe_retry::GiveUpReason;

/// RTY-20: fresh credentials, and attempts counted in a header.
#[tokio::test(start_paused = true)]
async fn before_each_attempt_the_hook_sees_its_number_and_may_change_the_head() {
    let layer = RetryLayer::new(plain()).before_attempt(|parts, n| {
        parts.headers.insert("x-retry-count", n.into());
        parts
            .headers
            .append("authorization", format!("token {n}").parse()?);
        Ok(())
    });
    let script = Script::statuses(&[503, 503, 200]);
    let mut request = post();
    request.headers_mut().insert("x-mine", "1".parse().unwrap());
    send(&layer, &script, request).await.unwrap();
    let seen = script.seen();
    assert_eq!(seen.len(), 3);
    for (n, seen) in seen.iter().enumerate() {
        assert_eq!(seen.headers["x-retry-count"], n.to_string());
        let tokens: Vec<_> = seen.headers.get_all("authorization").iter().collect();
        assert_eq!(
            tokens,
            [&format!("token {n}")],
            "each begins with the caller's head"
        );
        assert_eq!(
            (&seen.headers["x-mine"], &seen.body[..]),
            (&"1".parse().unwrap(), &b"data"[..])
        );
    }
}

/// RTY-20
#[tokio::test(start_paused = true)]
async fn the_hook_before_an_attempt_stops_with_its_own_error() {
    for stop in [0, 1] {
        let layer = RetryLayer::new(plain()).before_attempt(move |_, n| match n == stop {
            true => Err("the token could not be renewed".into()),
            false => Ok(()),
        });
        let script = Script::statuses(&[503, 200]);
        let last = error(send(&layer, &script, get()).await);
        let source = std::error::Error::source(&last).unwrap();
        assert_eq!(source.to_string(), "the token could not be renewed");
        assert_eq!((script.calls(), last.attempts()), (stop as usize, stop));
    }
}

#[tokio::test(start_paused = true)]
async fn the_hooks_see_each_retry_and_the_end() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let (retries, ends) = (log.clone(), log.clone());
    let layer = RetryLayer::new(plain().max_retries(2))
        .on_retry(move |retry| {
            let what = retry.status().map(|status| status.to_string());
            let what = what.or(retry.error().map(|error| error.kind().as_str().to_owned()));
            let origin = retry.origin().unwrap();
            retries.lock().push(format!(
                "{} {} {:?} {origin}",
                retry.attempts(),
                what.unwrap(),
                retry.delay()
            ));
        })
        .on_give_up(move |end| {
            assert_eq!(end.reason(), GiveUpReason::Attempts);
            let error = end.error().unwrap().kind();
            ends.lock()
                .push(format!("{} {error:?} {:?}", end.attempts(), end.waited()));
        });
    let refused = failing(Error::new(ErrorKind::Connect));
    let script = Script::new([status_of(503), refused]);
    assert!(send(&layer, &script, get()).await.is_err());
    assert_eq!(
        *log.lock(),
        [
            "1 503 Service Unavailable 1s http://example.com",
            "2 connect 2s http://example.com",
            "3 Connect 3s",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn each_reason_to_give_up_has_its_word() {
    for (reason, word) in [
        (GiveUpReason::Attempts, "attempts"),
        (GiveUpReason::Budget, "budget"),
        (GiveUpReason::Deadline, "deadline"),
        (GiveUpReason::RetryAfter, "retry_after"),
        (GiveUpReason::Body, "body"),
        (GiveUpReason::Peeked, "peeked"),
    ] {
        assert_eq!(reason.as_str(), word);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_panics_harms_its_own_request_alone() {
    let layer = RetryLayer::new(plain()).on_retry(|retry| {
        assert_ne!(retry.uri().path(), "/panic", "on purpose");
    });
    let script = Script::statuses(&[503, 503, 503, 200]);
    let service = layer.layer(script.service());
    let request = Request::get("http://a/panic").body(Body::empty()).unwrap();
    let panicked = tokio::spawn(service.clone().oneshot(request)).await;
    assert!(panicked.unwrap_err().is_panic());
    assert_eq!(status(&service.clone().oneshot(get()).await), 200);
    assert_eq!(service.handle().stats().retries, 3);
}

/// RTY-23, and the clone that is not ready: [`Probe`] panics when it is called so.
#[tokio::test(start_paused = true)]
async fn each_attempt_waits_until_the_inner_service_is_ready() {
    let script = Script::statuses(&[503, 200]);
    let probe = script.service();
    let inner = probe.handle();
    let mut service = RetryLayer::new(plain()).layer(probe);
    let service = service.ready().await.unwrap();
    inner.pending_ready();
    let mut answer = tokio::spawn(tower::Service::call(service, get()));
    assert!(tokio::time::timeout(secs(60), &mut answer).await.is_err());
    assert_eq!(inner.calls(), 1);
    inner.allow_ready();
    assert_eq!(status(&answer.await.unwrap()), 200);
    assert_eq!(inner.calls(), 2);
}

/// RTY-23
#[tokio::test(start_paused = true)]
async fn readiness_that_fails_before_a_retry_is_the_error() {
    #[derive(Clone)]
    struct Once(bool);
    impl tower::Service<Request<Body>> for Once {
        type Response = Response<Body>;
        type Error = BoxError;
        type Future = std::future::Ready<Answer>;
        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), BoxError>> {
            std::task::Poll::Ready(match std::mem::replace(&mut self.0, true) {
                false => Ok(()),
                true => Err(Error::new(ErrorKind::Shutdown).into()),
            })
        }
        fn call(&mut self, _: Request<Body>) -> Self::Future {
            std::future::ready(Ok(answer(503)))
        }
    }
    let mut service = RetryLayer::new(plain()).layer(Once(false));
    let called = tower::Service::call(service.ready().await.unwrap(), get());
    let last = error(called.await);
    assert_eq!((last.kind(), last.attempts()), (ErrorKind::Shutdown, 1));
}
