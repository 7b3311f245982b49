use super::*;
use futures_util::FutureExt;
use standpipe_circuit_breaker::AtHead;
use standpipe_core::Outcome;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The payload of the panic that `call` ends with.
async fn panic_of(call: impl Future<Output = Answer>) -> String {
    let payload = AssertUnwindSafe(call).catch_unwind().await.unwrap_err();
    payload.downcast_ref::<&str>().unwrap().to_string()
}

/// BRK-15, PAN-01
#[tokio::test(start_paused = true)]
async fn a_call_that_panics_is_a_failure_and_the_panic_goes_on() {
    let rig = rig(config().threshold(2));
    assert_eq!(panic_of(rig.send(Do::Panic)).await, "the call panics");
    assert_eq!(rig.circuit.counts().failures, 1);
    assert_eq!(
        panic_of(rig.send(Do::PanicInCall)).await,
        "the call itself panics"
    );
    assert_eq!(rig.circuit.state(), State::Open);
}

/// BRK-15: its place is free before the future that panicked is dropped.
#[tokio::test(start_paused = true)]
async fn a_probe_that_panics_opens_it_again() {
    for request in [Do::Panic, Do::PanicInCall] {
        let rig = rig(config().threshold(1));
        rig.trip_and_wait().await;
        let mut probe = Box::pin(rig.send(request));
        assert!(AssertUnwindSafe(&mut probe).catch_unwind().await.is_err());
        assert_eq!(rig.circuit.state(), State::Open);
        assert_eq!(rig.refused().await.retry_after(), Some(60 * SECOND));
    }
}

/// PAN-01
#[tokio::test(start_paused = true)]
async fn a_classifier_that_panics_fails_its_own_call_alone() {
    let layer = CircuitBreakerLayer::new(config().threshold(2)).unwrap();
    let judge = |result: &Answer| match result.as_ref().unwrap().status().as_u16() {
        200 => Outcome::Success,
        _ => panic!("the classifier panics"),
    };
    let breaker = layer.classifier(judge).layer(inner());
    let circuit = breaker.handle();
    let send = |code| breaker.clone().oneshot(Do::Answer(code));
    assert_eq!(panic_of(send(500)).await, "the classifier panics");
    assert_eq!(circuit.counts().failures, 1);
    send(200).await.unwrap();
    assert_eq!(circuit.state(), State::Closed);
    panic_of(send(500)).await;
    panic_of(send(500)).await;
    assert_eq!(circuit.state(), State::Open);
    tokio::time::advance(30 * SECOND).await;
    panic_of(send(500)).await;
    assert_eq!(circuit.state(), State::Open);
    tokio::time::advance(60 * SECOND).await;
    send(200).await.unwrap();
    assert_eq!(circuit.state(), State::Closed);
}

/// A panic elsewhere in the task drops this call as any other reason would.
#[tokio::test(start_paused = true)]
async fn a_call_that_another_ones_panic_drops_is_only_dropped() {
    let rig = rig(config().threshold(1));
    let innocent = rig.send(Do::Hang);
    let task = tokio::spawn(async move {
        let mut innocent = Box::pin(innocent);
        assert!(futures_util::poll!(&mut innocent).is_pending());
        panic!("something else");
    });
    assert!(task.await.unwrap_err().is_panic());
    let counts = rig.circuit.counts();
    assert_eq!((counts.failures, counts.ignored), (0, 1));
}

/// BRK-17
#[tokio::test(start_paused = true)]
async fn a_listener_that_panics_harms_neither_the_call_nor_the_breaker_nor_the_others() {
    let told = Arc::new(AtomicUsize::new(0));
    let rig = rig(config().threshold(1));
    rig.circuit.on_transition(|_| panic!("the listener panics"));
    let count = Arc::clone(&told);
    rig.circuit.on_transition(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    assert_eq!(rig.send(Do::Answer(500)).await.unwrap().status(), 500);
    assert_eq!(rig.circuit.state(), State::Open);
    tokio::time::advance(30 * SECOND).await;
    rig.send(Do::Answer(200)).await.unwrap();
    assert_eq!(rig.circuit.state(), State::Closed);
    assert_eq!(told.load(Ordering::SeqCst), 3);
    // Also where the transition comes from a panic, in the midst of its unwinding.
    assert_eq!(panic_of(rig.send(Do::Panic)).await, "the call panics");
    assert_eq!(
        (rig.circuit.state(), told.load(Ordering::SeqCst)),
        (State::Open, 4)
    );
}

/// PAN-01
#[tokio::test(start_paused = true)]
async fn a_retry_after_that_panics_is_the_calls_failure() {
    let read = |_: &Response<()>| -> Option<Duration> { panic!("the reader panics") };
    let layer = CircuitBreakerLayer::<AtHead>::new(config().threshold(1)).unwrap();
    let breaker = layer.retry_after(read).layer(inner());
    assert_eq!(
        panic_of(breaker.clone().oneshot(Do::Answer(503))).await,
        "the reader panics"
    );
    assert_eq!(breaker.handle().state(), State::Open);
}
