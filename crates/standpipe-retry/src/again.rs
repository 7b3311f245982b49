//! What is kept of a request, and what is decided when an attempt of it has ended.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use standpipe_core::{
    BoxError, Closing, Deadline, Error, ErrorKind, Replay, RequestSent, ResendCount,
};
use tokio::time::Instant;
use tower_service::Service;

use crate::attempt::Outcome;
use crate::copy::RequestCopy;
use crate::drain::Drain;
use crate::facts::Facts;
use crate::head::prepared;
use crate::outcome::{failed, is_final, stamped};
use crate::peek::PeekFuture;
use crate::plan::{Bounds, Progress, Wait, asked};
use crate::shared::{Counts, Shared};
use crate::{
    Attempt, Decision, GiveUpEvent, GiveUpReason, Methods, Peeker, Policy, RequestRetry,
    RetryEvent, RetryPolicy, Verdict,
};

/// All that another attempt needs.
#[derive(Debug)]
pub(crate) struct Again<S, B, C> {
    pub(crate) service: S,
    shared: Arc<Shared<C>>,
    /// What the next attempt sends; `None` while the last one is under way.
    copy: Option<RequestCopy<B>>,
    /// Made when the first attempt has failed.
    facts: Option<Box<Facts>>,
}

/// What follows an attempt.
pub(crate) enum Next<R> {
    Return(Result<Response<R>, BoxError>),
    Peek(PeekFuture<R>, Wait),
    /// The rest of an answer is read, and then it is waited until then.
    Drain(Drain<R>, Instant),
    Wait(Instant),
    Start,
}

impl<S, B, C> Again<S, B, C> {
    /// What is kept of `request` before it is sent; `None` where its body cannot be sent again.
    #[inline]
    pub(crate) fn of(
        request: &mut Request<B>,
        cap: usize,
        service: &S,
        shared: &Arc<Shared<C>>,
    ) -> Option<Self>
    where
        S: Clone,
        B: Replay,
    {
        request.body_mut().keep(cap);
        let body = request.body().replay()?;
        Some(Self {
            service: service.clone(),
            shared: Arc::clone(shared),
            copy: Some(RequestCopy::with(request, body)),
            facts: None,
        })
    }

    /// Whether `response` is one that no policy of ours tries again, as nearly all are.
    pub(crate) fn passes<R>(&self, response: &Response<R>) -> bool {
        response.status().as_u16() < 400 && self.shared.settings.judge.is_none()
    }
}

impl<S, B, C> Again<S, B, C>
where
    B: Replay + 'static,
{
    /// Decides on the outcome of an attempt.
    #[cold]
    pub(crate) fn after<R>(
        &mut self,
        progress: &mut Progress,
        result: Result<Response<R>, BoxError>,
    ) -> Next<R>
    where
        C: Peeker<R>,
    {
        let result = result.map_err(|error| self.shared.error(error));
        self.learn(&result);
        if let Err(error) = &result
            && self.may_resend(error)
            && progress.resend(error)
        {
            Counts::add(&self.shared.counts.resends);
            let outcome = Outcome::Failure(error);
            self.tell_retry(progress.attempts, Duration::ZERO, true, outcome);
            return Next::Start;
        }
        let attempt = self.attempt(progress, Outcome::of(&result));
        let told = attempt.should_retry() == Some(true);
        let decision = self.judge(&attempt);
        if decision == Decision::Final || is_final(&result) {
            return Next::Return(stamped(progress, result));
        }
        let wait = self.wait(progress, decision);
        match result {
            // What the server says outright is not doubted.
            Ok(response) if response.status().is_client_error() && !told => {
                self.peek(progress, response, wait)
            }
            result => self.conclude(progress, result, wait),
        }
    }

    /// Looks into an answer, for as long as it can still be tried again.
    fn peek<R>(&self, progress: &mut Progress, response: Response<R>, wait: Wait) -> Next<R>
    where
        C: Peeker<R>,
    {
        let settings = &self.shared.settings;
        let delay = match self.plan(progress, wait, Instant::now()) {
            Ok(delay) => delay,
            Err(reason) => return self.give_up(progress, Ok(response), reason),
        };
        let latest = self.deadline().map(|deadline| deadline.instant() - delay);
        let closed = settings.closing.as_ref().map(Closing::closed);
        match settings.peek.peek(response, latest, closed) {
            Ok(peek) => Next::Peek(peek, wait),
            Err(response) => self.conclude(progress, Ok(response), wait),
        }
    }

    /// Goes on after a look into the answer.
    pub(crate) fn after_peek<R>(
        &self,
        progress: &mut Progress,
        response: Response<R>,
        verdict: Verdict,
        wait: Wait,
    ) -> Next<R> {
        match verdict {
            Verdict::Retry => self.conclude(progress, Ok(response), wait),
            Verdict::Final => self.give_up(progress, Ok(response), GiveUpReason::Peeked),
        }
    }

    fn conclude<R>(
        &self,
        progress: &mut Progress,
        result: Result<Response<R>, Error>,
        wait: Wait,
    ) -> Next<R> {
        let shared = &self.shared;
        let now = Instant::now();
        let delay = match self.plan(progress, wait, now) {
            Ok(_) if !shared.budget.withdraw(now) => {
                Counts::add(&shared.counts.over_budget);
                return self.give_up(progress, result, GiveUpReason::Budget);
            }
            Ok(delay) => delay,
            Err(reason) => return self.give_up(progress, result, reason),
        };
        Counts::add(&shared.counts.retries);
        self.tell_retry(progress.attempts, delay, false, Outcome::of(&result));
        progress.retry(delay);
        // No delay is too long for the clock.
        let until = Deadline::after_instant(now, delay).instant();
        match result {
            Ok(response) => {
                let drain = Drain::new(response.into_body(), now, until, self.deadline());
                Next::Drain(drain, until)
            }
            Err(_) => Next::Wait(until),
        }
    }

    /// How long is waited before another attempt, or why there is none. The budget is not asked.
    fn plan(
        &self,
        progress: &Progress,
        wait: Wait,
        now: Instant,
    ) -> Result<Duration, GiveUpReason> {
        let bounds = Bounds {
            policy: self.policy(),
            deadline: self.deadline(),
            whole: self.is_whole(),
            now,
        };
        match bounds.plan(progress, wait) {
            Ok(_) if self.shared.is_closed() => Err(GiveUpReason::Closing),
            planned => planned,
        }
    }

    fn wait(&self, progress: &Progress, decision: Decision) -> Wait {
        let policy = self.policy();
        match decision {
            Decision::RetryAfter(wait) => Wait {
                delay: asked(wait, policy, self.shared.random.next()),
                told: true,
            },
            Decision::Retry | Decision::Final => Wait {
                delay: self.backoff(policy, progress.retries),
                told: false,
            },
        }
    }

    fn give_up<R>(
        &self,
        progress: &Progress,
        result: Result<Response<R>, Error>,
        reason: GiveUpReason,
    ) -> Next<R> {
        Counts::add(&self.shared.counts.given_up);
        if let (Some(hook), Some(facts)) = (&self.shared.settings.hooks.on_give_up, &self.facts) {
            hook(&GiveUpEvent {
                attempts: progress.attempts,
                waited: progress.waited,
                reason,
                budget: self.shared.budget.available(),
                outcome: Outcome::of(&result),
                uri: &facts.uri,
            });
        }
        let info = progress.info().given_up();
        Next::Return(match result {
            Ok(mut response) => {
                response.extensions_mut().insert(info);
                Ok(response)
            }
            Err(error) => Err(error.with_retry_info(info).into()),
        })
    }

    /// The next attempt's call, to a service that is ready.
    pub(crate) fn start(&mut self, progress: &mut Progress) -> Result<S::Future, BoxError>
    where
        S: Service<Request<B>>,
    {
        let copy = self.copy.take();
        let mut request = copy
            .expect("an attempt was decided upon with its request at hand")
            .into_request();
        if progress.retries < self.policy().max_retries {
            let body = request.body().replay();
            self.copy = body.map(|body| RequestCopy::with(&request, body));
        }
        let resends = ResendCount(progress.attempts);
        request.extensions_mut().insert(resends);
        if let Some(hook) = &self.shared.settings.hooks.before_attempt {
            request = match prepared(request, hook, progress.attempts) {
                Ok(request) => request,
                Err(error) => return Err(failed(progress, error)),
            };
        }
        progress.attempts += 1;
        if let Some(facts) = &mut self.facts {
            facts.closed = None;
        }
        Ok(self.service.call(request))
    }

    fn may_resend(&self, error: &Error) -> bool {
        let Some(facts) = &self.facts else {
            return false;
        };
        let in_time = facts
            .deadline
            .is_none_or(|deadline| !deadline.remaining().is_zero());
        let allowed = match error.request_sent() {
            RequestSent::No => true,
            RequestSent::Maybe => {
                let any = self.policy().unanswered == Methods::Any;
                any || facts.keyed || facts.method.is_idempotent()
            }
            RequestSent::Yes => false,
        };
        let given_up = error.retry_info().is_some_and(|info| info.gave_up);
        let open = !self.shared.is_closed();
        error.calls_for_resend() && allowed && in_time && open && !given_up && self.is_whole()
    }

    fn is_whole(&self) -> bool {
        self.copy.as_ref().is_some_and(|copy| copy.body.is_whole())
    }

    fn judge(&self, attempt: &Attempt<'_>) -> Decision {
        match (self.own_policy(), &self.shared.settings.judge) {
            (Some(policy), _) => policy.judge(attempt),
            (None, Some(judge)) => judge.judge(attempt),
            (None, None) => self.shared.settings.policy.judge(attempt),
        }
    }

    fn backoff(&self, policy: &RetryPolicy, retries: u32) -> Duration {
        match (self.own_policy(), &self.shared.settings.backoff) {
            (None, Some(backoff)) => backoff.next(retries),
            _ => policy.backoff.delay(retries, self.shared.random.next()),
        }
    }

    fn own_policy(&self) -> Option<&RetryPolicy> {
        let facts = self.facts.as_deref()?;
        facts.wish.as_ref()?.own_policy()
    }

    fn deadline(&self) -> Option<Deadline> {
        self.facts.as_ref()?.deadline
    }

    fn policy(&self) -> &RetryPolicy {
        self.own_policy().unwrap_or(&self.shared.settings.policy)
    }

    fn attempt<'a>(&'a self, progress: &Progress, outcome: Outcome<'a>) -> Attempt<'a> {
        let facts = self
            .facts
            .as_ref()
            .expect("learnt when the first attempt ended");
        Attempt {
            number: progress.attempts - 1,
            method: &facts.method,
            uri: &facts.uri,
            keyed: facts.keyed,
            outcome,
            now: self.shared.now(),
        }
    }

    fn learn<R>(&mut self, result: &Result<R, Error>) {
        let copy = self.copy.as_ref();
        let facts = self.facts.take();
        let facts = facts.or_else(|| Some(Box::new(Facts::of(copy?))));
        let sent = result
            .as_ref()
            .map_or_else(Error::request_sent, |_| RequestSent::Yes);
        self.facts = facts.map(|mut facts| {
            facts.sent = facts.sent.max(sent);
            facts
        });
    }

    /// Ready, with the error that it is, once nobody is to wait any more.
    pub(crate) fn poll_closed(
        &mut self,
        progress: &Progress,
        cx: &mut Context<'_>,
    ) -> Poll<BoxError> {
        let (Some(closing), Some(facts)) = (&self.shared.settings.closing, &mut self.facts) else {
            return Poll::Pending;
        };
        let closed = facts.closed.get_or_insert_with(|| closing.closed());
        ready!(Pin::new(closed).poll(cx));
        let error = Error::new(ErrorKind::Shutdown).with_request_sent(facts.sent);
        Poll::Ready(error.with_retry_info(progress.info()).into())
    }

    fn tell_retry(&self, attempts: u32, delay: Duration, resend: bool, outcome: Outcome<'_>) {
        let Some(facts) = &self.facts else { return };
        let event = RetryEvent {
            attempts,
            delay,
            resend,
            budget: self.shared.budget.available(),
            outcome,
            uri: &facts.uri,
        };
        if let Some(hook) = &self.shared.settings.hooks.on_retry {
            hook(&event);
        }
        if let Some(hook) = facts.wish.as_ref().and_then(RequestRetry::hook) {
            hook(&event);
        }
    }
}
