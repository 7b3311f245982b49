use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::queue::{Ticket, WaitQueue};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Mutex};

#[cfg(all(test, standpipe_loom))]
mod loom;
#[cfg(all(test, not(standpipe_loom)))]
mod tests;

/// Says that a client is closing: whoever waits to send something ends at once, and what is under
/// way goes on.
///
/// The layers that let requests wait take one, and answer those who wait, or would have to, with
/// [`Shutdown`](crate::ErrorKind::Shutdown). One that is never closed costs a request nothing unless
/// it waits.
///
/// ```
/// use standpipe_core::Closing;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let closing = Closing::new();
/// let waiter = closing.closed();
/// closing.close();
/// waiter.await;
/// assert!(closing.is_closed());
/// # }
/// ```
///
/// # Clone
///
/// All clones are one signal.
#[derive(Clone, Default)]
pub struct Closing(Arc<Signal>);

#[derive(Default)]
struct Signal {
    closed: AtomicBool,
    waiting: Mutex<WaitQueue<Waker>>,
}

impl Closing {
    /// A signal that is not closed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Closes it, for good, and wakes all who wait; returns how many those are. Another call does
    /// nothing.
    pub fn close(&self) -> usize {
        // Before the lock: who takes it later sees that it is closed, and stays out of the line.
        self.0.closed.store(true, Ordering::Release);
        let waiting = std::mem::take(&mut *self.0.waiting.lock());
        waiting.iter().map(Waker::wake_by_ref).count()
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Acquire)
    }

    /// A future that is ready once it is closed.
    pub fn closed(&self) -> Closed {
        Closed {
            closing: self.clone(),
            ticket: None,
        }
    }
}

/// Waits for a [`Closing`]; made by [`closed`](Closing::closed).
///
/// # Cancel safety
///
/// Dropping it leaves nothing behind.
#[must_use = "futures do nothing unless polled"]
pub struct Closed {
    closing: Closing,
    ticket: Option<Ticket>,
}

impl Future for Closed {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut waiting = this.closing.0.waiting.lock();
        if this.closing.is_closed() {
            return Poll::Ready(());
        }
        let known = this.ticket.and_then(|ticket| waiting.get_mut(ticket));
        let stale = match known {
            Some(waker) if waker.will_wake(cx.waker()) => None,
            Some(waker) => Some(std::mem::replace(waker, cx.waker().clone())),
            None => {
                this.ticket = Some(waiting.push(cx.waker().clone()));
                None
            }
        };
        // A waker that is dropped may be the last of a task, and drop others of this line with it.
        drop(waiting);
        drop(stale);
        Poll::Pending
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let gone = self.closing.0.waiting.lock().remove(ticket);
            drop(gone);
        }
    }
}

impl fmt::Debug for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closing")
            .field("closed", &self.is_closed())
            .finish()
    }
}

impl fmt::Debug for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Closed").field(&self.closing).finish()
    }
}
