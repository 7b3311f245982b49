use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use standpipe_core::Outcome;

use crate::machine::{End, Permit};
use crate::shared::Shared;

/// A call under way: the guard that tells the breaker how it ended.
///
/// It goes from the [`CircuitBreaker`](crate::CircuitBreaker) to the
/// [`Judge`](crate::Judge), which [finishes](Call::finish) it or hands it on, into a response body
/// for one. Dropped unfinished, the call was given up: it counts as
/// [`dropped_after`](crate::CircuitBreakerConfig::dropped_after) says, and if it was a probe its
/// place is free again.
pub struct Call {
    shared: Arc<Shared>,
    permit: Permit,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Code that is not ours runs for this call: a panic now is the call's own.
    Running,
    /// Nobody works on it: a panic now is somebody else's.
    Resting,
    Finished,
}

impl Call {
    #[inline]
    pub(crate) fn new(shared: Arc<Shared>, permit: Permit) -> Self {
        Self {
            shared,
            permit,
            stage: Stage::Running,
        }
    }

    /// Ends the call. `retry_after` is what the server asked for in a failure: how long the
    /// breaker stays open, should this open it.
    pub fn finish(mut self, outcome: Outcome, retry_after: Option<Duration>) {
        self.stage = Stage::Finished;
        self.shared.end(
            &self.permit,
            End::Judged {
                outcome,
                retry_after,
            },
        );
    }

    /// As [`finish`](Self::finish) with a success, in as little code as that can be.
    #[inline]
    pub(crate) fn succeed(mut self) {
        self.stage = Stage::Finished;
        self.shared.succeed(&self.permit);
    }

    /// The call is put aside until it is [taken up](Call::run) again: a panic that drops it
    /// meanwhile was not of this call.
    #[must_use]
    #[inline]
    pub fn rest(mut self) -> Self {
        self.stage = Stage::Resting;
        self
    }

    /// The call is being worked on: dropped by a panic from now on, it counts as a failure.
    #[must_use]
    #[inline]
    pub fn run(mut self) -> Self {
        self.stage = Stage::Running;
        self
    }
}

impl Drop for Call {
    #[inline]
    fn drop(&mut self) {
        if self.stage != Stage::Finished {
            give_up(self);
        }
    }
}

#[cold]
fn give_up(call: &Call) {
    let panicked = call.stage == Stage::Running && std::thread::panicking();
    let end = if panicked {
        End::Panicked
    } else {
        End::Dropped
    };
    call.shared.end(&call.permit, end);
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("permit", &self.permit)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}
