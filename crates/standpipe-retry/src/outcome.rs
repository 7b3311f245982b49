//! What a retry says of itself in the outcome that it hands on.

use http::Response;
use standpipe_core::{BoxError, Error, RetryInfo};

use crate::plan::Progress;

/// Whether a retry further in has given up on this outcome.
pub(crate) fn is_final<R>(result: &Result<Response<R>, Error>) -> bool {
    let info = match result {
        Ok(response) => response.extensions().get::<RetryInfo>().copied(),
        Err(error) => error.retry_info(),
    };
    info.is_some_and(|info| info.gave_up)
}

/// The result with what was done for it: in an error always, in a response after a second attempt.
pub(crate) fn stamped<R>(
    progress: &Progress,
    result: Result<Response<R>, Error>,
) -> Result<Response<R>, BoxError> {
    let info = |known: Option<RetryInfo>| match known {
        // A retry further in has counted.
        Some(known) if progress.attempts == 1 => known,
        Some(known) if known.gave_up => progress.info().given_up(),
        _ => progress.info(),
    };
    match result {
        Ok(mut response) => {
            if progress.attempts > 1 {
                let known = response.extensions().get().copied();
                response.extensions_mut().insert(info(known));
            }
            Ok(response)
        }
        Err(error) => {
            let known = error.retry_info();
            Err(error.with_retry_info(info(known)).into())
        }
    }
}

/// An error that ends the request without a further attempt.
#[cold]
pub(crate) fn failed(progress: &Progress, error: BoxError) -> BoxError {
    let error = Error::from_boxed(error);
    error.with_retry_info(progress.info()).into()
}
