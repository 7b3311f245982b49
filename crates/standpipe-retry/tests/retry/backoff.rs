use super::*;
use proptest::prelude::*;
use standpipe_retry::Backoff;

proptest! {
    /// RTY-19: `min(initial * multiplier^attempt + jitter, max)`.
    #[test]
    fn the_wait_is_the_formula(
        initial in 1u64..100_000,
        multiplier in 1.0f64..10.0,
        max in 1u64..10_000_000,
        share in 0.0f64..2.0,
        attempt in 0u32..60,
        chance in 0.0f64..1.0,
    ) {
        let backoff = ExponentialBackoff::new(millis(initial))
            .multiplier(multiplier)
            .max(millis(max))
            .jitter(Jitter::Proportional(share));
        let base = initial as f64 / 1000.0 * multiplier.powi(attempt as i32);
        let expected = (base * share.mul_add(chance, 1.0)).min(max as f64 / 1000.0);
        let delay = backoff.delay(attempt, chance).as_secs_f64();
        prop_assert!((delay - expected).abs() <= 1e-6 * expected.max(1.0), "{delay} {expected}");
    }

    #[test]
    fn no_setting_panics_or_passes_the_longest(
        initial in any::<Duration>(),
        multiplier in any::<f64>(),
        max in any::<Duration>(),
        share in any::<f64>(),
        which in 0u8..4,
        attempt in any::<u32>(),
        chance in any::<f64>(),
    ) {
        let jitter = [Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Proportional(share)];
        let backoff = ExponentialBackoff::new(initial)
            .multiplier(multiplier)
            .max(max)
            .jitter(jitter[usize::from(which)]);
        prop_assert!(backoff.delay(attempt, chance) <= max);
    }
}

/// RTY-19
#[test]
fn the_thousandth_attempt_waits_the_longest() {
    let backoff = ExponentialBackoff::default();
    for attempt in [5, 1000, 1100, u32::MAX] {
        assert_eq!(backoff.delay(attempt, 0.5), secs(30), "{attempt}");
    }
    let far = backoff.max(Duration::MAX);
    assert_eq!(far.delay(u32::MAX, 1.0), Duration::MAX);
    assert_eq!(
        far.multiplier(f64::NAN).jitter(Jitter::None).delay(9, 0.0),
        secs(1)
    );
}

/// RTY-19
#[test]
fn each_jitter_stays_within_its_bounds_and_uses_them() {
    for (jitter, least, most) in [
        (Jitter::None, 4.0, 4.0),
        (Jitter::Proportional(0.1), 4.0, 4.4),
        (Jitter::Equal, 2.0, 4.0),
        (Jitter::Full, 0.0, 4.0),
    ] {
        let backoff = ExponentialBackoff::default().jitter(jitter).seeded(1);
        let draws: Vec<f64> = (0..100_000)
            .map(|_| backoff.next(2).as_secs_f64())
            .collect();
        let (low, high) = draws
            .iter()
            .fold((f64::MAX, f64::MIN), |(low, high), draw| {
                (low.min(*draw), high.max(*draw))
            });
        let near = (most - least) / 100.0;
        assert!(least <= low && low <= least + near, "{jitter:?}: {low}");
        assert!(most - near <= high && high <= most, "{jitter:?}: {high}");
        let mean = draws.iter().sum::<f64>() / 100_000.0;
        assert!(
            (mean - f64::midpoint(least, most)).abs() <= near,
            "{jitter:?}: {mean}"
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_waits() {
    let draw = |seed| -> Vec<Duration> {
        let backoff = ExponentialBackoff::default().seeded(seed);
        (0..8).map(|attempt| backoff.next(attempt)).collect()
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[tokio::test(start_paused = true)]
async fn a_seeded_layer_waits_the_same_each_time() {
    let run = async || {
        let script = Script::statuses(&[503]);
        let layer = RetryLayer::default().seed(42);
        send(&layer, &script, get()).await.unwrap();
        script.waits()
    };
    assert_eq!(run().await, run().await);
}

#[tokio::test(start_paused = true)]
async fn anyones_backoff_can_be_plugged_in() {
    let script = Script::statuses(&[503, 503, 200]);
    let layer = RetryLayer::default().backoff(|attempt| secs(10 + u64::from(attempt)));
    send(&layer, &script, get()).await.unwrap();
    assert_eq!(script.waits(), [secs(10), secs(11)]);
}

#[tokio::test(start_paused = true)]
async fn a_backoff_without_end_waits_and_does_not_panic() {
    let script = Script::statuses(&[503, 200]);
    let layer = RetryLayer::default().backoff(|_| Duration::MAX);
    let sent = send(&layer, &script, get());
    assert!(tokio::time::timeout(secs(1_000_000), sent).await.is_err());
}
