use super::*;
use standpipe_core::RetryInfo;
use standpipe_retry::{Budget, BudgetPolicy, GiveUpReason, RetryBudget};

/// A policy whose waits are over at once, so that load can be counted by the second.
fn quick() -> RetryPolicy {
    RetryPolicy::new().backoff(ExponentialBackoff::new(Duration::ZERO))
}

/// How many attempts reach a server that fails always, at `rate` requests per second.
async fn load(layer: &RetryLayer, rate: u64, seconds: u64) -> usize {
    let script = Script::statuses(&[503]);
    let service = layer.layer(script.service());
    for _ in 0..rate * seconds {
        tokio::time::advance(Duration::from_nanos(1_000_000_000 / rate)).await;
        service.clone().oneshot(get()).await.unwrap();
    }
    script.calls()
}

/// RTY-01
#[tokio::test(start_paused = true)]
async fn with_everything_failing_the_load_stays_within_the_budget() {
    for (rate, seconds) in [(1000, 1), (1000, 5), (5000, 2), (100, 10)] {
        let requests = (rate * seconds) as usize;
        let attempts = load(&RetryLayer::new(quick()), rate, seconds).await;
        let bound = requests + requests / 5 + 10 * (seconds as usize + 1);
        assert!(
            attempts <= bound,
            "{attempts} of {bound} at {rate} for {seconds} s"
        );
        assert!(
            attempts >= requests + requests / 5,
            "{attempts}: the budget is there to be used"
        );
        if rate >= 1000 {
            assert!(
                attempts as f64 <= 1.25 * requests as f64,
                "{attempts} for {requests}"
            );
        }
    }
}

/// A lone client that fails is not starved by a share of few requests.
#[tokio::test(start_paused = true)]
async fn at_a_low_rate_the_floor_allows_every_retry() {
    assert_eq!(load(&RetryLayer::new(quick()), 2, 5).await, 40);
}

#[tokio::test(start_paused = true)]
async fn the_hooks_are_told_what_the_budget_still_allows() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let (retried, given_up) = (told.clone(), told.clone());
    let two = BudgetPolicy::default().per_second(2).ratio(0.0);
    let layer = |budget: Option<BudgetPolicy>| {
        let (retried, given_up) = (retried.clone(), given_up.clone());
        RetryLayer::new(quick().max_retries(5).budget(budget))
            .on_retry(move |event| retried.lock().push(event.budget()))
            .on_give_up(move |event| given_up.lock().push(event.budget()))
    };
    let failing = Script::statuses(&[503]);
    layer(Some(two))
        .layer(failing.service())
        .oneshot(get())
        .await
        .unwrap();
    assert_eq!(*told.lock(), [Some(1), Some(0), Some(0)]);
    told.lock().clear();
    layer(None)
        .layer(failing.service())
        .oneshot(get())
        .await
        .unwrap();
    assert_eq!(*told.lock(), [None; 6]);
}

#[tokio::test(start_paused = true)]
async fn what_a_budget_allows_is_this_seconds_rest_and_what_was_saved() {
    use standpipe_retry::{Budget, RetryBudget};
    let policy = BudgetPolicy::default().per_second(3).ratio(0.5).carry(2);
    let budget = RetryBudget::new(policy);
    assert_eq!(budget.available(), 3);
    for _ in 0..3 {
        budget.deposit();
    }
    assert_eq!(budget.available(), 4);
    for left in [3, 2, 1, 0] {
        assert!(budget.withdraw());
        assert_eq!(budget.available(), left);
    }
    assert!(!budget.withdraw());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(budget.available(), 3);
    for _ in 0..9 {
        budget.deposit();
    }
    assert_eq!(budget.available(), 5, "no more is carried");
}

/// RTY-02
#[tokio::test(start_paused = true)]
async fn without_budget_the_caller_gets_the_answer_and_it_is_counted() {
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let keep = reasons.clone();
    let none = BudgetPolicy::default().per_second(0).ratio(0.0);
    let layer = RetryLayer::new(quick().budget(none)).on_give_up(move |event| {
        keep.lock()
            .push((event.reason(), event.status(), event.attempts()));
    });
    let script = Script::statuses(&[503]);
    let service = layer.layer(script.service());
    let handle = service.handle();
    let response = service.oneshot(get()).await.unwrap();
    assert_eq!(response.status(), 503);
    let info = response.extensions().get::<RetryInfo>();
    assert_eq!(info, Some(&RetryInfo::new(1, Duration::ZERO).given_up()));
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "503"
    );
    let stats = handle.stats();
    assert_eq!(
        (stats.retries, stats.given_up, stats.over_budget),
        (0, 1, 1)
    );
    let expected = (
        GiveUpReason::Budget,
        Some(StatusCode::SERVICE_UNAVAILABLE),
        1,
    );
    assert_eq!(*reasons.lock(), [expected]);
}

/// tower-resilience #370: what is not made is not charged, and a request pays in once.
#[tokio::test(start_paused = true)]
async fn only_retries_that_are_made_are_charged() {
    #[derive(Default)]
    struct Counting(Mutex<(u32, u32)>);
    impl Budget for Counting {
        fn deposit(&self) {
            self.0.lock().0 += 1;
        }
        fn withdraw(&self) -> bool {
            self.0.lock().1 += 1;
            true
        }
    }
    let budget = Arc::new(Counting::default());
    let layer = RetryLayer::new(plain()).budget(budget.clone());
    let counts = || *budget.0.lock();
    send(&layer, &Script::statuses(&[200]), get())
        .await
        .unwrap();
    assert_eq!(counts(), (1, 0));
    send(&layer, &Script::statuses(&[503, 200]), get())
        .await
        .unwrap();
    assert_eq!(counts(), (2, 1));
    send(&layer, &Script::statuses(&[503]), get())
        .await
        .unwrap();
    assert_eq!(
        counts(),
        (3, 4),
        "the last attempt's failure is not charged"
    );
    let long = Script::new([with_headers(429, &[("retry-after", "999")])]);
    send(&layer, &long, get()).await.unwrap();
    assert_eq!(counts(), (4, 4));
}

/// RTY-03, RTY-04
#[tokio::test(start_paused = true)]
async fn clones_share_a_budget_layers_have_their_own_and_a_handle_shares_it() {
    let policy = quick().budget(BudgetPolicy::default().ratio(0.0).per_second(2));
    let layer = RetryLayer::new(policy);
    let script = Script::statuses(&[503]);
    let first = layer.layer(script.service());
    first.clone().oneshot(get()).await.unwrap();
    first.clone().oneshot(get()).await.unwrap();
    assert_eq!(script.calls(), 4, "two requests and two retries");
    layer.layer(script.service()).oneshot(get()).await.unwrap();
    assert_eq!(script.calls(), 7, "another host");
    let shared = RetryLayer::shared(&first.handle());
    shared.layer(script.service()).oneshot(get()).await.unwrap();
    assert_eq!(script.calls(), 8, "nothing left");
    assert_eq!(first.handle().stats().retries, 2);
}

#[tokio::test(start_paused = true)]
async fn statuses_and_connections_are_charged_to_one_budget() {
    let policy = quick().budget(BudgetPolicy::default().ratio(0.0).per_second(2));
    let refused = failing(Error::new(ErrorKind::Connect));
    let script = Script::new([status_of(503), refused.clone(), refused]);
    assert!(
        send(&RetryLayer::new(policy), &script, get())
            .await
            .is_err()
    );
    assert_eq!(script.calls(), 3);
}

/// tower-resilience #370
#[tokio::test(start_paused = true)]
async fn a_second_gives_its_floor_and_what_it_leaves_is_lost() {
    let budget = RetryBudget::new(BudgetPolicy::default().per_second(3).ratio(0.5).carry(2));
    let taken = || (0..100).filter(|_| budget.withdraw()).count();
    assert_eq!(taken(), 3);
    assert_eq!(taken(), 0);
    tokio::time::advance(secs(5)).await;
    assert_eq!(taken(), 3, "five seconds later there is one second's worth");
    for _ in 0..3 {
        budget.deposit();
    }
    assert_eq!(taken(), 1, "half of three is one");
    for _ in 0..100 {
        budget.deposit();
    }
    assert_eq!(taken(), 2, "no more is carried");
}

#[test]
fn settings_that_make_no_sense_do_not_panic() {
    for ratio in [f64::NAN, -1.0, f64::INFINITY, f64::MAX] {
        let policy = BudgetPolicy::default()
            .ratio(ratio)
            .carry(u32::MAX)
            .per_second(u32::MAX);
        let budget = RetryBudget::new(policy);
        budget.deposit();
        budget.deposit();
        assert!(budget.withdraw());
    }
}

/// RTY-05
#[test]
fn threads_together_take_no_more_than_there_is() {
    let budget = RetryBudget::new(
        BudgetPolicy::default()
            .per_second(1000)
            .ratio(0.2)
            .carry(u32::MAX),
    );
    let now = Instant::now();
    let taken: usize = std::thread::scope(|scope| {
        let worker = || {
            (0..20_000)
                .filter(|_| {
                    budget.deposit();
                    budget.withdraw_at(now)
                })
                .count()
        };
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .sum()
    });
    // Each deposit pays for a fifth, and there were more tries than that: all of it was taken.
    assert_eq!(taken, 1000 + 80_000 / 5);
}

#[cfg(feature = "tower")]
#[tokio::test(start_paused = true)]
async fn any_budget_of_towers_can_be_plugged_in() {
    use standpipe_retry::TowerBudget;
    use tower::retry::budget::TpsBudget;
    let tps = TpsBudget::new(secs(10), 0, 1.0);
    let layer = RetryLayer::new(quick()).budget(TowerBudget(tps));
    let script = Script::statuses(&[503]);
    send(&layer, &script, get()).await.unwrap();
    assert_eq!(script.calls(), 2, "one request has paid for one retry");
}

#[tokio::test(start_paused = true)]
async fn a_rebuilt_layer_goes_on_with_budget_and_counts_while_the_budget_is_the_same() {
    let budget = BudgetPolicy::default().ratio(0.0).per_second(3);
    let first = RetryLayer::new(quick().budget(budget));
    let script = Script::statuses(&[503]);
    let old = first.layer(script.service());
    old.clone().oneshot(get()).await.unwrap();
    assert_eq!(script.calls(), 4, "one request and three retries");

    let other = RetryLayer::new(quick().budget(budget).max_retries(1)).keep(&old.handle());
    let new = other.layer(script.service());
    new.clone().oneshot(get()).await.unwrap();
    assert_eq!(script.calls(), 5, "what is spent is spent");
    assert_eq!(new.handle().policy().max_retries, 1);
    let stats = new.handle().stats();
    assert_eq!((stats.retries, stats.over_budget), (3, 1));
    assert_eq!(old.handle().stats(), stats);

    let richer = quick().budget(budget.per_second(4));
    let richer = RetryLayer::new(richer).keep(&new.handle());
    richer.layer(script.service()).oneshot(get()).await.unwrap();
    assert_eq!(script.calls(), 9, "another budget begins anew");
    assert_eq!(old.handle().stats().retries, 6);
}

/// A budget that was given as an object is the old layer's alone, unless it is given again.
#[tokio::test(start_paused = true)]
async fn a_rebuilt_layer_does_not_go_on_with_a_budget_that_was_given() {
    let none = BudgetPolicy::default().ratio(0.0).per_second(0);
    let given = RetryLayer::new(quick()).budget(RetryBudget::new(none));
    let script = Script::statuses(&[503]);
    let old = given.layer(script.service());
    old.clone().oneshot(get()).await.unwrap();
    assert_eq!(script.calls(), 1);
    let new = RetryLayer::new(quick()).keep(&old.handle());
    new.layer(script.service()).oneshot(get()).await.unwrap();
    assert_eq!(script.calls(), 5);
}
