use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use standpipe_core::{Error, ErrorKind, Phase};
use tokio::sync::Semaphore;

use crate::{ConcurrencyLimitLayer, Quota, RateLimitBuilder, RateLimitLayer, ServerWord, Unit};

/// The settings of a limiter, and of a [limit on what is under way](ConcurrencyLimitLayer): plain
/// data, checked when a layer is made of it.
///
/// The default has no quota and heeds the server's word.
///
/// ```
/// use standpipe_rate_limit::{Quota, RateLimitConfig};
/// use std::num::NonZeroU32;
/// use std::time::Duration;
///
/// # fn main() -> Result<(), standpipe_core::Error> {
/// let n = |n| NonZeroU32::new(n).unwrap();
/// let config = RateLimitConfig {
///     requests: vec![Quota::per_minute(n(60))],
///     cost: vec![Quota::per_minute(n(100_000))],
///     max_wait: Some(Duration::from_secs(20)),
///     ..RateLimitConfig::default()
/// };
/// let layer = config.layer()?;
/// # let _ = layer; Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct RateLimitConfig {
    /// The quotas of requests; all must admit. None, unless set.
    pub requests: Vec<Quota>,
    /// The quotas of cost, such as tokens, which each request takes as much of as its
    /// [`Cost`](crate::Cost) says; all must admit. None, unless set.
    pub cost: Vec<Quota>,
    /// The longest time that a request waits, for its turn and for its permit each; zero for those
    /// that never wait and are refused instead. None, unless set: the deadline alone holds.
    #[cfg_attr(
        feature = "serde",
        serde(
            with = "standpipe_core::data::duration::option",
            skip_serializing_if = "Option::is_none"
        )
    )]
    pub max_wait: Option<Duration>,
    /// How many requests wait for their turn at most; more are refused. None for any number, unless
    /// set.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub max_waiting: Option<usize>,
    /// What is heeded of what the server says, or None for nothing. All of it, unless set.
    #[cfg_attr(feature = "serde", serde(with = "standpipe_core::data::or_none"))]
    pub server_word: Option<ServerWord>,
    /// How many requests are under way at once, each up to the end of its response body. None for
    /// any number, unless set.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub max_concurrent: Option<NonZeroUsize>,
}

impl Default for RateLimitConfig {
    fn default() -> Self {
        Self {
            requests: Vec::new(),
            cost: Vec::new(),
            max_wait: None,
            max_waiting: None,
            server_word: Some(ServerWord::default()),
            max_concurrent: None,
        }
    }
}

impl From<Quota> for RateLimitConfig {
    /// One quota of requests.
    fn from(quota: Quota) -> Self {
        Self {
            requests: vec![quota],
            ..Self::default()
        }
    }
}

impl RateLimitConfig {
    /// `requests` a second.
    pub fn per_second(requests: NonZeroU32) -> Self {
        Quota::per_second(requests).into()
    }

    /// `requests` a minute.
    pub fn per_minute(requests: NonZeroU32) -> Self {
        Quota::per_minute(requests).into()
    }

    /// Checks every setting; making a layer does so too.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config), naming the field, its value and what is allowed.
    pub fn check(&self) -> Result<(), Error> {
        if let Some(word) = self.server_word
            && word != ServerWord::none()
            && word.max_pause.is_zero()
        {
            return Err(refused(
                "server_word.max_pause is 0ns, but must be more than zero",
            ));
        }
        if self.max_wait == Some(Duration::ZERO) && self.max_waiting.is_some() {
            return Err(refused(
                "max_waiting is set, but with a max_wait of zero none wait",
            ));
        }
        match self.max_concurrent {
            Some(limit) if limit.get() > Semaphore::MAX_PERMITS => Err(refused(format!(
                "max_concurrent is {limit}, but must be at most {}",
                Semaphore::MAX_PERMITS
            ))),
            _ => Ok(()),
        }
    }

    /// Whether there is anything to hold the pace of requests to: a quota, or the server's word.
    pub fn limits_pace(&self) -> bool {
        let heeds = self
            .server_word
            .is_some_and(|word| word != ServerWord::none());
        !self.requests.is_empty() || !self.cost.is_empty() || heeds
    }

    /// The limiter by these settings, to be given hooks, a [`Store`](crate::Store) or the limiter
    /// that [goes on](RateLimitBuilder::keep) under them. Its quotas are in the order of the fields.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check)'s.
    pub fn builder(&self) -> Result<RateLimitBuilder, Error> {
        self.check()?;
        let mut builder = RateLimitLayer::builder();
        for (quotas, unit) in [(&self.requests, Unit::Request), (&self.cost, Unit::Cost)] {
            for &quota in quotas {
                builder = builder.quota(quota, unit);
            }
        }
        builder = match self.server_word {
            Some(word) => builder.server_word(word),
            None => builder.no_server_word(),
        };
        if let Some(longest) = self.max_wait {
            builder = builder.max_wait(longest);
        }
        if let Some(requests) = self.max_waiting {
            builder = builder.max_waiting(requests);
        }
        Ok(builder)
    }

    /// The layer of the limiter. Each request costs one unit, unless the layer is given another
    /// [`cost`](RateLimitLayer::cost).
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check)'s.
    pub fn layer(&self) -> Result<RateLimitLayer, Error> {
        Ok(self.builder()?.build())
    }

    /// The layer of [`max_concurrent`](Self::max_concurrent), where that is set.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check)'s.
    pub fn concurrency_layer(&self) -> Result<Option<ConcurrencyLimitLayer>, Error> {
        self.check()?;
        Ok(self.max_concurrent.map(|limit| {
            let layer = ConcurrencyLimitLayer::new(limit);
            match self.max_wait {
                Some(longest) => layer.max_wait(longest),
                None => layer,
            }
        }))
    }
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config)
        .with_phase(Phase::Check)
        .with_message(message.into())
}
