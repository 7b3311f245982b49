//! What the tests share.

#![allow(dead_code, reason = "no test file uses all of it")]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use http::Request;
use standpipe_core::sync::Mutex;
use standpipe_core::{BoxError, Origin};
use tower::Service;

/// A service that answers each request at once with its own number.
#[derive(Clone, Debug)]
pub(crate) struct Numbered {
    pub(crate) number: usize,
    pub(crate) calls: Arc<AtomicUsize>,
}

impl<B> Service<Request<B>> for Numbered {
    type Response = usize;
    type Error = BoxError;
    type Future = std::future::Ready<Result<usize, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        self.calls.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Ok(self.number))
    }
}

/// Makes `Numbered` services, counted from 1.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter {
    pub(crate) made: Arc<AtomicUsize>,
    pub(crate) calls: Arc<AtomicUsize>,
}

impl Counter {
    pub(crate) fn new_host(&self) -> impl Fn(&Origin) -> Numbered + Clone + use<> {
        let Self { made, calls } = self.clone();
        move |_: &Origin| Numbered {
            number: made.fetch_add(1, Ordering::Relaxed) + 1,
            calls: Arc::clone(&calls),
        }
    }

    pub(crate) fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }
}

/// What was told to a hook, in order.
#[derive(Debug)]
pub(crate) struct Log<T>(Arc<Mutex<Vec<T>>>);

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Vec::new())))
    }
}

impl<T> Log<T> {
    pub(crate) fn add(&self, entry: T) {
        self.0.lock().push(entry);
    }

    pub(crate) fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.0.lock())
    }
}

pub(crate) fn get(uri: &str) -> Request<()> {
    Request::get(uri).body(()).unwrap()
}

pub(crate) fn origin(text: &str) -> Origin {
    Origin::parse(text).unwrap()
}

/// The outcome of a future that needs one poll.
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    Task::new(future).poll().expect("ready at the first poll")
}

/// A future to poll by hand.
#[derive(Debug)]
pub(crate) struct Task<F>(Pin<Box<F>>);

impl<F: Future> Task<F> {
    pub(crate) fn new(future: F) -> Self {
        Self(Box::pin(future))
    }

    pub(crate) fn poll(&mut self) -> Option<F::Output> {
        let mut context = Context::from_waker(Waker::noop());
        match self.0.as_mut().poll(&mut context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }
}
