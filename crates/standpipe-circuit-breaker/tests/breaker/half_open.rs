use super::*;
use tokio::task::JoinSet;

/// BRK-07, tower-resilience #382
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_thousand_callers_exactly_half_open_max_are_let_through() {
    for most in [1, 3, 10] {
        let rig = rig(config()
            .threshold(1)
            .reset_period(Duration::from_nanos(1))
            .half_open_max(most));
        rig.trip().await;
        let gate = Gate::new();
        let mut callers = JoinSet::new();
        for _ in 0..1_000 {
            callers.spawn(rig.send(Do::Wait(gate.clone(), 200)));
        }
        let mut refused = 0;
        while refused < 1_000 - most {
            let error = callers.join_next().await.unwrap().unwrap().unwrap_err();
            assert!(Error::from_boxed(error).is_circuit_open());
            refused += 1;
        }
        gate.arrived(most as usize).await;
        assert_eq!(
            (rig.inner.calls(), gate.waiting()),
            (1 + most as usize, most as usize)
        );
        gate.open();
        while let Some(probe) = callers.join_next().await {
            probe.unwrap().unwrap();
        }
        assert_eq!(rig.circuit.state(), State::Closed);
    }
}

/// BRK-08
#[tokio::test(start_paused = true)]
async fn as_many_successes_as_it_takes_close_it() {
    let rig = rig(config().threshold(1).probe_successes(3));
    rig.trip_and_wait().await;
    for state in [State::HalfOpen, State::HalfOpen, State::Closed] {
        rig.send(Do::Answer(200)).await.unwrap();
        assert_eq!(rig.circuit.state(), state);
    }
}

/// BRK-08
#[tokio::test(start_paused = true)]
async fn one_failed_probe_opens_it_again_and_the_other_one_is_late() {
    let rig = rig(config().threshold(1).half_open_max(2));
    rig.trip_and_wait().await;
    let (good, one) = rig.begin(200).await;
    let (bad, two) = rig.begin(500).await;
    bad.open();
    let _ = two.await.unwrap();
    assert_eq!(rig.circuit.state(), State::Open);
    assert_eq!(rig.refused().await.retry_after(), Some(60 * SECOND));
    good.open();
    let _ = one.await.unwrap();
    assert_eq!(rig.circuit.state(), State::Open);
    assert_eq!(rig.circuit.counts().late, 1);
}

/// BRK-10, CAN-13
#[tokio::test(start_paused = true)]
async fn a_dropped_probe_gives_its_place_back() {
    let rig = rig(config().threshold(1));
    rig.trip_and_wait().await;
    for _ in 0..100 {
        let probe = rig.spawn(Do::Hang);
        rig.inner.called(rig.inner.calls() + 1).await;
        rig.refused().await;
        probe.abort();
        assert!(probe.await.unwrap_err().is_cancelled());
        assert_eq!(rig.circuit.state(), State::HalfOpen);
    }
    rig.send(Do::Answer(200)).await.unwrap();
    assert_eq!(rig.circuit.state(), State::Closed);
}

/// CAN-13: dropped before it was polled at all.
#[tokio::test(start_paused = true)]
async fn a_probe_that_is_never_polled_gives_its_place_back() {
    use tower::Service;
    let rig = rig(config().threshold(1));
    rig.trip_and_wait().await;
    let mut breaker = rig.breaker.clone();
    let probe = breaker.ready().await.unwrap().call(Do::Answer(200));
    assert_eq!(rig.circuit.state(), State::HalfOpen);
    rig.refused().await;
    drop(probe);
    rig.send(Do::Answer(200)).await.unwrap();
    assert_eq!(rig.circuit.state(), State::Closed);
}

/// BRK-11, nora #585, OmniRoute #13836
#[tokio::test(start_paused = true)]
async fn a_hung_probe_loses_its_place_after_the_probe_timeout() {
    let rig = rig(config().threshold(1).probe_timeout(10 * SECOND));
    rig.trip_and_wait().await;
    let (hung, late) = rig.begin(200).await;
    tokio::time::advance(10 * SECOND - Duration::from_millis(1)).await;
    rig.refused().await;
    tokio::time::advance(Duration::from_millis(1)).await;
    let (gate, probe) = rig.begin(200).await;
    rig.refused().await;

    hung.open();
    late.await.unwrap().unwrap();
    assert_eq!(rig.circuit.state(), State::HalfOpen);
    rig.refused().await;
    gate.open();
    probe.await.unwrap().unwrap();
    assert_eq!(rig.circuit.state(), State::Closed);
}

/// BRK-11, nora #585, OmniRoute #13836: six days, and it is as ready to recover as ever.
#[tokio::test(start_paused = true)]
async fn however_long_nobody_comes_or_every_probe_hangs_it_is_never_stuck() {
    let rig = rig(config().threshold(1));
    rig.trip_and_wait().await;
    let mut hung = Vec::new();
    for _ in 0..100 {
        hung.push(rig.begin(200).await);
        tokio::time::advance(6 * 24 * 3600 * SECOND / 100).await;
    }
    rig.send(Do::Answer(200)).await.unwrap();
    assert_eq!(rig.circuit.state(), State::Closed);
}

/// BRK-12, BRK-13
#[tokio::test(start_paused = true)]
async fn a_probe_that_says_nothing_gives_its_place_back_and_neither_closes_nor_opens() {
    let rig = rig(config().threshold(1));
    rig.trip_and_wait().await;
    for request in [Do::Answer(429), Do::Fail(ErrorKind::RateLimited)] {
        for _ in 0..10 {
            let answer = rig.send(request.clone()).await;
            let refused = answer.is_err_and(|error| Error::from_boxed(error).is_circuit_open());
            assert!(!refused);
            assert_eq!(rig.circuit.state(), State::HalfOpen);
        }
    }
    rig.send(Do::Answer(200)).await.unwrap();
    assert_eq!(rig.circuit.state(), State::Closed);
}

/// Callers come, hang, give up, fail and succeed on four threads; when all are gone, nothing is
/// held and the breaker recovers.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_any_mixture_of_ends_no_place_is_lost() {
    let config = config().threshold(2).reset_period(Duration::from_nanos(1));
    let rig = rig(config.reset_factor(1.0).half_open_max(3));
    let mut tasks = JoinSet::new();
    for task in 0..16 {
        let breaker = rig.breaker.clone();
        tasks.spawn(async move {
            for n in 0..500_u32 {
                let request = match (n + task) % 5 {
                    0 | 1 => Do::Answer(500),
                    2 => Do::Answer(200),
                    3 => Do::Answer(429),
                    _ => Do::Hang,
                };
                let call = send(&breaker, request);
                tokio::select! {
                    biased;
                    _ = call => {}
                    () = tokio::task::yield_now() => {}
                }
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    assert_eq!(rig.inner.in_flight(), 0);
    // Three successes in a row close it, whatever state it is in.
    for _ in 0..3 {
        rig.send(Do::Answer(200)).await.unwrap();
    }
    assert_eq!(rig.circuit.state(), State::Closed);
    let counts = rig.circuit.counts();
    let ended = counts.failures + counts.ignored + counts.late;
    assert!(ended <= rig.inner.calls() as u64, "{counts:?}");
    assert!(counts.transitions > 0);
}
