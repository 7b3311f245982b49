use super::*;
use tower::timeout::TimeoutLayer;

async fn give_up_after(rig: &Rig, time: Duration) {
    let call = rig.spawn(Do::Hang);
    rig.inner.called(rig.inner.calls() + 1).await;
    tokio::time::advance(time).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_says_nothing_unless_told_so() {
    let rig = rig(config().threshold(1));
    for _ in 0..10 {
        give_up_after(&rig, 3600 * SECOND).await;
    }
    assert_eq!(rig.circuit.state(), State::Closed);
    assert_eq!(rig.circuit.counts().ignored, 10);
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_after_the_given_time_is_a_timeout() {
    let rig = rig(config().threshold(2).dropped_after(Some(SECOND)));
    give_up_after(&rig, SECOND - Duration::from_millis(1)).await;
    assert_eq!(rig.circuit.counts().failures, 0);
    give_up_after(&rig, SECOND).await;
    give_up_after(&rig, SECOND).await;
    assert_eq!(rig.circuit.counts().failures, 2);
    assert_eq!(rig.circuit.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_probe_dropped_after_the_given_time_opens_it_again() {
    let rig = rig(config().threshold(1).dropped_after(Some(SECOND)));
    rig.trip_and_wait().await;
    give_up_after(&rig, SECOND / 2).await;
    assert_eq!(rig.circuit.state(), State::HalfOpen);
    give_up_after(&rig, SECOND).await;
    assert_eq!(rig.circuit.state(), State::Open);
    assert_eq!(rig.refused().await.retry_after(), Some(60 * SECOND));
}

/// CAN-17: the caller that goes away is no timeout, whichever clock runs.
#[tokio::test(start_paused = true)]
async fn a_timeout_outside_the_breaker_trips_it() {
    let rig = rig(config().threshold(3).dropped_after(Some(SECOND)));
    let outer = TimeoutLayer::new(SECOND).layer(rig.breaker.clone());
    for _ in 0..3 {
        assert_eq!(rig.circuit.state(), State::Closed);
        assert!(outer.clone().oneshot(Do::Hang).await.is_err());
    }
    assert_eq!(rig.circuit.state(), State::Open);
}
