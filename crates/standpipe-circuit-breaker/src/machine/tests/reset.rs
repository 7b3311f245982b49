use super::*;

/// BRK-06
#[test]
fn it_is_open_until_the_very_end_of_the_reset_period() {
    let mut bench = Bench::new(&exact().threshold(1));
    bench.call(Failure);
    let until = bench.now + 30 * SECOND;
    bench.now = until - Duration::from_nanos(1);
    assert_eq!(
        bench.begin().unwrap_err().retry_after,
        Some(Duration::from_nanos(1))
    );
    assert_eq!(bench.machine.state(), State::Open);
    bench.now = until;
    // Nothing happens until somebody comes.
    assert_eq!(bench.machine.state(), State::Open);
    assert!(bench.begin().is_ok());
    assert_eq!(bench.machine.state(), State::HalfOpen);
}

/// BRK-06
#[test]
fn the_reset_period_grows_up_to_its_maximum_and_begins_anew_after_a_recovery() {
    let config = exact().threshold(1).max_reset_period(100 * SECOND);
    let mut bench = Bench::new(&config);
    for _ in 0..2 {
        bench.call(Failure);
        for seconds in [30, 60, 100, 100, 100] {
            assert_eq!(bench.open_for(), Some(seconds * SECOND));
            assert_eq!(bench.probe(Failure), State::Open);
        }
        assert_eq!(bench.probe(Success), State::Closed);
    }
}

/// BRK-06
#[test]
fn jitter_is_added_within_its_share_and_repeats_with_its_seed() {
    let config = CircuitBreakerConfig::new().threshold(1).reset_factor(1.0);
    let periods = |seed| {
        let mut bench = Bench::new(&config.clone().jitter_seed(seed));
        bench.call(Failure);
        let mut seen = Vec::new();
        for _ in 0..100 {
            seen.push(bench.open_for().unwrap());
            bench.probe(Failure);
        }
        seen
    };
    let seen = periods(Some(7));
    assert!(
        seen.iter()
            .all(|period| (30 * SECOND..=33 * SECOND).contains(period))
    );
    assert!(seen.iter().any(|period| *period < 31 * SECOND));
    assert!(seen.iter().any(|period| *period > 32 * SECOND));
    assert_eq!(seen, periods(Some(7)));
    assert_ne!(seen, periods(Some(8)));
    assert_ne!(periods(None), periods(None));
}

#[test]
fn absurd_durations_overflow_nothing() {
    let config = CircuitBreakerConfig::new()
        .threshold(1)
        .reset_period(Duration::MAX)
        .max_reset_period(Duration::MAX)
        .max_retry_after(Duration::MAX)
        .reset_factor(f64::MAX)
        .reset_jitter(1.0)
        .probe_timeout(Duration::MAX)
        .dropped_after(Some(Duration::MAX));
    let mut bench = Bench::new(&config);
    bench.call(Failure);
    assert!(bench.open_for().unwrap() > Duration::from_secs(1 << 29));
    bench.now += bench.open_for().unwrap();
    let permit = bench.begin().unwrap();
    let end = End::Judged {
        outcome: Failure,
        retry_after: Some(Duration::MAX),
    };
    bench.machine.record(&permit, end, bench.now);
    assert_eq!(bench.machine.state(), State::Open);

    let window = Window::by_time(Duration::MAX).minimum_calls(2);
    let mut bench = Bench::new(&exact().window(window.slow_calls(Duration::MAX, 1.0)));
    bench.call(Failure);
    bench.now += Duration::from_secs(1 << 30);
    assert_eq!(bench.call(Failure), State::Open);
}
