use super::*;

/// BRK-01
#[test]
fn a_window_decides_nothing_below_its_minimum_of_calls() {
    let window = Window::by_count(10).failure_rate(0.5).minimum_calls(6);
    let bench = Bench::new(&exact().window(window));
    assert_eq!(bench.calls([Failure; 5]), State::Closed);
    // The sixth call is a success, and with it the five failures count.
    assert_eq!(bench.call(Success), State::Open);
}

/// BRK-01
#[test]
fn the_failure_rate_is_reached_exactly_and_without_rounding() {
    for percent in 1..=100 {
        let rate = f64::from(percent) / 100.0;
        let window = Window::by_count(100).failure_rate(rate).minimum_calls(100);
        let bench = Bench::new(&exact().window(window));
        bench.calls((percent..=100).map(|_| Success));
        assert_eq!(
            bench.calls((1..percent).map(|_| Failure)),
            State::Closed,
            "{percent} %"
        );
        // It takes the place of a success.
        assert_eq!(bench.call(Failure), State::Open, "{percent} %");
    }
}

/// BRK-02
#[test]
fn a_window_by_count_forgets_the_oldest_call() {
    let window = Window::by_count(4).failure_rate(0.5).minimum_calls(4);
    let bench = Bench::new(&exact().window(window));
    assert_eq!(
        bench.calls([Failure, Success, Success, Success]),
        State::Closed
    );
    // The first failure leaves as the second comes: one of four, time and again.
    for _ in 0..20 {
        assert_eq!(
            bench.calls([Failure, Success, Success, Success]),
            State::Closed
        );
    }
    assert_eq!(bench.calls([Failure, Failure]), State::Open);
}

/// BRK-02
#[test]
fn a_window_by_time_forgets_its_calls_in_their_order() {
    let window = Window::by_time(10 * SECOND)
        .failure_rate(1.0)
        .minimum_calls(3);
    let mut bench = Bench::new(&exact().window(window));
    bench.call(Success);
    bench.now += 2 * SECOND;
    bench.call(Failure);
    bench.now += 2 * SECOND;
    // One success among three, so it stays closed until the success is gone.
    assert_eq!(bench.call(Failure), State::Closed);
    bench.now += 6 * SECOND - Duration::from_nanos(1);
    assert_eq!(bench.call(Failure), State::Closed);
    bench.now += Duration::from_nanos(1);
    assert_eq!(bench.call(Failure), State::Open);
}

/// BRK-02
#[test]
fn a_gap_longer_than_the_window_clears_all_of_it() {
    let window = Window::by_time(10 * SECOND)
        .failure_rate(0.5)
        .minimum_calls(4);
    for gap in [10 * SECOND, 11 * SECOND, Duration::from_secs(1 << 40)] {
        let mut bench = Bench::new(&exact().window(window));
        assert_eq!(bench.calls([Failure; 3]), State::Closed);
        bench.now += gap;
        assert_eq!(bench.calls([Failure; 3]), State::Closed, "{gap:?}");
        assert_eq!(bench.call(Failure), State::Open, "{gap:?}");
    }
}

/// BRK-02
#[test]
fn a_clock_that_stands_still_or_goes_back_harms_no_window() {
    let window = Window::by_time(SECOND).failure_rate(1.0).minimum_calls(4);
    let mut bench = Bench::new(&exact().window(window));
    bench.now += 10 * SECOND;
    bench.calls([Failure, Failure]);
    bench.now -= 9 * SECOND;
    assert_eq!(bench.call(Failure), State::Closed);
    assert_eq!(bench.call(Failure), State::Open);
}

/// BRK-03
#[test]
fn the_same_failures_decide_the_same_in_a_burst_and_spread() {
    let window = Window::by_count(20).failure_rate(0.25).minimum_calls(20);
    for stride in [1, 2, 4] {
        let bench = Bench::new(&exact().window(window));
        let failed = |call: usize| call.is_multiple_of(stride) && call / stride < 4;
        let state = bench.calls((0..19).map(|call| if failed(call) { Failure } else { Success }));
        assert_eq!(state, State::Closed);
        assert_eq!(bench.call(Failure), State::Open, "every {stride}");
    }
}

/// BRK-04
#[test]
fn slow_calls_open_it_though_all_succeed() {
    let window = Window::by_count(10)
        .slow_calls(SECOND, 0.5)
        .minimum_calls(4);
    let mut bench = Bench::new(&exact().window(window));
    for _ in 0..2 {
        assert_eq!(
            bench.slow_call(SECOND - Duration::from_nanos(1)),
            State::Closed
        );
    }
    assert_eq!(bench.slow_call(SECOND), State::Closed);
    assert_eq!(bench.slow_call(SECOND), State::Open);
    let told = bench.machine.next_untold().unwrap();
    assert_eq!(told.cause, Cause::SlowCallRate);
    // A probe that is slow says that nothing is better.
    bench.now += bench.open_for().unwrap();
    assert_eq!(bench.slow_call(SECOND), State::Open);
    bench.now += bench.open_for().unwrap();
    assert_eq!(bench.slow_call(Duration::ZERO), State::Closed);
}

/// BRK-08
#[test]
fn it_closes_with_a_cold_window() {
    let window = Window::by_count(10).failure_rate(0.5).minimum_calls(4);
    let mut bench = Bench::new(&exact().window(window));
    assert_eq!(bench.calls([Failure; 4]), State::Open);
    assert_eq!(bench.probe(Success), State::Closed);
    assert_eq!(bench.calls([Failure; 3]), State::Closed);
    assert_eq!(bench.call(Failure), State::Open);
}
