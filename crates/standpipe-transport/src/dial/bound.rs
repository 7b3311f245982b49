//! How long a phase may take.

use std::future::Future;
use std::time::Duration;

use standpipe_core::{Deadline, Error, ErrorKind};
use tokio::time::{Instant, timeout_at};

/// The bound on one phase, which may consist of several steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound(Option<(Duration, Instant)>);

impl Bound {
    /// The phase begins now.
    pub(crate) fn begin(limit: Option<Duration>) -> Self {
        Self(limit.map(|limit| (limit, Deadline::after(limit).instant())))
    }

    /// One step of the phase: it fails with `kind` when the time is up.
    pub(crate) async fn keep<T>(
        self,
        kind: ErrorKind,
        step: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let Some((limit, at)) = self.0 else {
            return step.await;
        };
        match timeout_at(at, step).await {
            Ok(result) => result,
            Err(_) => Err(Error::new(kind).with_message(format!("the limit is {limit:?}"))),
        }
    }
}
