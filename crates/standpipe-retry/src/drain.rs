use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use http_body::Body;
use pin_project_lite::pin_project;
use standpipe_core::Deadline;
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

const MOST: usize = 64 * 1024;
const LONGEST: Duration = Duration::from_millis(100);

pin_project! {
    /// Reads the rest of a failed answer, where that is little, so that its connection can be used
    /// again. It is over after 64 KiB or 100 ms; whoever drops it then closes the connection. Where
    /// the request's deadline comes sooner than that, it is over when the wait for the next attempt
    /// is, which needs what time there is.
    #[derive(Debug)]
    pub(crate) struct Drain<R> {
        #[pin]
        body: R,
        #[pin]
        timer: Option<Sleep>,
        left: usize,
        latest: Instant,
    }
}

impl<R> Drain<R> {
    /// Reads `body` from `now` on, before an attempt that begins at `until`, or as soon as possible
    /// after it, of a request that ends at `deadline`.
    pub(crate) fn new(body: R, now: Instant, until: Instant, deadline: Option<Deadline>) -> Self {
        let latest = now + LONGEST;
        let hurried = deadline.is_some_and(|deadline| deadline.instant() <= latest);
        Self {
            body,
            timer: None,
            left: MOST,
            latest: if hurried { until.min(latest) } else { latest },
        }
    }
}

impl<R: Body> Future for Drain<R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if this.body.size_hint().lower() > *this.left as u64 {
            return Poll::Ready(());
        }
        while let Poll::Ready(frame) = this.body.as_mut().poll_frame(cx) {
            let Some(Ok(frame)) = frame else {
                return Poll::Ready(());
            };
            // An empty frame counts too, or a body of those would never end.
            let length = frame.data_ref().map_or(1, |data| data.remaining().max(1));
            match this.left.checked_sub(length) {
                Some(left) => *this.left = left,
                None => return Poll::Ready(()),
            }
        }
        if this.timer.is_none() {
            this.timer.set(Some(sleep_until(*this.latest)));
        }
        if let Some(timer) = this.timer.as_mut().as_pin_mut() {
            // A body that uses up the task's budget on each poll must not stop the clock.
            ready!(Pin::new(&mut unconstrained(timer)).poll(cx));
        }
        Poll::Ready(())
    }
}
