use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use bytes::Bytes;
use http::Method;

use super::host::HostPattern;
use super::matcher::{Matcher, header_name, header_value};
use super::rule::{Rule, Times};
use super::state::{Answers, Shared};
use super::{MockAnswer, MockRequest};

/// What a mock shall be asked for; made by [`MockService::expect`](super::MockService::expect).
///
/// All that is asked of a request must hold. One at the least must come, unless
/// [`times`](ExpectationBuilder::times) or one of its kin says otherwise. It counts from
/// [`answer`](ExpectationBuilder::answer) on, or another of the methods that give an
/// [`Expectation`].
#[must_use = "it expects nothing before it has an answer"]
pub struct ExpectationBuilder {
    shared: Arc<Shared>,
    matchers: Vec<Matcher>,
    times: Times,
    set_up_at: &'static Location<'static>,
}

impl ExpectationBuilder {
    pub(super) fn new(
        shared: Arc<Shared>,
        host: HostPattern,
        set_up_at: &'static Location<'static>,
    ) -> Self {
        Self {
            shared,
            matchers: vec![Matcher::host(host)],
            times: Times::default(),
            set_up_at,
        }
    }

    /// Requests of this method.
    pub fn method(self, method: Method) -> Self {
        self.asks(Matcher::method(method))
    }

    /// Requests for this path, without query.
    pub fn path(self, path: impl Into<String>) -> Self {
        self.asks(Matcher::path(path.into()))
    }

    /// Requests with this pair in their query, decoded, whatever else there is. Where a name comes
    /// more than once, the first counts.
    pub fn query(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.asks(Matcher::query(name.into(), value.into()))
    }

    /// Requests with this header, be it one of several of its name.
    ///
    /// # Panics
    ///
    /// When it is none.
    #[track_caller]
    pub fn header(self, name: &str, value: &str) -> Self {
        self.asks(Matcher::header(header_name(name), header_value(value)))
    }

    /// Requests with a header of this name, whatever its value.
    ///
    /// # Panics
    ///
    /// When it is no name.
    #[track_caller]
    pub fn any_header(self, name: &str) -> Self {
        self.asks(Matcher::any_header(header_name(name)))
    }

    /// Requests without a header of this name.
    ///
    /// # Panics
    ///
    /// When it is no name.
    #[track_caller]
    pub fn no_header(self, name: &str) -> Self {
        self.asks(Matcher::no_header(header_name(name)))
    }

    /// Requests with this body, byte by byte.
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        self.asks(Matcher::body(body.into()))
    }

    /// Requests whose body is this JSON, in whatever order and spacing.
    #[cfg(feature = "json")]
    pub fn json(self, json: serde_json::Value) -> Self {
        self.asks(Matcher::json(json))
    }

    /// Requests whose body is JSON of which `holds` is true; `what` says in a report what that is.
    #[cfg(feature = "json")]
    pub fn json_where(
        self,
        what: impl Into<String>,
        holds: impl Fn(&serde_json::Value) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.asks(Matcher::json_where(what.into(), holds))
    }

    /// Requests of which `holds` is true; `what` says in a report what that is.
    pub fn is(
        self,
        what: impl Into<String>,
        holds: impl Fn(&MockRequest) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.asks(Matcher::is(what.into(), holds))
    }

    /// So many requests, no more and no less. A further one goes to whatever else matches it; where
    /// nothing does, it fails, and the test with it.
    pub fn times(mut self, n: usize) -> Self {
        self.times = Times {
            at_least: Some(n),
            at_most: Some(n),
        };
        self
    }

    /// So many requests or more.
    pub fn at_least(mut self, n: usize) -> Self {
        self.times.at_least = Some(n);
        self
    }

    /// So many requests or fewer, and none at all too where no [`at_least`](Self::at_least) is set.
    /// A further one is treated as by [`times`](Self::times).
    pub fn at_most(mut self, n: usize) -> Self {
        self.times.at_most = Some(n);
        self
    }

    /// They all get this answer.
    ///
    /// # Panics
    ///
    /// When it is a response whose status is none.
    #[track_caller]
    pub fn answer(self, answer: impl Into<MockAnswer>) -> Expectation {
        self.answer_in_turn([answer.into()])
    }

    /// They get these answers in turn, and the last of them from then on.
    ///
    /// # Panics
    ///
    /// When there is none, or one is a response whose status is none.
    #[track_caller]
    pub fn answer_in_turn(self, answers: impl IntoIterator<Item = MockAnswer>) -> Expectation {
        let answers: Vec<_> = answers.into_iter().collect();
        assert!(!answers.is_empty(), "a mock needs an answer to give");
        for answer in &answers {
            answer.check();
        }
        self.set(Answers::InTurn(answers))
    }

    /// They get the answer that `answer` makes of each.
    pub fn answer_with<F, A>(self, answer: F) -> Expectation
    where
        F: Fn(&MockRequest) -> A + Send + Sync + 'static,
        A: Into<MockAnswer>,
    {
        self.set(Answers::By(Arc::new(move |request| answer(request).into())))
    }

    /// They must not come: one that does fails, whatever else would match it, and the test with it.
    pub fn never(self) -> Expectation {
        self.times(0).set(Answers::InTurn(Vec::new()))
    }

    fn asks(mut self, matcher: Matcher) -> Self {
        self.matchers.push(matcher);
        self
    }

    fn set(self, answers: Answers) -> Expectation {
        let rule = Rule {
            matchers: self.matchers,
            times: self.times,
            is_fallback: false,
            set_up_at: self.set_up_at,
        };
        let index = self.shared.state.lock().add(rule, answers);
        Expectation {
            shared: self.shared,
            index,
        }
    }
}

impl fmt::Debug for ExpectationBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpectationBuilder")
            .field("set_up_at", &self.set_up_at)
            .finish_non_exhaustive()
    }
}

/// What a mock was told to expect, to look at what came of it.
///
/// # Clone
///
/// All clones tell of the same.
#[derive(Clone)]
pub struct Expectation {
    shared: Arc<Shared>,
    index: usize,
}

impl Expectation {
    /// How many requests it has answered.
    pub fn calls(&self) -> usize {
        self.shared.state.lock().entries[self.index].matched
    }

    /// The requests that it has answered, in order.
    pub fn requests(&self) -> Vec<MockRequest> {
        let state = self.shared.state.lock();
        let all = state.received.iter();
        let own = all.filter(|received| received.taken_by == Some(self.index));
        own.map(|received| received.request.clone()).collect()
    }

    /// Waits until it has taken `n` requests. Their answers may be still under way.
    pub async fn called(&self, n: usize) {
        let called = || (self.calls() >= n).then_some(());
        self.shared.changes.until(called).await;
    }
}

impl fmt::Debug for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = self.shared.state.lock().entries[self.index].rule.clone();
        f.debug_struct("Expectation")
            .field("asks", &rule.to_string())
            .field("calls", &self.calls())
            .finish_non_exhaustive()
    }
}
