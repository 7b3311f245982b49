use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::{Closed, Closing};

#[derive(Default)]
struct Count(AtomicUsize);

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll(waiter: &mut Closed, count: &Arc<Count>) -> Poll<()> {
    let waker = Waker::from(count.clone());
    Pin::new(waiter).poll(&mut Context::from_waker(&waker))
}

#[test]
fn each_who_waits_is_woken_once_and_newcomers_do_not_wait() {
    let closing = Closing::new();
    let counts: Vec<_> = (0..3).map(|_| Arc::new(Count::default())).collect();
    let mut waiters: Vec<_> = counts.iter().map(|_| closing.closed()).collect();
    for _ in 0..2 {
        for (waiter, count) in waiters.iter_mut().zip(&counts) {
            assert_eq!(poll(waiter, count), Poll::Pending);
        }
    }
    drop(waiters.remove(1));
    assert!(!closing.is_closed());
    closing.close();
    closing.close();
    assert!(closing.is_closed());
    let woken: Vec<_> = counts.iter().map(|count| count.get()).collect();
    assert_eq!(woken, [1, 0, 1]);
    assert_eq!(poll(&mut waiters[0], &counts[0]), Poll::Ready(()));
    assert_eq!(poll(&mut closing.closed(), &counts[0]), Poll::Ready(()));
}

#[test]
fn a_waiter_that_moves_to_another_task_wakes_that_one() {
    let closing = Closing::new();
    let mut waiter = closing.closed();
    let (old, new) = (Arc::new(Count::default()), Arc::new(Count::default()));
    assert_eq!(poll(&mut waiter, &old), Poll::Pending);
    assert_eq!(poll(&mut waiter, &new), Poll::Pending);
    closing.close();
    assert_eq!((old.get(), new.get()), (0, 1));
}

/// A waker's drop may end other waits: it is not dropped under the lock.
#[test]
fn a_waker_that_owns_another_waiter_can_be_dropped() {
    struct Owner(#[expect(dead_code, reason = "it is there to be dropped")] Closed);
    impl Wake for Owner {
        fn wake(self: Arc<Self>) {}
    }
    let closing = Closing::new();
    let count = Arc::new(Count::default());
    let owning = || {
        let mut inner = closing.closed();
        assert_eq!(poll(&mut inner, &count), Poll::Pending);
        Waker::from(Arc::new(Owner(inner)))
    };
    let wait_with = |waiter: &mut Closed, waker: Waker| {
        let polled = Pin::new(waiter).poll(&mut Context::from_waker(&waker));
        assert_eq!(polled, Poll::Pending);
    };
    let mut waiter = closing.closed();
    wait_with(&mut waiter, owning());
    wait_with(&mut waiter, owning());
    drop(waiter);
    let mut last = closing.closed();
    wait_with(&mut last, owning());
    closing.close();
}
