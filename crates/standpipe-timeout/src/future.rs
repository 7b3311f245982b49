use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use pin_project_lite::pin_project;
use standpipe_core::BoxError;
use tokio::task::coop::unconstrained;
use tokio::time::{Sleep, sleep_until};

use crate::TimeoutBody;
use crate::error::{before_head, renamed};
use crate::plan::Plan;

pin_project! {
    /// The call of a [`Timeout`](crate::Timeout), up to the response head.
    ///
    /// It asks the inner call first and the clock second, so that an answer that is there at the
    /// last instant counts.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the inner call and the timer.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        // Made when the inner call has to wait, so that one answered at once pays for no timer; boxed,
        // since a stack moves this future about, and most leave the time to what is below.
        timer: Option<Pin<Box<Sleep>>>,
        plan: Plan,
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) fn new(inner: F, plan: Plan) -> Self {
        Self {
            inner,
            timer: None,
            plan,
        }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<TimeoutBody<R>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(result) = this.inner.poll(cx) {
            // Whoever keeps a finished future around keeps no timer with it.
            *this.timer = None;
            let plan = this.plan.body;
            return Poll::Ready(match result {
                Ok(response) => Ok(response.map(|body| TimeoutBody::new(body, plan))),
                Err(error) => Err(match this.plan.rename {
                    Some(clock) => renamed(error.into(), clock),
                    None => error.into(),
                }),
            });
        }
        let Some(limit) = this.plan.head else {
            return Poll::Pending;
        };
        let timer = this
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(limit.at)));
        // An inner call that uses up the task's budget on each poll must not stop the clock.
        ready!(Pin::new(&mut unconstrained(timer.as_mut())).poll(cx));
        *this.timer = None;
        Poll::Ready(Err(before_head(limit.clock).into()))
    }
}
