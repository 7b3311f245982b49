use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

const MOST: usize = 64 * 1024;
const LONGEST: Duration = Duration::from_millis(100);

pin_project! {
    /// Reads the rest of a failed answer, where that is little, so that its connection can be used
    /// again. It is over after 64 KiB or 100 ms; whoever drops it then closes the connection.
    #[derive(Debug)]
    pub(crate) struct Drain<R> {
        #[pin]
        body: R,
        #[pin]
        timer: Option<Sleep>,
        left: usize,
    }
}

impl<R> Drain<R> {
    pub(crate) fn new(body: R) -> Self {
        Self {
            body,
            timer: None,
            left: MOST,
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
            this.timer.set(Some(sleep_until(Instant::now() + LONGEST)));
        }
        if let Some(timer) = this.timer.as_mut().as_pin_mut() {
            // A body that uses up the task's budget on each poll must not stop the clock.
            ready!(Pin::new(&mut unconstrained(timer)).poll(cx));
        }
        Poll::Ready(())
    }
}
