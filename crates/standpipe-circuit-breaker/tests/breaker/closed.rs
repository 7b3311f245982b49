use super::*;
use standpipe_core::RequestSent;

/// BRK-01
#[tokio::test(start_paused = true)]
async fn five_failures_in_a_row_open_it_and_four_do_not() {
    let rig = rig(config());
    for failure in [
        Do::Answer(500),
        Do::Fail(ErrorKind::Connect),
        Do::Answer(503),
    ] {
        let _ = rig.send(failure).await;
    }
    let _ = rig.send(Do::Fail(ErrorKind::ResponseTimeout)).await;
    assert_eq!(rig.circuit.state(), State::Closed);
    assert_eq!(rig.send(Do::Answer(599)).await.unwrap().status(), 599);
    assert_eq!(rig.circuit.state(), State::Open);
    assert_eq!(rig.circuit.counts().failures, 5);
}

/// BRK-12, BRK-13
#[tokio::test(start_paused = true)]
async fn what_says_nothing_neither_counts_nor_ends_a_row_of_failures() {
    let rig = rig(config().threshold(2));
    let waited = ErrorKind::AcquireTimeout {
        waited: SECOND,
        in_use: 1,
        limit: 1,
    };
    let nothing = [
        Do::Answer(429),
        Do::Fail(ErrorKind::RateLimited),
        Do::Fail(ErrorKind::QueueFull),
        Do::Fail(ErrorKind::Shutdown),
        Do::Fail(waited),
    ];
    let _ = rig.send(Do::Answer(500)).await;
    for request in nothing.clone() {
        let _ = rig.send(request).await;
    }
    assert_eq!(rig.circuit.state(), State::Closed);
    assert_eq!(rig.circuit.counts().ignored, nothing.len() as u64);
    let _ = rig.send(Do::Answer(500)).await;
    assert_eq!(rig.circuit.state(), State::Open);
}

/// BRK-12: 4xx says that the service is there, so it ends a row of failures.
#[tokio::test(start_paused = true)]
async fn a_client_error_is_a_success() {
    let rig = rig(config().threshold(2));
    for code in [500, 404, 500, 401, 500] {
        let _ = rig.send(Do::Answer(code)).await;
    }
    assert_eq!(rig.circuit.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_timed_out_in_our_own_pool_is_ignored() {
    let classify = |sent| {
        let error = Error::new(ErrorKind::AttemptTimeout).with_request_sent(sent);
        let layer = CircuitBreakerLayer::new(config().threshold(1)).unwrap();
        let breaker = layer.layer(tower::service_fn(move |_: ()| {
            let error = BoxError::from(error.clone());
            async move { Err::<Response<()>, _>(error) }
        }));
        let circuit = breaker.handle();
        async move {
            let _ = breaker.oneshot(()).await;
            circuit.state()
        }
    };
    assert_eq!(classify(RequestSent::No).await, State::Closed);
    assert_eq!(classify(RequestSent::Maybe).await, State::Open);
}

/// BRK-09
#[tokio::test(start_paused = true)]
async fn a_result_from_before_the_trip_means_nothing() {
    let rig = rig(config().threshold(2));
    let (slow_success, one) = rig.begin(200).await;
    let (slow_failure, two) = rig.begin(500).await;
    rig.trip_and_wait().await;
    let (probe, three) = rig.begin(200).await;
    assert_eq!(rig.circuit.state(), State::HalfOpen);

    slow_failure.open();
    assert_eq!(two.await.unwrap().unwrap().status(), 500);
    assert_eq!(rig.circuit.state(), State::HalfOpen);
    slow_success.open();
    assert_eq!(one.await.unwrap().unwrap().status(), 200);
    assert_eq!(rig.circuit.state(), State::HalfOpen);
    assert_eq!(rig.circuit.counts().late, 2);

    probe.open();
    three.await.unwrap().unwrap();
    assert_eq!(rig.circuit.state(), State::Closed);
}

/// BRK-09: nor does one from two closed periods ago.
#[tokio::test(start_paused = true)]
async fn a_failure_from_before_a_recovery_does_not_count_after_it() {
    let rig = rig(config().threshold(2));
    let (gate, old) = rig.begin(500).await;
    rig.trip_and_wait().await;
    rig.send(Do::Answer(200)).await.unwrap();
    assert_eq!(rig.circuit.state(), State::Closed);
    let _ = rig.send(Do::Answer(500)).await;
    gate.open();
    let _ = old.await.unwrap();
    assert_eq!(rig.circuit.state(), State::Closed);
}

#[tokio::test]
async fn successes_are_counted_where_that_is_asked_for() {
    let with = rig(config().count_successes(true));
    let without = rig(config());
    let window = standpipe_circuit_breaker::Window::by_count(10);
    let windowed = rig(config().window(window));
    for rig in [&with, &without, &windowed] {
        for _ in 0..3 {
            rig.send(Do::Answer(200)).await.unwrap();
        }
    }
    assert_eq!(with.circuit.counts().successes, Some(3));
    assert_eq!(without.circuit.counts().successes, None);
    assert_eq!(windowed.circuit.counts().successes, Some(3));
}

/// BRK-18: `HostRouterLayer` makes a layer for each host, and so a circuit.
#[tokio::test]
async fn each_service_of_a_layer_has_its_own_circuit_unless_it_is_shared() {
    let layer = CircuitBreakerLayer::new(config().threshold(1)).unwrap();
    let (one, two) = (layer.layer(inner()), layer.clone().layer(inner()));
    let _ = one.clone().oneshot(Do::Answer(500)).await;
    assert_eq!(one.handle().state(), State::Open);
    assert_eq!(two.handle().state(), State::Closed);

    let circuit = Handle::new(&config().threshold(1)).unwrap();
    let layer = CircuitBreakerLayer::shared(circuit.clone());
    let (one, two) = (layer.layer(inner()), layer.layer(inner()));
    let _ = one.oneshot(Do::Answer(500)).await;
    assert_eq!(circuit.state(), State::Open);
    assert!(two.oneshot(Do::Answer(200)).await.is_err());
}

/// What is no HTTP: a response of any type, and a closure to judge it.
#[tokio::test(start_paused = true)]
async fn any_service_can_have_a_breaker() {
    use standpipe_circuit_breaker::NoRetryAfter;
    use standpipe_core::Outcome;
    let judge = |result: &Result<i32, BoxError>| match result {
        Ok(n) if *n >= 0 => Outcome::Success,
        _ => Outcome::Failure,
    };
    let echo = || tower::service_fn(|n: i32| async move { Ok::<_, std::io::Error>(n) });
    let own = CircuitBreakerLayer::with_classifier(config().threshold(1), judge).unwrap();
    let own = own.layer(echo());
    assert_eq!(own.clone().oneshot(7).await.unwrap(), 7);
    assert_eq!(own.clone().oneshot(-7).await.unwrap(), -7);
    assert!(own.clone().oneshot(7).await.is_err());
    let same = CircuitBreakerLayer::shared(own.handle());
    let same = same
        .classifier(judge)
        .retry_after(NoRetryAfter)
        .layer(echo());
    assert!(same.oneshot(7).await.is_err());
}
