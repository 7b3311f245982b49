use std::time::Duration;

/// How long one request may take: what the layer holds by default, and what a request says
/// otherwise.
///
/// Put into a request's extensions, it replaces as a whole what a layer made by
/// [`TimeoutLayer::new`](crate::TimeoutLayer::new), [`total`](crate::TimeoutLayer::total) or
/// [`body_idle`](crate::TimeoutLayer::body_idle) holds. It may be longer as well as shorter. An
/// attempt timeout does not look at it.
///
/// A [`Deadline`](standpipe_core::Deadline) that the request carries already holds in any case:
/// the earlier of the two ends the request.
///
/// ```
/// use standpipe_timeout::RequestTimeout;
/// use std::time::Duration;
///
/// let mut request = http::Request::new(());
/// let timeout = RequestTimeout::streaming(Duration::from_secs(30)).head(Duration::from_secs(120));
/// request.extensions_mut().insert(timeout);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestTimeout {
    pub(crate) total: Option<Duration>,
    pub(crate) head: Option<Duration>,
    pub(crate) body_idle: Option<Duration>,
}

impl RequestTimeout {
    /// No limit at all.
    pub const fn none() -> Self {
        Self {
            total: None,
            head: None,
            body_idle: None,
        }
    }

    /// The request ends within `total` of its call: queueing, retries and the response body
    /// included.
    pub const fn total(total: Duration) -> Self {
        Self {
            total: Some(total),
            head: None,
            body_idle: None,
        }
    }

    /// For a response that streams for as long as it likes: no total, and the body fails once the
    /// reader has waited `body_idle` for its next frame.
    pub const fn streaming(body_idle: Duration) -> Self {
        Self::none().body_idle(body_idle)
    }

    /// The same with a limit on the time up to the response head: queueing and retries included, the
    /// body not. It is the total's companion where the body may take longer.
    #[must_use]
    pub const fn head(mut self, head: Duration) -> Self {
        self.head = Some(head);
        self
    }

    /// The same with a limit on how long the reader waits for the next frame of the body.
    #[must_use]
    pub const fn body_idle(mut self, body_idle: Duration) -> Self {
        self.body_idle = Some(body_idle);
        self
    }
}
