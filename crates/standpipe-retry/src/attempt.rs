use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, Method, Response, StatusCode, Uri};
use standpipe_core::Error;

use crate::parse_retry_after;

const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// One attempt and what came of it, for a [`Policy`](crate::Policy) to judge.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    pub(crate) number: u32,
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) keyed: bool,
    pub(crate) outcome: Outcome<'a>,
    pub(crate) now: SystemTime,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome<'a> {
    Answer(StatusCode, &'a HeaderMap),
    Failure(&'a Error),
}

impl<'a> Outcome<'a> {
    pub(crate) fn of<R>(result: &'a Result<Response<R>, Error>) -> Self {
        match result {
            Ok(response) => Self::Answer(response.status(), response.headers()),
            Err(error) => Self::Failure(error),
        }
    }

    pub(crate) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Answer(status, _) => Some(*status),
            Self::Failure(_) => None,
        }
    }

    pub(crate) fn error(&self) -> Option<&'a Error> {
        match self {
            Self::Answer(..) => None,
            Self::Failure(error) => Some(error),
        }
    }
}

impl<'a> Attempt<'a> {
    /// Which attempt it was, counted from 0.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The request's method.
    pub fn method(&self) -> &'a Method {
        self.method
    }

    /// The request's URI.
    pub fn uri(&self) -> &'a Uri {
        self.uri
    }

    /// Whether sending the request twice does what sending it once does: by its method (RFC 9110,
    /// 9.2.2), or because it has an `Idempotency-Key`, or an `X-Idempotency-Key` as Go knows it.
    pub fn is_idempotent(&self) -> bool {
        self.keyed || self.method.is_idempotent()
    }

    /// The answer's status, where there was an answer.
    pub fn status(&self) -> Option<StatusCode> {
        self.outcome.status()
    }

    /// The answer's headers, where there was an answer.
    pub fn headers(&self) -> Option<&'a HeaderMap> {
        match self.outcome {
            Outcome::Answer(_, headers) => Some(headers),
            Outcome::Failure(_) => None,
        }
    }

    /// The error, where there was no answer.
    pub fn error(&self) -> Option<&'a Error> {
        self.outcome.error()
    }

    /// How long the server, or the error, asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.outcome {
            Outcome::Answer(_, headers) => parse_retry_after(headers, self.now),
            Outcome::Failure(error) => error.retry_after(),
        }
    }

    /// What the server says in `x-should-retry`, where it says `true` or `false`.
    pub fn should_retry(&self) -> Option<bool> {
        let told = self.headers()?.get(SHOULD_RETRY)?.as_bytes();
        if told.eq_ignore_ascii_case(b"true") {
            Some(true)
        } else if told.eq_ignore_ascii_case(b"false") {
            Some(false)
        } else {
            None
        }
    }
}
