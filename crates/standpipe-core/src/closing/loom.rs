//! Models of the signal.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

use loom::thread;

use super::Closing;

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Who begins to wait while the signal is closed sees it, or is woken.
#[test]
fn one_who_begins_to_wait_as_it_closes_is_not_forgotten() {
    loom::model(|| {
        let closing = Closing::new();
        let mut waiter = closing.closed();
        let other = closing.clone();
        let closer = thread::spawn(move || other.close());
        let woken = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&woken));
        let polled = Pin::new(&mut waiter).poll(&mut Context::from_waker(&waker));
        closer.join().unwrap();
        assert!(polled.is_ready() || woken.0.load(Ordering::SeqCst) == 1);
    });
}

/// One leaves while the signal is closed: its ticket finds nobody else's waker.
#[test]
fn one_who_leaves_as_it_closes_takes_nobody_with_it() {
    loom::model(|| {
        let closing = Closing::new();
        let (mut leaves, mut stays) = (closing.closed(), closing.closed());
        let woken = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        assert!(
            Pin::new(&mut leaves)
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        assert!(Pin::new(&mut stays).poll(&mut cx).is_pending());
        let other = closing.clone();
        let closer = thread::spawn(move || other.close());
        drop(leaves);
        closer.join().unwrap();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert!(Pin::new(&mut stays).poll(&mut cx).is_ready());
    });
}
