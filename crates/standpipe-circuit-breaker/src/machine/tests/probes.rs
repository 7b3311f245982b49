use super::*;

/// BRK-11
#[test]
fn a_hung_probe_keeps_its_place_until_somebody_wants_it() {
    let mut bench = Bench::new(&exact().threshold(1));
    bench.call(Failure);
    bench.now += 30 * SECOND;
    let hung = bench.begin().unwrap();
    bench.now += 120 * SECOND - Duration::from_nanos(1);
    assert_eq!(bench.begin().unwrap_err().state, State::HalfOpen);
    bench.now += Duration::from_nanos(1);
    // Nobody came for the place: late, and still the probe.
    assert_eq!(bench.end(&hung, Success), Recorded::As(Success));
    assert_eq!(bench.machine.state(), State::Closed);
}

/// BRK-11
#[test]
fn a_hung_probe_that_lost_its_place_means_nothing() {
    let mut bench = Bench::new(&exact().threshold(1));
    bench.call(Failure);
    bench.now += 30 * SECOND;
    let hung = bench.begin().unwrap();
    bench.now += 120 * SECOND;
    let next = bench.begin().unwrap();
    assert!(bench.begin().is_err());
    assert_eq!(bench.end(&hung, Failure), Recorded::Late);
    assert_eq!(bench.machine.state(), State::HalfOpen);
    assert!(
        bench.begin().is_err(),
        "the late one gave a place back that was not its own"
    );
    assert_eq!(bench.end(&next, Success), Recorded::As(Success));
    assert_eq!(bench.machine.state(), State::Closed);
}

#[test]
fn no_more_probes_begin_than_it_takes_to_close() {
    let mut bench = Bench::new(&exact().threshold(1).half_open_max(2).probe_successes(3));
    bench.call(Failure);
    bench.now += 30 * SECOND;
    let (one, two) = (bench.begin().unwrap(), bench.begin().unwrap());
    assert!(bench.begin().is_err());
    bench.end(&one, Success);
    let three = bench.begin().unwrap();
    bench.end(&two, Success);
    // Two have succeeded, and the third is under way.
    assert!(bench.begin().is_err());
    bench.end(&three, Ignored);
    let four = bench.begin().unwrap();
    bench.end(&four, Success);
    assert_eq!(bench.machine.state(), State::Closed);
}
