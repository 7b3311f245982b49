use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use standpipe_core::{BoxError, Error};

use crate::{Call, Judge};

pin_project! {
    /// The call of a [`CircuitBreaker`](crate::CircuitBreaker).
    ///
    /// # Cancel safety
    ///
    /// Dropped before its end, the call was given up; see [`Call`].
    pub struct ResponseFuture<F, J> {
        #[pin]
        state: State<F, J>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, J> {
        Called {
            #[pin]
            inner: F,
            call: Option<Call>,
            judge: J,
        },
        Refused {
            error: Option<Error>,
        },
    }
}

impl<F, J> ResponseFuture<F, J> {
    #[inline]
    pub(crate) fn called(inner: F, call: Call, judge: J) -> Self {
        Self {
            state: State::Called {
                inner,
                call: Some(call),
                judge,
            },
        }
    }

    #[cold]
    pub(crate) fn refused(error: Error) -> Self {
        Self {
            state: State::Refused { error: Some(error) },
        }
    }
}

impl<F, J, Res, E> Future for ResponseFuture<F, J>
where
    F: Future<Output = Result<Res, E>>,
    E: Into<BoxError>,
    J: Judge<Res>,
{
    type Output = Result<J::Response, BoxError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Called { inner, call, judge } => {
                // On the stack while the inner call runs, so that its panic ends the call at once.
                let current = call
                    .take()
                    .expect("polled after the answer was given")
                    .run();
                match inner.poll(cx) {
                    Poll::Pending => {
                        *call = Some(current.rest());
                        Poll::Pending
                    }
                    Poll::Ready(result) => {
                        Poll::Ready(judge.judge(result.map_err(Into::into), current))
                    }
                }
            }
            StateProj::Refused { error } => {
                let error = error.take().expect("polled after the answer was given");
                Poll::Ready(Err(error.into()))
            }
        }
    }
}

impl<F, J> fmt::Debug for ResponseFuture<F, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Called { .. } => "called",
            State::Refused { .. } => "refused",
        };
        f.debug_struct("ResponseFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
