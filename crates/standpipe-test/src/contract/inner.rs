use std::error::Error as StdError;
use std::fmt;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use standpipe_core::BoxError;
use standpipe_core::sync::Mutex;
use tower_service::Service;

use crate::{Probe, ProbeHandle};

/// The service that stands under a layer while its contract is checked.
///
/// Called without having been polled ready, it notes that and fails, in place of panicking: a layer
/// that catches panics, or whose call is made in a task, is found out too.
///
/// # Clone
///
/// All clones do the same; each has its own readiness.
pub struct ContractService<Req, Res> {
    probe: Probe<Answers<Req, Res>>,
    control: Control,
    ready: bool,
}

type Answers<Req, Res> = Box<dyn Fn(Req) -> ContractFuture<Res> + Send + Sync>;

/// What the inner service does with its calls from now on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Answer,
    Fail,
    /// Is awake for some polls, and never answers.
    Hold,
    PanicInCall,
    PanicInFuture,
}

/// The test's power over the inner service, and its view of it.
#[derive(Clone, Debug)]
pub(super) struct Control {
    pub(super) probe: ProbeHandle,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    act: Act,
    ready_fails: bool,
    unready_calls: usize,
}

impl Control {
    pub(super) fn act(&self, act: Act) {
        self.state.lock().act = act;
    }

    /// Makes the inner service's `poll_ready` fail.
    pub(super) fn fail_ready(&self) {
        self.state.lock().ready_fails = true;
    }

    /// How often the inner service was called without having been polled ready.
    pub(super) fn unready_calls(&self) -> usize {
        self.state.lock().unready_calls
    }
}

impl<Req: 'static, Res: 'static> ContractService<Req, Res> {
    pub(super) fn new(response: Arc<dyn Fn() -> Res + Send + Sync>) -> (Self, Control) {
        let state = Arc::new(Mutex::new(State {
            act: Act::Answer,
            ready_fails: false,
            unready_calls: 0,
        }));
        let acts = state.clone();
        let answers: Answers<Req, Res> = Box::new(move |_| {
            let act = acts.lock().act;
            match act {
                Act::PanicInCall => resume_unwind(Box::new("the inner service's call panics")),
                act => ContractFuture::new(act, response.clone()),
            }
        });
        let probe = Probe::new(answers);
        let control = Control {
            probe: probe.handle(),
            state,
        };
        let service = Self {
            probe,
            control: control.clone(),
            ready: false,
        };
        (service, control)
    }
}

impl<Req, Res: Send + 'static> Service<Req> for ContractService<Req, Res> {
    type Response = Res;
    type Error = BoxError;
    type Future = ContractFuture<Res>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.control.state.lock().ready_fails {
            return Poll::Ready(Err(InnerFailure.into()));
        }
        let ready = self.probe.poll_ready(cx);
        self.ready = ready.is_ready();
        ready
    }

    fn call(&mut self, request: Req) -> ContractFuture<Res> {
        if std::mem::take(&mut self.ready) {
            return ContractFuture {
                inner: Box::pin(self.probe.call(request)),
            };
        }
        self.control.state.lock().unready_calls += 1;
        ContractFuture {
            inner: Box::pin(std::future::ready(Err("called unready".into()))),
        }
    }
}

impl<Req, Res> Clone for ContractService<Req, Res> {
    fn clone(&self) -> Self {
        Self {
            probe: self.probe.clone(),
            control: self.control.clone(),
            ready: false,
        }
    }
}

impl<Req, Res> fmt::Debug for ContractService<Req, Res> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContractService")
            .field("control", &self.control)
            .field("ready", &self.ready)
            .finish_non_exhaustive()
    }
}

/// The future of [`ContractService`].
pub struct ContractFuture<Res> {
    inner: Pin<Box<dyn Future<Output = Result<Res, BoxError>> + Send>>,
}

impl<Res: 'static> ContractFuture<Res> {
    fn new(act: Act, response: Arc<dyn Fn() -> Res + Send + Sync>) -> Self {
        let inner = async move {
            // A layer that answers at the first poll shows less of itself.
            let awake = if matches!(act, Act::Hold) { 4 } else { 1 };
            for _ in 0..awake {
                tokio::task::yield_now().await;
            }
            match act {
                Act::Answer => Ok(response()),
                Act::Fail => Err(InnerFailure.into()),
                Act::Hold => std::future::pending().await,
                Act::PanicInCall | Act::PanicInFuture => {
                    resume_unwind(Box::new("the inner service's future panics"))
                }
            }
        };
        Self {
            inner: Box::pin(inner),
        }
    }
}

impl<Res> Future for ContractFuture<Res> {
    type Output = Result<Res, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.inner.as_mut().poll(cx)
    }
}

impl<Res> fmt::Debug for ContractFuture<Res> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContractFuture").finish_non_exhaustive()
    }
}

/// The error of [`ContractService`], which the layer above must pass on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InnerFailure;

impl InnerFailure {
    /// Whether `error` is one, or has one among its sources.
    pub(super) fn is_in(error: &BoxError) -> bool {
        let mut next: Option<&(dyn StdError + 'static)> = Some(error.as_ref());
        while let Some(error) = next {
            if error.is::<Self>() {
                return true;
            }
            next = error.source();
        }
        false
    }
}

impl fmt::Display for InnerFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the inner service failed, as the contract's test has it do")
    }
}

impl StdError for InnerFailure {}
