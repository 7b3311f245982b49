use standpipe_circuit_breaker::{LateCall, Window};
use standpipe_core::Outcome;

use super::*;

/// A call whose head was a success.
async fn answered(rig: &Rig) -> LateCall {
    rig.send(Do::Answer(200)).await.unwrap();
    rig.circuit.late_call()
}

/// BRK-14, SSE-08
#[tokio::test(start_paused = true)]
async fn late_failures_in_a_row_open_it_though_each_head_was_a_success() {
    let rig = rig(config().threshold(3));
    for _ in 0..2 {
        answered(&rig).await.finish(Outcome::Failure);
    }
    // One that ended well ends the row, and one that says nothing does not.
    answered(&rig).await.finish(Outcome::Success);
    for _ in 0..2 {
        answered(&rig).await.finish(Outcome::Failure);
        answered(&rig).await.finish(Outcome::Ignored);
        drop(answered(&rig).await);
    }
    assert_eq!(rig.circuit.state(), State::Closed);
    assert_eq!(rig.circuit.counts().failures, 4);
    answered(&rig).await.finish(Outcome::Failure);
    assert_eq!(rig.circuit.state(), State::Open);
    assert!(rig.refused().await.retry_after().is_some());
}

/// BRK-09, BRK-14
#[tokio::test(start_paused = true)]
async fn a_late_failure_of_another_period_means_nothing() {
    let rig = rig(config().threshold(1));
    let before = answered(&rig).await;
    rig.trip_and_wait().await;
    let open = rig.circuit.late_call();
    rig.send(Do::Answer(200)).await.unwrap();
    assert_eq!(rig.circuit.state(), State::Closed);
    before.finish(Outcome::Failure);
    open.finish(Outcome::Failure);
    assert_eq!(rig.circuit.state(), State::Closed);
    assert_eq!(rig.circuit.counts().late, 1);
    // The row begins anew with the period.
    answered(&rig).await.finish(Outcome::Failure);
    assert_eq!(rig.circuit.state(), State::Open);
}

/// BRK-14
#[tokio::test(start_paused = true)]
async fn in_a_window_a_late_failure_is_a_failed_call() {
    let window = Window::by_count(10).failure_rate(0.5).minimum_calls(4);
    let rig = rig(config().window(window));
    for _ in 0..2 {
        assert_eq!(rig.circuit.state(), State::Closed);
        answered(&rig).await.finish(Outcome::Failure);
    }
    assert_eq!(rig.circuit.state(), State::Open);
}

/// BRK-16
#[tokio::test(start_paused = true)]
async fn held_closed_it_counts_late_failures_and_stays() {
    let rig = rig(config().threshold(1));
    rig.circuit.force_closed();
    answered(&rig).await.finish(Outcome::Failure);
    assert_eq!(
        (rig.circuit.state(), rig.circuit.counts().failures),
        (State::Closed, 1)
    );
    rig.circuit.reset();
    assert_eq!(rig.circuit.state(), State::Closed);
}
