//! Polling what a layer made, by turns and within a time.

use std::fmt::Display;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use standpipe_core::BoxError;
use standpipe_core::sync::Mutex;
use tower_service::Service;

use super::LayerContract;
use super::inner::Control;

/// What is tried, to be named in the report.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial<'a, Req, Res> {
    pub(super) contract: &'a LayerContract<Req, Res>,
    pub(super) control: &'a Control,
    pub(super) rule: &'static str,
}

/// How often the runtime's other tasks get their turn before something counts as not happening.
const TURNS: usize = 1000;

impl<Req, Res> Trial<'_, Req, Res>
where
    Req: Send + 'static,
    Res: Send + 'static,
{
    /// # Panics
    ///
    /// Always: the rule is broken.
    pub(super) fn broken(&self, how: impl Display) -> ! {
        panic!("the layer breaks the rule of {}: {how}", self.rule)
    }

    /// Checks that the inner service was called by the rules so far.
    pub(super) fn assert_called_ready(&self) {
        if self.control.unready_calls() > 0 {
            self.broken(
                "it called its inner service without having polled that very one ready: a fresh clone, \
                 or one whose readiness was used up",
            );
        }
    }

    /// The outcome of `future`, which must come in time: `what` says of what it is.
    pub(super) async fn finish<F: Future>(&self, what: impl Display, future: F) -> F::Output {
        let mut future = pin!(future);
        let mut patience = pin!(tokio::time::sleep(self.contract.patience));
        let outcome = poll_fn(|cx| {
            // The clock first: polled once more when time is up, a future that lost its waking would
            // end after all.
            if patience.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            future.as_mut().poll(cx).map(Some)
        });
        match outcome.await {
            Some(outcome) => outcome,
            None => self.broken(format_args!(
                "{what} did not end in {:?}",
                self.contract.patience
            )),
        }
    }

    pub(super) async fn ready<S>(&self, what: impl Display, service: &mut S)
    where
        S: Service<Req, Error: Into<BoxError>>,
    {
        let ready = poll_fn(|cx| service.poll_ready(cx));
        if let Err(error) = self.finish(&what, ready).await {
            let error = error.into();
            self.broken(format_args!("{what} was not ready: {error}"));
        }
    }

    /// A call that must be answered.
    pub(super) async fn answered<S>(&self, what: impl Display, service: &mut S)
    where
        S: Service<Req, Error: Into<BoxError>>,
    {
        self.ready(&what, service).await;
        let call = service.call(self.contract.request());
        self.must_answer(what, call).await;
    }

    pub(super) async fn must_answer<F, T, E>(&self, what: impl Display, call: F)
    where
        F: Future<Output = Result<T, E>>,
        E: Into<BoxError>,
    {
        let answer = self.finish(&what, call).await;
        self.assert_called_ready();
        if let Err(error) = answer {
            let error = error.into();
            self.broken(format_args!("{what} failed: {error}"));
        }
    }

    /// That `done` holds once all tasks have had their turns.
    pub(super) async fn settles(&self, how_not: impl Display, done: impl Fn() -> bool) {
        for _ in 0..TURNS {
            if done() {
                return;
            }
            tokio::task::yield_now().await;
        }
        self.broken(how_not);
    }
}

/// Polls once.
pub(super) async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Polls up to `n` times, with a turn for all others after each.
pub(super) async fn poll_times<F: Future + ?Sized>(
    mut future: Pin<&mut F>,
    n: usize,
) -> Poll<F::Output> {
    for _ in 0..n {
        let poll = poll_once(future.as_mut()).await;
        if poll.is_ready() {
            return poll;
        }
        tokio::task::yield_now().await;
    }
    Poll::Pending
}

/// A future that is polled only when it was woken itself, as in a task of its own: beside others in one
/// task, another's waking would do as well, and one that was lost would not be missed.
pub(super) struct Alone<F> {
    future: Pin<Box<F>>,
    waking: Arc<Waking>,
}

struct Waking {
    woken: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl<F> Alone<F> {
    pub(super) fn new(future: F) -> Self {
        let waking = Waking {
            woken: AtomicBool::new(true),
            task: Mutex::new(None),
        };
        Self {
            future: Box::pin(future),
            waking: Arc::new(waking),
        }
    }
}

impl<F: Future> Future for Alone<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // Before the look at the flag: a waking between the two reaches the task.
        *self.waking.task.lock() = Some(cx.waker().clone());
        if !self.waking.woken.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let own = self.waking.clone().into();
        self.future.as_mut().poll(&mut Context::from_waker(&own))
    }
}

impl Wake for Waking {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        let task = self.task.lock().take();
        if let Some(task) = task {
            task.wake();
        }
    }
}

/// The outcome of a call, or `None` where it panicked.
pub(super) async fn caught<S, Req>(
    service: &mut S,
    request: Req,
) -> Option<Result<S::Response, S::Error>>
where
    S: Service<Req>,
{
    let call = catch_unwind(AssertUnwindSafe(|| service.call(request))).ok()?;
    let mut call = pin!(call);
    poll_fn(|cx| {
        let poll = catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx)));
        match poll {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}
