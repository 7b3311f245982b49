use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use standpipe_core::{BoxError, Origin};
use tokio::sync::OnceCell;
use tower_service::Service;

use crate::NewHost;
use standpipe_core::oneshot::Oneshot;

/// Makes hosts' services by a `Service<Origin>` whose answer is a service, for those that take
/// time to make or may fail (tower calls such a service a `MakeService`).
///
/// The first request to a host makes its service and the ones that come meanwhile wait for it.
/// Where making fails, or the request that makes is dropped, the next of them tries in its stead;
/// an error goes to the request that met it. Once the service is there nothing of this is in the
/// way: a call clones it, and neither boxes nor allocates.
///
/// ```
/// use standpipe_core::{BoxError, Origin};
/// use standpipe_router::{HostRouter, MakeHost};
/// use tower::service_fn;
///
/// let make = service_fn(|origin: Origin| async move {
///     // Ask a service directory, read a key …
///     let host = origin.host().to_owned();
///     Ok::<_, BoxError>(service_fn(move |_request: http::Request<()>| {
///         std::future::ready(Ok::<_, BoxError>(http::Response::new(host.clone())))
///     }))
/// });
/// let router = HostRouter::builder().build_with(MakeHost::new(make));
/// # let _ = router.clone();
/// ```
#[derive(Clone, Debug)]
pub struct MakeHost<M> {
    make: M,
}

impl<M> MakeHost<M> {
    /// Makes services by clones of `make`.
    pub fn new(make: M) -> Self {
        Self { make }
    }
}

impl<M> NewHost for MakeHost<M>
where
    M: Service<Origin> + Clone,
{
    type Service = MadeHost<M, M::Response>;

    fn new_host(&self, origin: &Origin) -> Self::Service {
        MadeHost {
            shared: Arc::new(Shared {
                origin: origin.clone(),
                make: self.make.clone(),
                made: OnceCell::new(),
            }),
        }
    }
}

/// A host's service that [`MakeHost`] makes with its first request. It is always ready.
///
/// # Clone
///
/// All clones share what was made.
pub struct MadeHost<M, S> {
    shared: Arc<Shared<M, S>>,
}

struct Shared<M, S> {
    origin: Origin,
    make: M,
    made: OnceCell<S>,
}

impl<M, S> MadeHost<M, S> {
    /// The service, once it was made.
    pub fn made(&self) -> Option<&S> {
        self.shared.made.get()
    }
}

impl<M, S> Shared<M, S>
where
    M: Service<Origin, Response = S> + Clone,
    M::Error: Into<BoxError>,
    S: Clone,
{
    async fn make(self: Arc<Self>) -> Result<S, BoxError> {
        let make = async || {
            let mut make = self.make.clone();
            poll_fn(|cx| make.poll_ready(cx))
                .await
                .map_err(Into::into)?;
            make.call(self.origin.clone()).await.map_err(Into::into)
        };
        self.made.get_or_try_init(make).await.cloned()
    }
}

impl<M, S, R> Service<R> for MadeHost<M, S>
where
    M: Service<Origin, Response = S> + Clone + Send + Sync + 'static,
    M::Future: Send,
    M::Error: Into<BoxError>,
    S: Service<R> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = MadeFuture<S, R>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        let state = match self.made() {
            Some(service) => State::Made {
                oneshot: Oneshot::new(service.clone(), request),
            },
            None => State::Making {
                made: Box::pin(Arc::clone(&self.shared).make()),
                request: Some(request),
            },
        };
        MadeFuture { state }
    }
}

impl<M, S> Clone for MadeHost<M, S> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<M, S> fmt::Debug for MadeHost<M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MadeHost")
            .field("origin", &self.shared.origin)
            .field("made", &self.made().is_some())
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`MadeHost`].
    ///
    /// # Cancel safety
    ///
    /// Dropped while it makes the service, it leaves the making to the next request.
    pub struct MadeFuture<S, R>
    where
        S: Service<R>,
    {
        #[pin]
        state: State<S, R>,
    }
}

/// Boxed, since the first requests to a host alone go through it.
type Making<S> = Pin<Box<dyn Future<Output = Result<S, BoxError>> + Send>>;

pin_project! {
    #[project = StateProj]
    enum State<S, R>
    where
        S: Service<R>,
    {
        Making { made: Making<S>, request: Option<R> },
        Made { #[pin] oneshot: Oneshot<S, R> },
        Done,
    }
}

impl<S, R> Future for MadeFuture<S, R>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                // Making => Made, or Done when it fails
                StateProj::Making { made, request } => match ready!(made.as_mut().poll(cx)) {
                    Ok(service) => {
                        let request = request.take().expect("a waiting call has its request");
                        let oneshot = Oneshot::new(service, request);
                        state.set(State::Made { oneshot });
                    }
                    Err(error) => {
                        state.set(State::Done);
                        return Poll::Ready(Err(error));
                    }
                },
                // Made => Done
                StateProj::Made { oneshot } => {
                    let answer = ready!(oneshot.poll(cx));
                    state.set(State::Done);
                    return Poll::Ready(answer);
                }
                StateProj::Done => panic!("polled after the answer was given"),
            }
        }
    }
}

impl<S: Service<R>, R> fmt::Debug for MadeFuture<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MadeFuture").finish_non_exhaustive()
    }
}
