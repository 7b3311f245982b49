use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use standpipe_core::{Body, BoxError};
use tower_service::Service;

use super::host::HostPattern;
use super::matcher::Matcher;
use super::rule::{Rule, Times};
use super::state::Shared;
use super::{ExpectationBuilder, MockAnswer, MockRequest, ResponseFuture};

/// A service that plays an API; see the [module](super) for what it answers and when it fails.
///
/// It is always ready, but holds the layer above it to the rules: it panics when it is called without
/// having been polled ready. A request counts as received once its body was read to the end.
///
/// # Errors
///
/// Those that the test set up; [`UnmatchedRequest`](super::UnmatchedRequest) inside an
/// [`Error`](standpipe_core::Error) for a request that nothing matches; the error of a request's body,
/// of kind [`RequestBody`](standpipe_core::ErrorKind::RequestBody).
///
/// # Panics
///
/// Dropped, or [verified](MockService::verify), where an expectation was not met, and the thread is
/// not panicking already.
///
/// # Clone
///
/// All clones share what is expected and what was received. Dropping one checks nothing: the one that
/// [`new`](MockService::new) made does, so keep it to the end of the test and give clones away.
pub struct MockService {
    shared: Arc<Shared>,
    ready: bool,
    /// Whether its end is the test's.
    verifies: bool,
}

impl MockService {
    /// A mock that expects nothing yet.
    pub fn new() -> Self {
        Self {
            shared: Arc::default(),
            ready: false,
            verifies: true,
        }
    }

    /// Answers requests for `host` that no expectation matches. It may be asked for or not. What is
    /// added for the same host is given in turn, and the last of it from then on.
    ///
    /// `host` is `api.example.com` for all its ports, `api.example.com:8080`, a URL without a path for
    /// one origin, or `*` for all hosts.
    ///
    /// # Panics
    ///
    /// When `host` is none of them, or the answer a response whose status is none.
    #[track_caller]
    pub fn add_response(&self, host: &str, answer: impl Into<MockAnswer>) {
        let (host, answer) = (HostPattern::parse(host), answer.into());
        answer.check();
        let rule = Rule {
            matchers: vec![Matcher::host(host.clone())],
            times: Times::default(),
            is_fallback: true,
            set_up_at: Location::caller(),
        };
        self.shared.state.lock().add_fallback(host, answer, rule);
    }

    /// Begins to say which requests shall come for `host`, how many, and what they get. `host` is
    /// written as for [`add_response`](MockService::add_response).
    ///
    /// # Panics
    ///
    /// When `host` is none.
    #[track_caller]
    pub fn expect(&self, host: &str) -> ExpectationBuilder {
        let host = HostPattern::parse(host);
        ExpectationBuilder::new(self.shared.clone(), host, Location::caller())
    }

    /// What was received so far, in order.
    pub fn requests(&self) -> Vec<MockRequest> {
        let state = self.shared.state.lock();
        let received = state.received.iter();
        received.map(|received| received.request.clone()).collect()
    }

    /// What was received and had no answer, in order.
    pub fn unmatched(&self) -> Vec<MockRequest> {
        let state = self.shared.state.lock();
        let received = state.received.iter();
        let unmatched = received.filter(|received| received.taken_by.is_none());
        unmatched.map(|received| received.request.clone()).collect()
    }

    /// How many requests were received.
    pub fn calls(&self) -> usize {
        self.shared.state.lock().received.len()
    }

    /// Waits until `n` requests were received. Their answers may be still under way.
    pub async fn called(&self, n: usize) {
        let called = || (self.calls() >= n).then_some(());
        self.shared.changes.until(called).await;
    }

    /// Checks that all was received that was expected, as the drop does.
    ///
    /// # Panics
    ///
    /// When it was not.
    #[track_caller]
    pub fn verify(&self) {
        let unmet = self.shared.state.lock().unmet();
        if let Some(unmet) = unmet {
            panic!("{unmet}");
        }
    }
}

impl Default for MockService {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for MockService {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            ready: false,
            verifies: false,
        }
    }
}

impl Drop for MockService {
    fn drop(&mut self) {
        if self.verifies && !std::thread::panicking() {
            self.verify();
        }
    }
}

impl<B> Service<Request<B>> for MockService
where
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = ResponseFuture<B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    #[track_caller]
    fn call(&mut self, request: Request<B>) -> ResponseFuture<B> {
        assert!(
            std::mem::take(&mut self.ready),
            "the mock was called without having been polled ready"
        );
        ResponseFuture::new(request, self.shared.clone())
    }
}

impl fmt::Debug for MockService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.state.lock();
        let expectations = state.entries.iter().map(|entry| entry.rule.clone());
        let expectations: Vec<_> = expectations.collect();
        let calls = state.received.len();
        drop(state);
        let expectations: Vec<_> = expectations.iter().map(|rule| rule.to_string()).collect();
        f.debug_struct("MockService")
            .field("expectations", &expectations)
            .field("calls", &calls)
            .finish_non_exhaustive()
    }
}
