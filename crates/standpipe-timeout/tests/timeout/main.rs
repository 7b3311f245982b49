//! The timeouts, through the public API and under paused time.

mod attempt;
mod body;
mod contract;
mod edges;
mod request;
mod total;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::channel::{Channel, Sender};
use standpipe_core::{BoxError, Error, ErrorKind, Phase, RequestSent};
use standpipe_test::Probe;
use standpipe_timeout::{Timeout, TimeoutLayer};
use tokio::time::Instant;
use tower::Layer;

const HOUR: Duration = Duration::from_secs(3600);

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn request() -> Request<()> {
    Request::new(())
}

/// What `layer` makes of `service`.
fn under<S>(layer: TimeoutLayer, service: S) -> Timeout<S> {
    layer.layer(service)
}

/// A service that answers `"ok"` after `wait`.
fn answering_after<B>(wait: Duration) -> Probe<impl Fn(Request<B>) -> Answering> {
    Probe::new(move |_| -> Answering {
        Box::pin(async move {
            tokio::time::sleep(wait).await;
            Ok(Response::new("ok".to_owned()))
        })
    })
}

type Answering = Pin<Box<dyn Future<Output = Answer<String>> + Send>>;

type Answer<R> = Result<Response<R>, BoxError>;

fn channel() -> (Sender<Bytes, Infallible>, Channel<Bytes, Infallible>) {
    Channel::new(8)
}

/// A service that answers its one request at once, with `body`.
fn answering_with<R: Send + 'static>(
    body: R,
) -> impl tower::Service<Request<()>, Response = Response<R>, Error = BoxError, Future: Send> {
    let mut body = Some(body);
    tower::service_fn(move |_: Request<()>| {
        let body = body.take().expect("one request");
        async move { Ok::<_, BoxError>(Response::new(body)) }
    })
}

#[track_caller]
fn assert_timed_out(error: &Error, kind: ErrorKind, phase: Phase, at: Instant) {
    assert_eq!(error.kind(), kind);
    assert_eq!(error.phase(), Some(phase));
    assert_eq!(error.request_sent(), RequestSent::Maybe);
    let late = Instant::now().checked_duration_since(at);
    assert!(
        late.is_some_and(|late| late <= Duration::from_millis(1)),
        "not at its time but {late:?} after it"
    );
}

/// A waker that counts, and whose owners can be counted: a registered timer is one.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn poll_with<F: Future>(wakes: &Arc<Wakes>, future: Pin<&mut F>) -> Poll<F::Output> {
    let waker = Waker::from(wakes.clone());
    future.poll(&mut Context::from_waker(&waker))
}

/// How many hold the waker beside the test.
fn registered(wakes: &Arc<Wakes>) -> usize {
    Arc::strong_count(wakes) - 1
}
