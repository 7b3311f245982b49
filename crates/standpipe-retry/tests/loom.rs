//! The budget in all interleavings, under loom:
//! `RUSTFLAGS="--cfg standpipe_loom" cargo test -p standpipe-retry --test loom --release`.

#![cfg(standpipe_loom)]

use loom::sync::Arc;
use loom::thread;
use standpipe_retry::{Budget, BudgetPolicy, RetryBudget};
use tokio::time::Instant;

fn budget(ratio: f64, per_second: u32) -> (Arc<RetryBudget>, Instant) {
    let now = Instant::now();
    let policy = BudgetPolicy::default().ratio(ratio).per_second(per_second);
    (Arc::new(RetryBudget::new(policy)), now)
}

/// RTY-05
#[test]
fn two_that_withdraw_at_once_never_overdraw_the_second() {
    loom::model(|| {
        let (budget, now) = budget(0.0, 1);
        let other = {
            let budget = budget.clone();
            thread::spawn(move || budget.withdraw_at(now))
        };
        let mine = budget.withdraw_at(now);
        assert!(mine ^ other.join().unwrap(), "exactly one");
    });
}

/// RTY-05, tower-resilience #370: no deposit is lost, and none is spent twice.
#[test]
fn two_that_pay_and_withdraw_at_once_get_what_was_paid_for() {
    loom::model(|| {
        let (budget, now) = budget(0.5, 0);
        let work = move |budget: &RetryBudget| {
            budget.deposit();
            u32::from(budget.withdraw_at(now))
        };
        let other = {
            let budget = budget.clone();
            thread::spawn(move || work(&budget))
        };
        let taken = work(&budget) + other.join().unwrap();
        let left = u32::from(budget.withdraw_at(now));
        assert_eq!(taken + left, 1, "two halves are one");
    });
}

/// RTY-05: a second that begins gives its floor once.
#[test]
fn a_second_that_begins_for_two_at_once_gives_its_floor_once() {
    loom::model(|| {
        let (budget, now) = budget(0.0, 1);
        assert!(budget.withdraw_at(now));
        let later = now + std::time::Duration::from_secs(2);
        let other = {
            let budget = budget.clone();
            thread::spawn(move || u32::from(budget.withdraw_at(later)))
        };
        let mine = u32::from(budget.withdraw_at(later));
        assert_eq!(mine + other.join().unwrap(), 1);
    });
}
