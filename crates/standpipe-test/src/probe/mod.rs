#[cfg(test)]
mod tests;

use std::fmt;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;
use standpipe_core::BoxError;
use standpipe_core::sync::Mutex;
use tower_service::Service;

use crate::changes::Changes;

/// A service that stands under a layer in a test and holds it to the rules of [`Service`].
///
/// It panics when it is called without having been polled ready. As the rules allow, a clone is not
/// ready because its original was. It answers with what its function answers, and its
/// [handle](Probe::handle) tells what happened to it.
///
/// ```
/// # use tower::{Service, ServiceExt};
/// # use standpipe_test::Probe;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), standpipe_core::BoxError> {
/// let mut probe = Probe::new(|n: u32| async move { Ok::<_, standpipe_core::BoxError>(n + 1) });
/// let handle = probe.handle();
/// assert_eq!(probe.ready().await?.call(1).await?, 2);
/// assert_eq!(handle.calls(), 1);
/// # Ok(()) }
/// ```
///
/// # Clone
///
/// All clones count together and have one handle; each has its own readiness.
pub struct Probe<F> {
    answer: Arc<F>,
    handle: ProbeHandle,
    ready: bool,
    _alive: Counted,
}

impl<F> Probe<F> {
    /// A probe that answers with the future that `answer` makes of a request.
    pub fn new(answer: F) -> Self {
        let handle = ProbeHandle::default();
        Self {
            answer: Arc::new(answer),
            ready: false,
            _alive: Counted::begin(&handle, |state| &mut state.alive),
            handle,
        }
    }

    /// What the test keeps when it gives the probe away.
    pub fn handle(&self) -> ProbeHandle {
        self.handle.clone()
    }
}

impl Probe<()> {
    /// A probe that answers every request with `value`, at once.
    pub fn ok<Req, Res: Clone>(value: Res) -> Probe<impl Fn(Req) -> Ready<Result<Res, BoxError>>> {
        Probe::new(move |_| ready(Ok(value.clone())))
    }
}

impl<F, Req, Fut, Res, E> Service<Req> for Probe<F>
where
    F: Fn(Req) -> Fut,
    Fut: Future<Output = Result<Res, E>>,
{
    type Response = Res;
    type Error = E;
    type Future = ResponseFuture<Fut>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.ready = self.ready || self.handle.is_ready(cx);
        match self.ready {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }

    #[track_caller]
    fn call(&mut self, request: Req) -> ResponseFuture<Fut> {
        assert!(
            std::mem::take(&mut self.ready),
            "the probe was called without having been polled ready"
        );
        self.handle.count_call();
        ResponseFuture {
            in_flight: Some(Counted::begin(&self.handle, |state| &mut state.in_flight)),
            inner: (self.answer)(request),
        }
    }
}

impl<F> Clone for Probe<F> {
    fn clone(&self) -> Self {
        Self {
            answer: self.answer.clone(),
            ready: false,
            _alive: Counted::begin(&self.handle, |state| &mut state.alive),
            handle: self.handle.clone(),
        }
    }
}

impl<F> fmt::Debug for Probe<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe")
            .field("handle", &self.handle)
            .field("ready", &self.ready)
            .finish_non_exhaustive()
    }
}

/// What a [`Probe`] and its clones went through, and the power over their readiness.
///
/// # Clone
///
/// All clones tell of the same probe.
#[derive(Clone, Debug, Default)]
pub struct ProbeHandle {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changes: Changes,
}

#[derive(Debug, Default)]
struct State {
    calls: usize,
    alive: usize,
    in_flight: usize,
    pending: bool,
    wakers: Vec<Waker>,
}

impl ProbeHandle {
    /// How many requests were given to the probe.
    pub fn calls(&self) -> usize {
        self.shared.state.lock().calls
    }

    /// How many of the probe's clones live, the first one with them.
    pub fn clones(&self) -> usize {
        self.shared.state.lock().alive
    }

    /// How many requests have been neither answered nor dropped.
    pub fn in_flight(&self) -> usize {
        self.shared.state.lock().in_flight
    }

    /// Waits until the probe has been given `n` requests.
    pub async fn called(&self, n: usize) {
        let called = || (self.calls() >= n).then_some(());
        self.shared.changes.until(called).await;
    }

    /// Makes the probe pending: a clone that has not yet been polled ready does not become so until
    /// [`allow_ready`](ProbeHandle::allow_ready). One that has keeps its readiness, as services do.
    pub fn pending_ready(&self) {
        self.shared.state.lock().pending = true;
    }

    /// Lets the probe become ready, as it may from the start.
    pub fn allow_ready(&self) {
        let wakers = {
            let mut state = self.shared.state.lock();
            state.pending = false;
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    fn count_call(&self) {
        self.shared.state.lock().calls += 1;
        self.shared.changes.announce();
    }

    fn is_ready(&self, cx: &Context<'_>) -> bool {
        let mut state = self.shared.state.lock();
        if state.pending {
            state.wakers.push(cx.waker().clone());
        }
        !state.pending
    }
}

pin_project! {
    /// The future of a [`Probe`]'s answer.
    pub struct ResponseFuture<Fut> {
        #[pin]
        inner: Fut,
        in_flight: Option<Counted>,
    }
}

impl<Fut: Future> Future for ResponseFuture<Fut> {
    type Output = Fut::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Fut::Output> {
        let this = self.project();
        let answer = this.inner.poll(cx);
        if answer.is_ready() {
            *this.in_flight = None;
        }
        answer
    }
}

impl<Fut> fmt::Debug for ResponseFuture<Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

/// One more in a count of the handle's, while it lives.
#[derive(Debug)]
struct Counted {
    handle: ProbeHandle,
    count: fn(&mut State) -> &mut usize,
}

impl Counted {
    fn begin(handle: &ProbeHandle, count: fn(&mut State) -> &mut usize) -> Self {
        *count(&mut handle.shared.state.lock()) += 1;
        Self {
            handle: handle.clone(),
            count,
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        *(self.count)(&mut self.handle.shared.state.lock()) -= 1;
    }
}
