use std::time::Duration;

use standpipe_core::{Error, ErrorKind, Phase};

/// The request's turn would come too late.
#[cold]
pub(crate) fn too_long(wait: Duration) -> Error {
    Error::new(ErrorKind::RateLimited)
        .with_phase(Phase::Admit)
        .with_retry_after(wait)
        .with_message(format!("its turn is {wait:?} away"))
}

/// As many wait as may.
#[cold]
pub(crate) fn full(wait: Duration, max: usize) -> Error {
    Error::new(ErrorKind::RateLimited)
        .with_phase(Phase::Admit)
        .with_retry_after(wait)
        .with_message(format!("{max} requests wait already"))
}

/// The store refuses, with or without saying until when.
#[cold]
pub(crate) fn refused(wait: Option<Duration>) -> Error {
    match wait {
        Some(wait) => too_long(wait),
        None => Error::new(ErrorKind::RateLimited)
            .with_phase(Phase::Admit)
            .with_message("the store of the quota cannot be asked"),
    }
}

/// The client is closing, and the request has not been sent.
#[cold]
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Shutdown).with_phase(Phase::Admit)
}

/// The request costs more than a quota ever holds: no wait would help.
#[cold]
pub(crate) fn over_burst(cost: u32, burst: u64) -> Error {
    Error::new(ErrorKind::InvalidRequest)
        .with_phase(Phase::Check)
        .with_message(format!("it costs {cost} under a quota that holds {burst}"))
}

/// The request would cost nothing, and so pass any limit.
#[cold]
pub(crate) fn no_cost() -> Error {
    Error::new(ErrorKind::InvalidRequest)
        .with_phase(Phase::Check)
        .with_message("its cost under the rate limit is zero")
}

/// As many requests are under way as may be.
#[cold]
pub(crate) fn too_many(limit: usize) -> Error {
    Error::new(ErrorKind::RateLimited)
        .with_phase(Phase::Admit)
        .with_message(format!("{limit} requests are under way already"))
}
