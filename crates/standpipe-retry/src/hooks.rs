use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, StatusCode, Uri, request::Parts};
use standpipe_core::{BoxError, Error, Origin, RequestSent};

use crate::attempt::Outcome;

/// A retry that is about to be made, for those who look on.
#[derive(Clone, Copy, Debug)]
pub struct RetryEvent<'a> {
    pub(crate) attempts: u32,
    pub(crate) delay: Duration,
    pub(crate) resend: bool,
    pub(crate) budget: Option<u64>,
    pub(crate) outcome: Outcome<'a>,
    pub(crate) uri: &'a Uri,
}

/// A request that would have been tried again, and is not.
#[derive(Clone, Copy, Debug)]
pub struct GiveUpEvent<'a> {
    pub(crate) attempts: u32,
    pub(crate) waited: Duration,
    pub(crate) reason: GiveUpReason,
    pub(crate) budget: Option<u64>,
    pub(crate) outcome: Outcome<'a>,
    pub(crate) uri: &'a Uri,
}

/// Why a request is not tried again although its outcome called for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GiveUpReason {
    /// It was tried as often as it may be.
    Attempts,
    /// The budget allows no retry now.
    Budget,
    /// The wait would outlast the request's deadline.
    Deadline,
    /// The server asks to wait longer than is allowed.
    RetryAfter,
    /// The request body cannot be sent again.
    Body,
    /// The answer's body says that trying again is of no use.
    Peeked,
    /// The client is closing.
    Closing,
}

impl GiveUpReason {
    /// The reason as a short constant word, fit for a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Attempts => "attempts",
            Self::Budget => "budget",
            Self::Deadline => "deadline",
            Self::RetryAfter => "retry_after",
            Self::Body => "body",
            Self::Peeked => "peeked",
            Self::Closing => "closing",
        }
    }
}

impl RetryEvent<'_> {
    /// How many attempts were made so far; the one to come has this number, counted from 0.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How long is waited before it.
    pub fn delay(&self) -> Duration {
        self.delay
    }

    /// Whether the request is sent again at once because a connection lost it, which is not charged
    /// to the budget and does not count among the retries.
    pub fn is_resend(&self) -> bool {
        self.resend
    }
}

impl GiveUpEvent<'_> {
    /// How many attempts were made.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How long was waited between them.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Why there is no other.
    pub fn reason(&self) -> GiveUpReason {
        self.reason
    }
}

macro_rules! outcome_accessors {
    ($($event:ident)*) => {$(
        impl $event<'_> {
            /// The status of the last answer, where there was one.
            pub fn status(&self) -> Option<StatusCode> {
                self.outcome.status()
            }

            /// The last error, where there was no answer.
            pub fn error(&self) -> Option<&Error> {
                self.outcome.error()
            }

            /// How many more retries the budget allows now; `None` where there is none, or one
            /// that was [given](crate::RetryLayer::budget) as an object.
            pub fn budget(&self) -> Option<u64> {
                self.budget
            }

            /// The request's URI.
            pub fn uri(&self) -> &Uri {
                self.uri
            }

            /// The request's origin, where its URI has one. It is made anew on each call.
            pub fn origin(&self) -> Option<Origin> {
                Origin::of_uri(self.uri).ok()
            }
        }
    )*};
}

outcome_accessors!(RetryEvent GiveUpEvent);

pub(crate) type OnRetry = Arc<dyn Fn(&RetryEvent<'_>) + Send + Sync>;
type OnGiveUp = Arc<dyn Fn(&GiveUpEvent<'_>) + Send + Sync>;
pub(crate) type BeforeAttempt = Arc<dyn Fn(&mut Parts, u32) -> Result<(), BoxError> + Send + Sync>;
type MakeKey = Arc<dyn Fn() -> HeaderValue + Send + Sync>;
type ForeignSent = Arc<dyn Fn(&BoxError) -> RequestSent + Send + Sync>;

/// All that a user may hang into a layer.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) on_retry: Option<OnRetry>,
    pub(crate) on_give_up: Option<OnGiveUp>,
    pub(crate) before_attempt: Option<BeforeAttempt>,
    pub(crate) idempotency_key: Option<MakeKey>,
    pub(crate) foreign_sent: Option<ForeignSent>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("on_retry", &self.on_retry.is_some())
            .field("on_give_up", &self.on_give_up.is_some())
            .field("before_attempt", &self.before_attempt.is_some())
            .field("idempotency_key", &self.idempotency_key.is_some())
            .field("foreign_sent", &self.foreign_sent.is_some())
            .finish()
    }
}
