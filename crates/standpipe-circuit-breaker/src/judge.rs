use std::time::Duration;

use http::Response;
use http_body::Body;
use standpipe_core::{BoxError, Classify, HttpClassifier, Outcome};

use crate::{Call, CircuitBody, HttpRetryAfter, RetryAfter};

/// When the outcome of a call is known, and what it is.
///
/// [`AtHead`] and [`AtBodyEnd`] are those of this crate. One of your own may look further, as into
/// the trailers of gRPC: it puts the [`Call`] into the body it returns, and finishes it there.
pub trait Judge<Res> {
    /// What the caller gets: the response, or the same with another body.
    type Response;

    /// Judges the `result` of `call`, or hands the call on with the response.
    ///
    /// # Errors
    ///
    /// The result's own, unchanged.
    fn judge(&self, result: Result<Res, BoxError>, call: Call) -> Result<Self::Response, BoxError>;
}

/// The outcome is known with the response itself, which for HTTP is its head.
#[derive(Clone, Copy, Debug, Default)]
pub struct AtHead<C = HttpClassifier, R = HttpRetryAfter> {
    pub(crate) classifier: C,
    pub(crate) retry_after: R,
}

impl<Res, C, R> Judge<Res> for AtHead<C, R>
where
    C: Classify<Res>,
    R: RetryAfter<Res>,
{
    type Response = Res;

    #[inline]
    fn judge(&self, result: Result<Res, BoxError>, call: Call) -> Result<Res, BoxError> {
        match self.classifier.classify(&result) {
            Outcome::Success => call.succeed(),
            outcome => call.finish(outcome, asked(&self.retry_after, &result, outcome)),
        }
        result
    }
}

/// The outcome of an HTTP response is known at the end of its body, so that one that dies half-way
/// is a failure. A head that is no success decides at once.
///
/// A body that is dropped before its end is a call that was dropped.
#[derive(Clone, Copy, Debug, Default)]
pub struct AtBodyEnd<C = HttpClassifier, R = HttpRetryAfter> {
    pub(crate) classifier: C,
    pub(crate) retry_after: R,
}

impl<B, C, R> Judge<Response<B>> for AtBodyEnd<C, R>
where
    B: Body,
    C: Classify<Response<B>> + Clone,
    R: RetryAfter<Response<B>>,
{
    type Response = Response<CircuitBody<B, C>>;

    fn judge(
        &self,
        result: Result<Response<B>, BoxError>,
        call: Call,
    ) -> Result<Self::Response, BoxError> {
        let outcome = self.classifier.classify(&result);
        let asked = asked(&self.retry_after, &result, outcome);
        match result {
            Ok(response) if outcome == Outcome::Success && !response.body().is_end_stream() => {
                let classifier = self.classifier.clone();
                Ok(response.map(|body| CircuitBody::watched(body, call.rest(), classifier)))
            }
            Ok(response) => {
                call.finish(outcome, asked);
                Ok(response.map(CircuitBody::judged))
            }
            Err(error) => {
                call.finish(outcome, asked);
                Err(error)
            }
        }
    }
}

#[cold]
fn asked<Res>(
    retry_after: &impl RetryAfter<Res>,
    result: &Result<Res, BoxError>,
    outcome: Outcome,
) -> Option<Duration> {
    match (result, outcome) {
        (Ok(response), Outcome::Failure) => retry_after.retry_after(response),
        _ => None,
    }
}
