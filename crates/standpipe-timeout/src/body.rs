use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use standpipe_core::{BoxError, Error};

use crate::error::{in_body, renamed};
use crate::plan::{BodyPlan, Clock};
use crate::wait::Wait;

pin_project! {
    /// The response body under a [`Timeout`](crate::Timeout).
    ///
    /// The inner body is asked first: what has arrived is handed over whatever the clock says, and
    /// a body that never makes its reader wait makes no timer and allocates nothing. After an error
    /// of its own it gives no more frames.
    ///
    /// # Errors
    ///
    /// Frames give a [`standpipe_core::Error`], the inner body's as [`Error::from_boxed`] makes it.
    /// Its own are of phase [`Body`](standpipe_core::Phase::Body) and of kind
    /// [`DeadlineExceeded`](standpipe_core::ErrorKind::DeadlineExceeded),
    /// [`AttemptTimeout`](standpipe_core::ErrorKind::AttemptTimeout) or
    /// [`BodyIdleTimeout`](standpipe_core::ErrorKind::BodyIdleTimeout).
    ///
    /// # Panics
    ///
    /// A body under a limit that has to wait panics when polled outside a tokio runtime with its
    /// timers enabled.
    #[derive(Debug)]
    pub struct TimeoutBody<B> {
        #[pin]
        inner: B,
        plan: BodyPlan,
        // Made at the first wait and then set anew. Boxed, so that the body can be `Unpin` and is
        // small to move.
        wait: Option<Pin<Box<Wait>>>,
        timed_out: bool,
    }
}

impl<B> TimeoutBody<B> {
    pub(crate) fn new(inner: B, plan: BodyPlan) -> Self {
        Self {
            inner,
            plan,
            wait: None,
            timed_out: false,
        }
    }

    /// The inner body.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }

    /// The inner body, to change.
    pub fn get_mut(&mut self) -> &mut B {
        &mut self.inner
    }

    /// Gives the inner body back, which then is under no limit.
    pub fn into_inner(self) -> B {
        self.inner
    }
}

impl<B> Body for TimeoutBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Error>>> {
        let mut this = self.project();
        if *this.timed_out {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = this.inner.as_mut().poll_frame(cx) else {
            let clock = ready!(poll_wait(this.wait, this.plan, cx));
            *this.wait = None;
            *this.timed_out = true;
            return Poll::Ready(Some(Err(in_body(clock, this.plan.idle))));
        };
        if let Some(wait) = this.wait {
            wait.as_mut().end();
            // Whoever keeps a finished body around keeps no timer with it.
            if !matches!(frame, Some(Ok(_))) || this.inner.is_end_stream() {
                *this.wait = None;
            }
        }
        let rename = this.plan.rename;
        Poll::Ready(frame.map(|frame| frame.map_err(|error| error_of_inner(error, rename))))
    }

    fn is_end_stream(&self) -> bool {
        self.timed_out || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.timed_out {
            return SizeHint::with_exact(0);
        }
        self.inner.size_hint()
    }
}

/// The reader waits: ready with whose time ran out, where any does.
fn poll_wait(
    wait: &mut Option<Pin<Box<Wait>>>,
    plan: &BodyPlan,
    cx: &mut Context<'_>,
) -> Poll<Clock> {
    if !wait.as_ref().is_some_and(|wait| wait.is_on()) {
        let Some(limit) = plan.limit_of_wait() else {
            return Poll::Pending;
        };
        match wait {
            Some(wait) => wait.as_mut().begin(limit),
            None => *wait = Some(Box::pin(Wait::new(limit))),
        }
    }
    match wait {
        Some(wait) => wait.as_mut().poll_over(cx),
        None => Poll::Pending,
    }
}

#[cold]
fn error_of_inner(error: impl Into<BoxError>, rename: bool) -> Error {
    let error = error.into();
    Error::from_boxed(match rename {
        true => renamed(error, Clock::Attempt),
        false => error,
    })
}
