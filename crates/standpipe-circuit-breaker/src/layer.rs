use std::fmt;
use std::sync::Arc;

use standpipe_core::Error;
use tower_layer::Layer;

use crate::listeners::Listener;
use crate::retry_after::NoRetryAfter;
use crate::shared::Shared;
use crate::{AtBodyEnd, AtHead, CircuitBreaker, CircuitBreakerConfig, Handle, Transition};

/// Makes [`CircuitBreaker`].
///
/// Each service it makes has a circuit of its own, or all of them have that of a [`Handle`].
///
/// ```
/// use standpipe_circuit_breaker::{CircuitBreakerConfig, CircuitBreakerLayer};
///
/// # fn main() -> Result<(), standpipe_core::Error> {
/// let layer = CircuitBreakerLayer::new(CircuitBreakerConfig::new().threshold(3))?
///     .on_transition(|change| println!("{} to {}", change.from, change.to))
///     .at_body_end();
/// # let _ = layer; Ok(()) }
/// ```
///
/// # Order
///
/// Inside of whatever retries, so that each attempt counts, and outside of what queues or limits, so
/// that a refusal waits for nothing. A timeout inside counts by its error; one outside drops the
/// call, which counts if [`dropped_after`](CircuitBreakerConfig::dropped_after) says so.
///
/// # Clone
///
/// A clone makes what this one would make.
#[derive(Clone)]
pub struct CircuitBreakerLayer<J = AtHead> {
    circuit: Circuit,
    judge: J,
}

#[derive(Clone)]
enum Circuit {
    OfItsOwn {
        config: Arc<CircuitBreakerConfig>,
        listeners: Vec<Listener>,
    },
    Of(Handle),
}

impl CircuitBreakerLayer {
    /// A layer for HTTP: the
    /// [`HttpClassifier`](standpipe_core::HttpClassifier) judges the response's head, and `Retry-After` of a
    /// 503 in seconds sets the reset period.
    ///
    /// # Errors
    ///
    /// [`Config`](standpipe_core::ErrorKind::Config) for what
    /// [`CircuitBreakerConfig::check`] refuses.
    pub fn new(config: CircuitBreakerConfig) -> Result<Self, Error> {
        Ok(Self {
            circuit: Circuit::checked(config)?,
            judge: AtHead::default(),
        })
    }

    /// The same for a circuit that is there already. For what is no HTTP, add a
    /// [`classifier`](Self::classifier) and
    /// [`retry_after(NoRetryAfter)`](crate::NoRetryAfter).
    pub fn shared(handle: Handle) -> Self {
        Self {
            circuit: Circuit::Of(handle),
            judge: AtHead::default(),
        }
    }
}

impl<C> CircuitBreakerLayer<AtHead<C, NoRetryAfter>> {
    /// A layer for any service, of HTTP or not: `classifier` judges its results. It may be a
    /// `Fn(&Result<Res, BoxError>) -> Outcome`.
    ///
    /// ```
    /// use standpipe_circuit_breaker::{CircuitBreakerConfig, CircuitBreakerLayer};
    /// use standpipe_core::{BoxError, Outcome};
    ///
    /// # fn main() -> Result<(), standpipe_core::Error> {
    /// let judge = |result: &Result<String, BoxError>| match result {
    ///     Ok(_) => Outcome::Success,
    ///     Err(_) => Outcome::Failure,
    /// };
    /// let layer = CircuitBreakerLayer::with_classifier(CircuitBreakerConfig::new(), judge)?;
    /// # let _ = layer; Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](CircuitBreakerLayer::new)'s.
    pub fn with_classifier(config: CircuitBreakerConfig, classifier: C) -> Result<Self, Error> {
        Ok(Self {
            circuit: Circuit::checked(config)?,
            judge: AtHead {
                classifier,
                retry_after: NoRetryAfter,
            },
        })
    }
}

impl<C, R> CircuitBreakerLayer<AtHead<C, R>> {
    /// Judges the results by `classifier`: a `Fn(&Result<Res, BoxError>) -> Outcome`, for one. A
    /// clone goes with each call.
    #[must_use]
    pub fn classifier<C2>(self, classifier: C2) -> CircuitBreakerLayer<AtHead<C2, R>> {
        self.map_judge(|judge| AtHead {
            classifier,
            retry_after: judge.retry_after,
        })
    }

    /// Finds in a failed response how long to stay open: a `Fn(&Res) -> Option<Duration>`, for
    /// one. A clone goes with each call.
    #[must_use]
    pub fn retry_after<R2>(self, retry_after: R2) -> CircuitBreakerLayer<AtHead<C, R2>> {
        self.map_judge(|judge| AtHead {
            classifier: judge.classifier,
            retry_after,
        })
    }

    /// Judges an HTTP response at the end of its body, so that one that dies half-way is a failure.
    /// The response's body becomes a [`CircuitBody`](crate::CircuitBody).
    #[must_use]
    pub fn at_body_end(self) -> CircuitBreakerLayer<AtBodyEnd<C, R>> {
        self.map_judge(|judge| AtBodyEnd {
            classifier: judge.classifier,
            retry_after: judge.retry_after,
        })
    }
}

impl<J> CircuitBreakerLayer<J> {
    /// Judges by a [`Judge`](crate::Judge) of your own. A clone goes with each call.
    #[must_use]
    pub fn judge<J2>(self, judge: J2) -> CircuitBreakerLayer<J2> {
        self.map_judge(|_| judge)
    }

    /// Has `listener` called for each transition of each circuit that this layer makes, or of the
    /// one it was given; see [`Handle::on_transition`].
    #[must_use]
    pub fn on_transition(mut self, listener: impl Fn(&Transition) + Send + Sync + 'static) -> Self {
        match &mut self.circuit {
            Circuit::OfItsOwn { listeners, .. } => listeners.push(Arc::new(listener)),
            Circuit::Of(handle) => handle.on_transition(listener),
        }
        self
    }

    fn map_judge<J2>(self, map: impl FnOnce(J) -> J2) -> CircuitBreakerLayer<J2> {
        CircuitBreakerLayer {
            circuit: self.circuit,
            judge: map(self.judge),
        }
    }
}

impl Circuit {
    fn checked(config: CircuitBreakerConfig) -> Result<Self, Error> {
        config.check()?;
        Ok(Self::OfItsOwn {
            config: Arc::new(config),
            listeners: Vec::new(),
        })
    }

    fn shared(&self) -> Arc<Shared> {
        match self {
            Self::Of(handle) => Arc::clone(&handle.shared),
            Self::OfItsOwn { config, listeners } => {
                let shared = Shared::new(config);
                for listener in listeners {
                    shared.listeners.add(Arc::clone(listener));
                }
                Arc::new(shared)
            }
        }
    }
}

impl<S, J: Clone> Layer<S> for CircuitBreakerLayer<J> {
    type Service = CircuitBreaker<S, J>;

    fn layer(&self, inner: S) -> Self::Service {
        CircuitBreaker::new(inner, self.circuit.shared(), self.judge.clone())
    }
}

impl<J: fmt::Debug> fmt::Debug for CircuitBreakerLayer<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("CircuitBreakerLayer");
        match &self.circuit {
            Circuit::OfItsOwn { config, listeners } => out
                .field("config", config)
                .field("listeners", &listeners.len()),
            Circuit::Of(handle) => out.field("handle", handle),
        };
        out.field("judge", &self.judge).finish()
    }
}
