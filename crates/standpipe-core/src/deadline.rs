use std::any::Any;
use std::time::Duration;

use http::{Extensions, Request};
use tokio::time::Instant;

use crate::Body;

/// The instant at which a request must have ended: queueing, retries and the response body
/// included.
///
/// Whoever sets it (`standpipe-timeout`, or you) puts it on the request with
/// [`attach`](Deadline::attach); every layer that would wait asks [`of`](Deadline::of) first and
/// fails at once where the wait would outlast it. It rides in [`Body`] where the request has one,
/// which costs nothing, and in the request's extensions otherwise.
///
/// The clock is tokio's, so `tokio::time::pause` drives it.
///
/// ```
/// use standpipe_core::Deadline;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let mut request = http::Request::new(http_body_util::Empty::<bytes::Bytes>::new());
/// Deadline::after(Duration::from_secs(5)).attach(&mut request);
/// assert!(Deadline::of(&request).is_some());
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline at `instant`.
    pub fn at(instant: Instant) -> Self {
        Self(instant)
    }

    /// The deadline that is `timeout` from now. A timeout too long for the clock, such as
    /// [`Duration::MAX`], is taken as thirty years.
    pub fn after(timeout: Duration) -> Self {
        Self::after_instant(Instant::now(), timeout)
    }

    /// The deadline that is `timeout` from `now`, for those who have read the clock already.
    pub fn after_instant(now: Instant, timeout: Duration) -> Self {
        const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
        Self(now.checked_add(timeout).unwrap_or_else(|| now + FAR))
    }

    /// The instant itself.
    pub fn instant(self) -> Instant {
        self.0
    }

    /// How long is left; zero once it has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether a wait of `wait` from `now` would end after the deadline.
    pub fn is_before(self, now: Instant, wait: Duration) -> bool {
        self.0.saturating_duration_since(now) < wait
    }

    /// The earlier of two deadlines, either of which may be missing.
    pub fn earlier(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// The deadline that `request` carries.
    pub fn of<B: 'static>(request: &Request<B>) -> Option<Self> {
        Self::of_parts(request.body(), request.extensions())
    }

    /// The deadline that a request of these parts carries.
    pub fn of_parts<B: 'static>(body: &B, extensions: &Extensions) -> Option<Self> {
        match (body as &dyn Any).downcast_ref::<Body>() {
            Some(body) => body.deadline(),
            None => extensions.get::<Self>().copied(),
        }
    }

    /// Puts the deadline on `request`, unless it carries an earlier one; returns the one in force.
    pub fn attach<B: 'static>(self, request: &mut Request<B>) -> Self {
        let deadline = Self::of(request).map_or(self, |earlier| earlier.min(self));
        match (request.body_mut() as &mut dyn Any).downcast_mut::<Body>() {
            Some(body) => body.set_deadline(Some(deadline)),
            None => {
                request.extensions_mut().insert(deadline);
            }
        }
        deadline
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Empty;

    type Foreign = Empty<bytes::Bytes>;

    #[tokio::test(start_paused = true)]
    async fn rides_in_our_body_without_an_extension() {
        let mut request = Request::new(Body::empty());
        let deadline = Deadline::after(Duration::from_secs(3)).attach(&mut request);
        assert_eq!(Deadline::of(&request), Some(deadline));
        assert!(request.extensions().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn rides_in_an_extension_beside_a_foreign_body() {
        let mut request = Request::new(Foreign::new());
        assert_eq!(Deadline::of(&request), None);
        let deadline = Deadline::after(Duration::from_secs(3)).attach(&mut request);
        assert_eq!(Deadline::of(&request), Some(deadline));
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_deadline_never_replaces_an_earlier_one() {
        let mut request = Request::new(Body::empty());
        let early = Deadline::after(Duration::from_secs(1)).attach(&mut request);
        let in_force = Deadline::after(Duration::from_secs(9)).attach(&mut request);
        assert_eq!(in_force, early);
        assert_eq!(Deadline::of(&request), Some(early));
    }

    /// TO-07
    #[tokio::test(start_paused = true)]
    async fn zero_and_the_largest_duration_do_not_overflow() {
        assert_eq!(Deadline::after(Duration::ZERO).remaining(), Duration::ZERO);
        assert!(Deadline::after(Duration::MAX).remaining() > Duration::from_secs(1 << 29));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_ends_on_the_deadline_is_within_it() {
        let now = Instant::now();
        let deadline = Deadline::after_instant(now, Duration::from_secs(2));
        assert!(!deadline.is_before(now, Duration::from_secs(2)));
        assert!(deadline.is_before(now, Duration::from_millis(2001)));
    }
}
