use super::*;
use standpipe_core::RequestSent;
use std::task::{Context, Poll, Waker};
use tower::{Service, ServiceExt};

/// BRK-05
#[tokio::test(start_paused = true)]
async fn open_it_refuses_at_once_with_the_time_left_and_leaves_the_inner_service_alone() {
    let rig = rig(config());
    rig.trip().await;
    let calls = rig.inner.calls();
    rig.inner.pending_ready();
    for left in [30, 29, 28] {
        let error = rig.refused().await;
        assert_eq!(error.retry_after(), Some(left * SECOND));
        assert_eq!(error.request_sent(), RequestSent::No);
        assert_eq!(error.phase(), Some(standpipe_core::Phase::Admit));
        tokio::time::advance(SECOND).await;
    }
    assert_eq!(rig.inner.calls(), calls);
    assert_eq!(rig.circuit.counts().rejected, 3);
}

/// BRK-19: nothing says that sending it again makes sense, before its time.
#[tokio::test(start_paused = true)]
async fn a_refusal_calls_for_no_retry_and_says_when_one_makes_sense() {
    let rig = rig(config());
    rig.trip().await;
    let error = rig.refused().await;
    assert!(!error.calls_for_resend());
    tokio::time::advance(error.retry_after().unwrap()).await;
    rig.send(Do::Answer(200)).await.unwrap();
}

/// BRK-06
#[tokio::test(start_paused = true)]
async fn the_first_caller_after_the_reset_period_is_the_probe() {
    let rig = rig(config());
    rig.trip_and_wait().await;
    assert_eq!(rig.circuit.state(), State::Open);
    let (gate, probe) = rig.begin(200).await;
    assert_eq!(rig.circuit.state(), State::HalfOpen);
    let error = rig.refused().await;
    assert_eq!(error.retry_after(), None);
    gate.open();
    probe.await.unwrap().unwrap();
    assert_eq!(rig.circuit.state(), State::Closed);
}

fn poll_ready(breaker: &mut CircuitBreaker<Inner>) -> Poll<Result<(), BoxError>> {
    breaker.poll_ready(&mut Context::from_waker(Waker::noop()))
}

/// The inner service was not asked, so the probe would be a call on an unready one.
#[tokio::test(start_paused = true)]
async fn a_caller_that_was_ready_for_a_refusal_is_refused_though_the_time_has_come() {
    let rig = rig(config());
    rig.trip().await;
    let calls = rig.inner.calls();
    let mut breaker = rig.breaker.clone();
    assert!(poll_ready(&mut breaker).is_ready());
    tokio::time::advance(30 * SECOND).await;
    let error = Error::from_boxed(breaker.call(Do::Answer(200)).await.unwrap_err());
    assert_eq!(error.retry_after(), Some(Duration::ZERO));
    assert_eq!(
        (rig.inner.calls(), rig.circuit.state()),
        (calls, State::Open)
    );
    // It took no probe's place, and asks anew.
    breaker
        .ready()
        .await
        .unwrap()
        .call(Do::Answer(200))
        .await
        .unwrap();
    assert_eq!(rig.circuit.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_was_ready_for_a_refusal_is_refused_though_the_breaker_was_closed() {
    let rig = rig(config());
    rig.circuit.force_open();
    let mut breaker = rig.breaker.clone();
    assert!(poll_ready(&mut breaker).is_ready());
    rig.circuit.reset();
    assert!(breaker.call(Do::Answer(200)).await.is_err());
    assert_eq!(rig.inner.calls(), 0);
    breaker
        .ready()
        .await
        .unwrap()
        .call(Do::Answer(200))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_was_ready_before_the_trip_is_refused_and_may_ask_again() {
    let rig = rig(config());
    let mut breaker = rig.breaker.clone();
    breaker.ready().await.unwrap();
    rig.trip().await;
    assert!(breaker.call(Do::Answer(200)).await.is_err());
    tokio::time::advance(30 * SECOND).await;
    breaker
        .ready()
        .await
        .unwrap()
        .call(Do::Answer(200))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn while_calls_pass_it_is_ready_when_the_inner_service_is() {
    let rig = rig(config());
    rig.inner.pending_ready();
    let mut breaker = rig.breaker.clone();
    assert!(poll_ready(&mut breaker).is_pending());
    // The time for a probe has come, but the inner service is not ready for it.
    rig.inner.allow_ready();
    rig.trip_and_wait().await;
    rig.inner.pending_ready();
    let mut breaker = rig.breaker.clone();
    assert!(poll_ready(&mut breaker).is_pending());
    assert_eq!(rig.circuit.state(), State::Open);
    // It holds no probe's place while it waits.
    rig.inner.allow_ready();
    rig.send(Do::Answer(200)).await.unwrap();
    assert_eq!(rig.circuit.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn half_open_with_all_probes_under_way_it_is_ready_to_refuse() {
    let rig = rig(config());
    rig.trip_and_wait().await;
    let (_gate, _probe) = rig.begin(200).await;
    rig.inner.pending_ready();
    rig.refused().await;
}

/// CAN-16, tower-resilience #293
#[tokio::test]
async fn the_call_goes_to_the_service_that_was_ready() {
    let rig = rig(config());
    let mut breaker = rig.breaker.clone();
    for _ in 0..3 {
        breaker.ready().await.unwrap();
        // A clone is not ready because its original was.
        let mut clone = breaker.clone();
        breaker.call(Do::Answer(200)).await.unwrap();
        clone
            .ready()
            .await
            .unwrap()
            .call(Do::Answer(200))
            .await
            .unwrap();
    }
    assert_eq!(rig.inner.calls(), 6);
}

/// A ready clone that is never called keeps nobody from anything.
#[tokio::test(start_paused = true)]
async fn readiness_takes_no_probes_place() {
    let rig = rig(config());
    rig.trip_and_wait().await;
    let mut clones = vec![rig.breaker.clone(); 10];
    for clone in &mut clones {
        assert!(poll_ready(clone).is_ready());
    }
    assert_eq!(rig.circuit.state(), State::Open);
    rig.send(Do::Answer(200)).await.unwrap();
    assert_eq!(rig.circuit.state(), State::Closed);
}
