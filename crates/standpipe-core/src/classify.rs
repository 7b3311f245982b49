use http::{Response, StatusCode};

use crate::{BoxError, Error, ErrorKind, Phase, RequestSent};

/// What a result says about the health of whoever gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The peer did its work.
    Success,
    /// The peer failed: counts against it.
    Failure,
    /// Says nothing about the peer: counts neither way.
    Ignored,
}

/// Judges a result; the circuit breaker and the metrics ask it.
///
/// Any `Fn(&Result<Res, BoxError>) -> Outcome` is one; [`HttpClassifier`] is the default for HTTP.
pub trait Classify<Res> {
    /// The judgement on one result.
    fn classify(&self, result: &Result<Res, BoxError>) -> Outcome;
}

impl<Res, F> Classify<Res> for F
where
    F: Fn(&Result<Res, BoxError>) -> Outcome,
{
    fn classify(&self, result: &Result<Res, BoxError>) -> Outcome {
        self(result)
    }
}

/// The judgement that fits most HTTP APIs: 5xx, timeouts and transport errors are failures; 429
/// and our own refusals (rate limit, full queue, open circuit, shutdown, wrong input, time spent
/// waiting in our own pool) are ignored, and so is what [calls for a
/// resend](Error::calls_for_resend): a server that ends its connections in good order, as one that is
/// restarted does, is not failing, and one that is gone fails the next dial. The rest is success.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpClassifier;

impl HttpClassifier {
    /// The judgement on a status alone.
    #[inline]
    pub fn status(status: StatusCode) -> Outcome {
        if status.is_server_error() {
            Outcome::Failure
        } else if status == StatusCode::TOO_MANY_REQUESTS {
            Outcome::Ignored
        } else {
            Outcome::Success
        }
    }

    /// The judgement on an error alone. An error that is not a [`Error`] is a failure.
    pub fn error(error: &BoxError) -> Outcome {
        match Error::find(error.as_ref()) {
            Some(error)
                if error.kind().is_local()
                    || error.calls_for_resend()
                    || ran_out_in_our_queue(error) =>
            {
                Outcome::Ignored
            }
            _ => Outcome::Failure,
        }
    }
}

/// Whether the time, the attempt's or all of it, ran out before the request had a connection. A
/// clock of the dial itself is the peer's.
fn ran_out_in_our_queue(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DeadlineExceeded | ErrorKind::AttemptTimeout
    ) && error.request_sent() == RequestSent::No
        && error.phase() != Some(Phase::Dial)
}

impl<B> Classify<Response<B>> for HttpClassifier {
    #[inline]
    fn classify(&self, result: &Result<Response<B>, BoxError>) -> Outcome {
        match result {
            Ok(response) => Self::status(response.status()),
            Err(error) => Self::error(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn of_status(status: u16) -> Outcome {
        HttpClassifier::status(StatusCode::from_u16(status).unwrap())
    }

    #[test]
    fn statuses_are_judged_by_the_table() {
        for (status, outcome) in [
            (200, Outcome::Success),
            (304, Outcome::Success),
            (404, Outcome::Success),
            (429, Outcome::Ignored),
            (500, Outcome::Failure),
            (503, Outcome::Failure),
            (529, Outcome::Failure),
        ] {
            assert_eq!(of_status(status), outcome, "{status}");
        }
    }

    #[test]
    fn our_own_refusals_are_ignored_and_the_peers_faults_are_failures() {
        let waited = ErrorKind::AcquireTimeout {
            waited: Duration::from_secs(1),
            in_use: 8,
            limit: 8,
        };
        for (kind, outcome) in [
            (waited, Outcome::Ignored),
            (ErrorKind::QueueFull, Outcome::Ignored),
            (ErrorKind::RateLimited, Outcome::Ignored),
            (ErrorKind::CircuitOpen, Outcome::Ignored),
            (ErrorKind::Shutdown, Outcome::Ignored),
            (ErrorKind::InvalidRequest, Outcome::Ignored),
            (ErrorKind::Connect, Outcome::Failure),
            (ErrorKind::ResponseTimeout, Outcome::Failure),
            (ErrorKind::ConnectionClosed, Outcome::Failure),
        ] {
            let result: Result<Response<()>, BoxError> = Err(Error::new(kind).into());
            assert_eq!(HttpClassifier.classify(&result), outcome, "{kind:?}");
        }
    }

    #[test]
    fn time_that_ran_out_in_our_own_pool_is_ignored_and_any_other_is_a_failure() {
        for kind in [ErrorKind::AttemptTimeout, ErrorKind::DeadlineExceeded] {
            for (sent, phase, outcome) in [
                (RequestSent::No, Phase::Acquire, Outcome::Ignored),
                (RequestSent::No, Phase::Admit, Outcome::Ignored),
                (RequestSent::No, Phase::Dial, Outcome::Failure),
                (RequestSent::Maybe, Phase::Exchange, Outcome::Failure),
                (RequestSent::Yes, Phase::Body, Outcome::Failure),
            ] {
                let error = Error::new(kind).with_request_sent(sent).with_phase(phase);
                let outcome_of = HttpClassifier::error(&error.into());
                assert_eq!(outcome_of, outcome, "{kind:?} {sent:?} {phase:?}");
            }
        }
        // What a dial took is the peer's, though nothing was sent.
        for kind in [
            ErrorKind::DnsTimeout,
            ErrorKind::ConnectTimeout,
            ErrorKind::TlsTimeout,
        ] {
            let outcome = HttpClassifier::error(&Error::new(kind).into());
            assert_eq!(outcome, Outcome::Failure, "{kind:?}");
        }
    }

    #[test]
    fn a_connection_that_had_ended_unnoticed_is_ignored() {
        for kind in [ErrorKind::ConnectionClosed, ErrorKind::StreamReset] {
            let error = Error::new(kind).with_request_sent(RequestSent::Maybe);
            let judged = |error: Error| HttpClassifier::error(&error.into());
            assert_eq!(judged(error.clone()), Outcome::Failure);
            assert_eq!(judged(error.with_resend()), Outcome::Ignored);
        }
    }

    #[test]
    fn a_foreign_error_is_a_failure_and_a_closure_classifies() {
        let result: Result<Response<()>, BoxError> = Err("boom".into());
        assert_eq!(HttpClassifier.classify(&result), Outcome::Failure);
        let never = |_: &Result<Response<()>, BoxError>| Outcome::Success;
        assert_eq!(never.classify(&result), Outcome::Success);
    }
}
