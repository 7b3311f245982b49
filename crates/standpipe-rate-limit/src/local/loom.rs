//! The way without the lock against the line, in all interleavings.
//!
//! Run by `RUSTFLAGS="--cfg standpipe_loom" cargo test -p standpipe-rate-limit --release --lib loom`.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use loom::thread;

use crate::local::{Joined, Local, Turn};
use crate::{Quota, Unit};

/// One unit each ten nanoseconds.
fn local(burst: u32) -> Arc<Local> {
    let quota = Quota::per(NonZeroU32::MIN, Duration::from_nanos(10)).unwrap();
    let quota = quota.burst(NonZeroU32::new(burst).unwrap());
    Arc::new(Local::new(&[(quota, Unit::Request)], usize::MAX))
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// As the service does it.
fn call(local: &Local, now: u64, give_up: u64) -> Joined {
    match local.try_admit(now, 1) {
        true => Joined::Admitted,
        false => local.join(now, 1, give_up),
    }
}

fn admitted(local: &Local, now: u64) -> usize {
    usize::from(call(local, now, now) == Joined::Admitted)
}

#[test]
fn loom_three_callers_of_two_units_get_two() {
    loom::model(|| {
        let limit = local(2);
        let callers: Vec<_> = (0..2)
            .map(|_| {
                let limit = limit.clone();
                thread::spawn(move || admitted(&limit, 0))
            })
            .collect();
        let here = admitted(&limit, 0);
        let there: usize = callers
            .into_iter()
            .map(|caller| caller.join().unwrap())
            .sum();
        assert_eq!(here + there, 2);
        assert_eq!(limit.standing(0).available, [0]);
    });
}

#[test]
fn loom_a_newcomer_never_overtakes_the_line() {
    loom::model(|| {
        let limit = local(1);
        assert!(limit.try_admit(0, 1));
        let Joined::Waiting(first, _) = limit.join(0, 1, u64::MAX) else {
            panic!("the bucket is empty");
        };
        let newcomer = {
            let limit = limit.clone();
            thread::spawn(move || call(&limit, 10, 10))
        };
        let waker = Waker::from(Arc::new(Count::default()));
        let turn = limit.poll(first, 10, &waker);
        assert_eq!(turn, Turn::Admitted);
        assert_ne!(newcomer.join().unwrap(), Joined::Admitted);
    });
}

#[test]
fn loom_a_turn_is_taken_or_passed_on_and_its_next_is_told() {
    loom::model(|| {
        let limit = local(1);
        assert!(limit.try_admit(0, 1));
        let waiting = |joined| match joined {
            Joined::Waiting(ticket, _) => ticket,
            other => panic!("{other:?}"),
        };
        let first = waiting(limit.join(0, 1, u64::MAX));
        let second = waiting(limit.join(0, 1, u64::MAX));
        let told = Arc::new(Count::default());
        let waker = Waker::from(told.clone());
        assert_eq!(limit.poll(second, 0, &waker), Turn::Wait(20));
        let leaver = {
            let limit = limit.clone();
            thread::spawn(move || limit.leave(first, 10))
        };
        // Another caller's operations serve the line too.
        let other = call(&limit, 10, 10);
        leaver.join().unwrap();
        assert_ne!(other, Joined::Admitted);
        assert_eq!(told.0.load(Ordering::SeqCst), 1, "told once");
        assert_eq!(limit.poll(second, 10, &waker), Turn::Admitted);
        assert_eq!(limit.standing(10).available, [0]);
    });
}

#[test]
fn loom_units_given_back_reach_the_one_who_joins_meanwhile() {
    loom::model(|| {
        let quota = Quota::per(NonZeroU32::MIN, Duration::from_nanos(10)).unwrap();
        let limit = Arc::new(Local::new(&[(quota, Unit::Cost)], usize::MAX));
        assert!(limit.try_admit(0, 1));
        let settler = {
            let limit = limit.clone();
            thread::spawn(move || limit.settle(0, -1))
        };
        let told = Arc::new(Count::default());
        let waker = Waker::from(told.clone());
        if let Joined::Waiting(ticket, _) = call(&limit, 0, u64::MAX) {
            let turn = limit.poll(ticket, 0, &waker);
            settler.join().unwrap();
            if turn != Turn::Admitted {
                assert_eq!(told.0.load(Ordering::SeqCst), 1, "a lost wake-up");
                assert_eq!(limit.poll(ticket, 0, &waker), Turn::Admitted);
            }
        } else {
            settler.join().unwrap();
        }
        assert_eq!(limit.standing(0).available, [0]);
    });
}

#[test]
fn loom_the_bit_is_left_as_the_line_stands() {
    loom::model(|| {
        let limit = local(3);
        let other = {
            let limit = limit.clone();
            // Takes the lock and lets it go while the other takes without it.
            thread::spawn(move || limit.standing(0).waiting)
        };
        let mut taken = admitted(&limit, 0) + admitted(&limit, 0);
        other.join().unwrap();
        assert_eq!(taken, 2);
        while limit.try_admit(0, 1) {
            taken += 1;
        }
        assert_eq!(taken, 3, "without the lock once nobody waits");
    });
}
