use super::*;

/// BRK-16
#[tokio::test(start_paused = true)]
async fn forced_open_it_refuses_until_it_is_reset() {
    let rig = rig(config());
    rig.circuit.force_open();
    assert!(rig.circuit.is_forced());
    tokio::time::advance(1_000_000 * SECOND).await;
    assert_eq!(rig.refused().await.retry_after(), None);
    assert_eq!(rig.inner.calls(), 0);
    rig.circuit.reset();
    assert!(!rig.circuit.is_forced());
    rig.send(Do::Answer(200)).await.unwrap();
}

/// BRK-16: disabled and metrics-only are one here. Results are counted and open nothing.
#[tokio::test(start_paused = true)]
async fn forced_closed_it_counts_and_never_opens() {
    let window = standpipe_circuit_breaker::Window::by_count(10);
    for config in [config(), config().window(window)] {
        let rig = rig(config);
        rig.circuit.force_closed();
        for _ in 0..100 {
            let _ = rig.send(Do::Answer(500)).await;
        }
        assert_eq!(
            (rig.circuit.state(), rig.circuit.counts().failures),
            (State::Closed, 100)
        );
        // What was seen meanwhile is not held against the service afterwards.
        rig.circuit.reset();
        let _ = rig.send(Do::Answer(500)).await;
        assert_eq!(rig.circuit.state(), State::Closed);
        rig.trip().await;
    }
}

/// BRK-16
#[tokio::test(start_paused = true)]
async fn a_reset_forgets_the_failures_and_the_calls_under_way() {
    let rig = rig(config().threshold(2));
    let (gate, call) = rig.begin(500).await;
    let _ = rig.send(Do::Answer(500)).await;
    rig.circuit.reset();
    gate.open();
    let _ = call.await.unwrap();
    let _ = rig.send(Do::Answer(500)).await;
    assert_eq!(rig.circuit.state(), State::Closed);
    assert_eq!(rig.circuit.counts().late, 1);
}

/// BRK-16
#[tokio::test(start_paused = true)]
async fn a_reset_closes_it_and_the_reset_period_is_the_first_again() {
    let rig = rig(config().threshold(1));
    for _ in 0..3 {
        rig.trip_and_wait().await;
        let _ = rig.send(Do::Answer(500)).await;
        assert_eq!(rig.refused().await.retry_after(), Some(60 * SECOND));
        rig.circuit.reset();
        assert_eq!(rig.circuit.state(), State::Closed);
    }
}

/// BRK-16: by hand goes before the probes that are under way.
#[tokio::test(start_paused = true)]
async fn a_probe_under_way_does_not_change_what_was_forced() {
    for (code, forced) in [(200, State::Open), (500, State::Closed)] {
        let rig = rig(config().threshold(1));
        rig.trip_and_wait().await;
        let (gate, probe) = rig.begin(code).await;
        match forced {
            State::Open => rig.circuit.force_open(),
            _ => rig.circuit.force_closed(),
        }
        gate.open();
        let _ = probe.await.unwrap();
        assert_eq!(rig.circuit.state(), forced);
    }
}
