use std::time::Duration;

use standpipe_core::{BoxError, Error, ErrorKind, Phase};

use crate::plan::Clock;

/// The error of a clock that ran out before the response head.
#[cold]
pub(crate) fn before_head(clock: Clock) -> Error {
    Error::new(kind(clock))
        .with_phase(Phase::Exchange)
        .with_message("waiting for the response head")
}

/// The error of a clock that ran out while the body was read.
#[cold]
pub(crate) fn in_body(clock: Clock, idle: Option<Duration>) -> Error {
    let message = match (clock, idle) {
        (Clock::BodyIdle, Some(idle)) => format!("no frame for {idle:?}"),
        _ => "reading the response body".to_owned(),
    };
    Error::new(kind(clock))
        .with_phase(Phase::Body)
        .with_message(message)
}

fn kind(clock: Clock) -> ErrorKind {
    match clock {
        Clock::Deadline => ErrorKind::DeadlineExceeded,
        Clock::Head => ErrorKind::ResponseTimeout,
        Clock::Attempt => ErrorKind::AttemptTimeout,
        Clock::BodyIdle => ErrorKind::BodyIdleTimeout,
    }
}

/// The inner service's `error`, by the name of `clock` where it was that clock's time that the inner
/// service knew as its deadline. All that it says of the request stays.
#[cold]
pub(crate) fn renamed(error: BoxError, clock: Clock) -> BoxError {
    let Some(found) = Error::find(error.as_ref()) else {
        return error;
    };
    if found.kind() != ErrorKind::DeadlineExceeded {
        return error;
    }
    let mut renamed = Error::new(kind(clock))
        .with_request_sent(found.request_sent())
        .with_retry_info(found.retry_info().unwrap_or_default());
    if let Some(phase) = found.phase() {
        renamed = renamed.with_phase(phase);
    }
    if let Some(origin) = found.origin() {
        renamed = renamed.with_origin(origin.clone());
    }
    if let Some(wait) = found.retry_after() {
        renamed = renamed.with_retry_after(wait);
    }
    if found.calls_for_resend() {
        renamed = renamed.with_resend();
    }
    renamed.into()
}
