//! Layers that break one rule each, and that the contract finds out.

mod cancel;
mod errors;
mod readiness;

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use standpipe_core::{Body, BoxError};
use tower_layer::layer_fn;
use tower_service::Service;

use super::Answering;
use crate::assert_layer_contract;
use crate::contract::ContractService;

type Req = Request<Body>;
type Res = Response<Body>;
type Inner = ContractService<Req, Res>;

/// What `check` panics with.
pub(super) async fn report(check: impl Future<Output = ()>) -> String {
    let mut check = pin!(check);
    let outcome = std::future::poll_fn(|cx| {
        let poll = std::panic::catch_unwind(AssertUnwindSafe(|| check.as_mut().poll(cx)));
        match poll {
            Ok(poll) => poll.map(Ok),
            Err(payload) => Poll::Ready(Err(payload)),
        }
    });
    let payload = outcome.await.expect_err("the layer is broken");
    *payload.downcast::<String>().expect("a report")
}

/// Checks that a layer is found to break `rule`, and for the reason that holds `why`.
async fn assert_broken<S>(rule: &str, why: &str, layer: impl Fn(Inner) -> S)
where
    S: Service<Req, Response = Res, Error = BoxError> + Clone,
{
    let told = report(assert_layer_contract(layer_fn(layer))).await;
    let begin = format!("the layer breaks the rule of {rule}: ");
    assert!(told.starts_with(&begin) && told.contains(why), "{told}");
}

/// A service whose `poll_ready` and `call` the test gives.
#[derive(Clone)]
struct Made<T, R, C> {
    inner: T,
    ready: R,
    call: C,
}

fn made<T, R, C>(inner: T, ready: R, call: C) -> Made<T, R, C>
where
    R: FnMut(&mut T, &mut Context<'_>) -> Poll<Result<(), BoxError>>,
    C: FnMut(&mut T, Req) -> Answering<Res>,
{
    Made { inner, ready, call }
}

impl<T, R, C> Service<Req> for Made<T, R, C>
where
    R: FnMut(&mut T, &mut Context<'_>) -> Poll<Result<(), BoxError>>,
    C: FnMut(&mut T, Req) -> Answering<Res>,
{
    type Response = Res;
    type Error = BoxError;
    type Future = Answering<Res>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        (self.ready)(&mut self.inner, cx)
    }

    fn call(&mut self, request: Req) -> Answering<Res> {
        (self.call)(&mut self.inner, request)
    }
}

fn ready(inner: &mut Inner, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
    inner.poll_ready(cx)
}

fn call(inner: &mut Inner, request: Req) -> Answering<Res> {
    Box::pin(inner.call(request))
}

const FRESH: &str = "called its inner service without having polled that very one ready";
