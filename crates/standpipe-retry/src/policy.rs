use std::time::Duration;

use http::StatusCode;
use standpipe_core::{Error, ErrorKind, RequestSent};

use crate::{Attempt, BudgetPolicy, ExponentialBackoff};

/// Judges one attempt: whether another makes sense.
///
/// [`RetryPolicy`] is the default and can be asked from within another, which may also say when. How
/// many attempts there are, the budget and the deadline are the layer's and not asked here.
///
/// Any `Fn(&Attempt<'_>) -> Decision` is one.
pub trait Policy: Send + Sync {
    /// The judgement on the outcome of `attempt`. It is asked for each, success included.
    fn judge(&self, attempt: &Attempt<'_>) -> Decision;
}

impl<F> Policy for F
where
    F: Fn(&Attempt<'_>) -> Decision + Send + Sync,
{
    fn judge(&self, attempt: &Attempt<'_>) -> Decision {
        self(attempt)
    }
}

/// What to do about the outcome of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Hand it to the caller.
    Final,
    /// Try again after the backoff.
    Retry,
    /// Try again after this time, which stands in place of the backoff and is held against
    /// [`max_retry_after`](RetryPolicy::max_retry_after).
    RetryAfter(Duration),
}

/// Which methods are sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Methods {
    /// All of them.
    Any,
    /// Those that RFC 9110, 9.2.2 calls idempotent, and requests with an `Idempotency-Key`.
    Idempotent,
}

/// What becomes of a `Retry-After` that is longer than
/// [`max_retry_after`](RetryPolicy::max_retry_after).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum TooLong {
    /// The answer goes to the caller at once.
    GiveUp,
    /// The wait is cut to the longest.
    Clamp,
}

/// What is retried, how often and when, as data; the crate's page has it as a table.
///
/// ```
/// use standpipe_retry::{ExponentialBackoff, RetryPolicy};
/// use std::time::Duration;
///
/// let policy = RetryPolicy::new()
///     .max_retries(2)
///     .statuses([408, 429, 500, 502, 503, 504, 529])
///     .backoff(ExponentialBackoff::new(Duration::from_millis(500)).max(Duration::from_secs(8)));
/// assert_ne!(policy, RetryPolicy::new());
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How many times a request is tried again after the first; 3 unless set. With 0 the layer does
    /// nothing.
    pub max_retries: u32,
    /// The waits between attempts, where the server asks for none.
    pub backoff: ExponentialBackoff,
    /// The statuses that are retried; 429, 502, 503 and 504 unless set.
    pub statuses: Vec<u16>,
    /// Which methods are sent again after an answer; any unless set.
    pub answered: Methods,
    /// Which methods are sent again when it is not known whether the request arrived; the idempotent
    /// ones unless set.
    pub unanswered: Methods,
    /// The longest wait that a server may ask for; 2 minutes unless set.
    #[cfg_attr(feature = "serde", serde(with = "standpipe_core::data::duration"))]
    pub max_retry_after: Duration,
    /// What becomes of a longer one; unless set, the answer goes to the caller.
    pub too_long: TooLong,
    /// How many bytes of a streamed request body are kept to be sent again; 64 KiB unless set.
    pub replay_cap: usize,
    /// How many retries all requests together may have; 20 % of them and 10 per second unless set.
    /// `None` is no limit.
    #[cfg_attr(feature = "serde", serde(with = "standpipe_core::data::or_none"))]
    pub budget: Option<BudgetPolicy>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 3,
            backoff: ExponentialBackoff::default(),
            statuses: vec![429, 502, 503, 504],
            answered: Methods::Any,
            unanswered: Methods::Idempotent,
            max_retry_after: Duration::from_secs(120),
            too_long: TooLong::GiveUp,
            replay_cap: 64 * 1024,
            budget: Some(BudgetPolicy::default()),
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $ty:ty;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $name: $ty) -> Self {
            self.$name = $name;
            self
        }
    )*};
}

impl RetryPolicy {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// No retry at all.
    pub fn none() -> Self {
        Self::default().max_retries(0)
    }

    /// Sets the statuses that are retried, in place of the default ones.
    #[must_use]
    pub fn statuses(mut self, statuses: impl IntoIterator<Item = u16>) -> Self {
        self.statuses = statuses.into_iter().collect();
        self
    }

    /// Sets the budget; `None` is no limit.
    #[must_use]
    pub fn budget(mut self, budget: impl Into<Option<BudgetPolicy>>) -> Self {
        self.budget = budget.into();
        self
    }

    setters! {
        /// Sets how many times a request is tried again after the first.
        max_retries: u32;
        /// Sets the waits between attempts.
        backoff: ExponentialBackoff;
        /// Sets which methods are sent again after an answer.
        answered: Methods;
        /// Sets which methods are sent again when it is not known whether the request arrived. With
        /// [`Methods::Any`] a server may do the work of a POST twice.
        unanswered: Methods;
        /// Sets the longest wait that a server may ask for.
        max_retry_after: Duration;
        /// Sets what becomes of a longer one.
        too_long: TooLong;
        /// Sets how many bytes of a streamed request body are kept.
        replay_cap: usize;
    }

    fn retries_answer(&self, attempt: &Attempt<'_>, status: StatusCode) -> bool {
        if status.as_u16() < 400 {
            return false;
        }
        match attempt.should_retry() {
            Some(told) => told,
            None => self.statuses.contains(&status.as_u16()) && self.answered.include(attempt),
        }
    }

    fn retries_error(&self, attempt: &Attempt<'_>, error: &Error) -> bool {
        if !may_pass(error) {
            return false;
        }
        match error.request_sent() {
            RequestSent::No => true,
            RequestSent::Maybe => self.unanswered.include(attempt),
            // A byte of the answer came: the server has done whatever it does.
            RequestSent::Yes => false,
        }
    }
}

impl Policy for RetryPolicy {
    fn judge(&self, attempt: &Attempt<'_>) -> Decision {
        let retried = match (attempt.status(), attempt.error()) {
            (Some(status), _) => self.retries_answer(attempt, status),
            (None, Some(error)) => self.retries_error(attempt, error),
            (None, None) => false,
        };
        match attempt.retry_after() {
            _ if !retried => Decision::Final,
            Some(wait) => Decision::RetryAfter(wait),
            None => Decision::Retry,
        }
    }
}

impl Methods {
    fn include(self, attempt: &Attempt<'_>) -> bool {
        self == Self::Any || attempt.is_idempotent()
    }
}

/// Whether what went wrong may go right the next time.
fn may_pass(error: &Error) -> bool {
    match error.kind() {
        // A certificate that is refused will be refused again; a peer that hung up may not.
        ErrorKind::Tls => !is_bad_certificate(error),
        ErrorKind::Dns
        | ErrorKind::DnsTimeout
        | ErrorKind::Connect
        | ErrorKind::ConnectTimeout
        | ErrorKind::Proxy
        | ErrorKind::TlsTimeout
        | ErrorKind::WriteTimeout
        | ErrorKind::ResponseTimeout
        | ErrorKind::AttemptTimeout
        | ErrorKind::ConnectionClosed
        | ErrorKind::StreamReset
        | ErrorKind::Other => true,
        // Our own refusals, wrong input, the end of the total time, and what the peer would do again.
        _ => false,
    }
}

/// TLS libraries report what they refuse as invalid data, and a lost connection as what it is.
fn is_bad_certificate(error: &Error) -> bool {
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        if let Some(io) = source.downcast_ref::<std::io::Error>() {
            return io.kind() == std::io::ErrorKind::InvalidData;
        }
        next = source.source();
    }
    false
}
