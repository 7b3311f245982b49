use std::time::Duration;

use tower_layer::Layer;

use crate::plan::{Bound, HandedDown};
use crate::{RequestTimeout, Timeout};

/// Makes [`Timeout`]: a total for the request, a limit on one attempt, or one on the silence of the
/// response body.
///
/// Durations that no clock can hold, such as [`Duration::MAX`], are taken as thirty years; under
/// [`Duration::ZERO`] only an answer that is there at once passes. A timeout of `None` costs
/// nothing.
///
/// # Order
///
/// The total goes outside of whatever waits or retries, the attempt timeout below the retry.
#[derive(Clone, Copy, Debug)]
pub struct TimeoutLayer {
    bound: Bound,
    handed_down: HandedDown,
}

impl TimeoutLayer {
    /// Holds each request to `default`, or to the [`RequestTimeout`] in its extensions.
    pub fn new(default: RequestTimeout) -> Self {
        Self {
            bound: Bound::Request(default),
            handed_down: HandedDown::Nothing,
        }
    }

    /// Each request ends within `timeout` of its call, queueing, retries and the response body
    /// included; a request's own [`RequestTimeout`] goes first.
    ///
    /// The request is given the [`Deadline`](standpipe_core::Deadline), so that the layers below
    /// need not wait for what comes too late. An earlier one that it carries stays in force.
    pub fn total(timeout: impl Into<Option<Duration>>) -> Self {
        Self::new(RequestTimeout {
            total: timeout.into(),
            head: None,
            body_idle: None,
        })
    }

    /// No total; a response body fails once its reader has waited `timeout` for the next frame. A
    /// request's own [`RequestTimeout`] goes first.
    ///
    /// The clock runs only while the reader waits: each frame stops it, and a reader that takes its
    /// time does not start it.
    pub fn body_idle(timeout: impl Into<Option<Duration>>) -> Self {
        Self::new(RequestTimeout {
            total: None,
            head: None,
            body_idle: timeout.into(),
        })
    }

    /// Each attempt gives its response head within `timeout`, or within what is left to the
    /// request's [`Deadline`](standpipe_core::Deadline) where that is less. The body is left alone.
    pub fn attempt(timeout: impl Into<Option<Duration>>) -> Self {
        Self {
            bound: Bound::Attempt {
                timeout: timeout.into(),
                body: false,
            },
            handed_down: HandedDown::Nothing,
        }
    }

    /// The attempt's time covers the response body too. A total does so already.
    #[must_use]
    pub fn including_body(mut self) -> Self {
        if let Bound::Attempt { body, .. } = &mut self.bound {
            *body = true;
        }
        self
    }

    /// For an inner service that holds to the request's [`Deadline`](standpipe_core::Deadline) by
    /// itself: the time limit is put on the request as its deadline, and no second timer runs here.
    /// A body idle timeout stays here.
    ///
    /// An attempt's time is then the inner service's deadline, and an inner
    /// [`DeadlineExceeded`](standpipe_core::ErrorKind::DeadlineExceeded) becomes an
    /// [`AttemptTimeout`](standpipe_core::ErrorKind::AttemptTimeout) where the attempt's time was
    /// the shorter. Whether such a deadline holds for the response body as well is up to the inner
    /// service.
    #[must_use]
    pub fn handed_down(mut self) -> Self {
        self.handed_down = HandedDown::All;
        self
    }

    /// The same up to the response head alone: the inner service holds to the deadline until it has
    /// answered, and the body is held to it here. An attempt's limit that [includes the
    /// body](Self::including_body) stays here altogether.
    #[must_use]
    pub fn handed_down_to_head(mut self) -> Self {
        self.handed_down = HandedDown::Head;
        self
    }
}

impl<S> Layer<S> for TimeoutLayer {
    type Service = Timeout<S>;

    fn layer(&self, inner: S) -> Timeout<S> {
        Timeout::new(inner, self.bound, self.handed_down)
    }
}
