use std::fmt;
use std::sync::Arc;

use standpipe_core::Outcome;
use tokio::time::Instant;

use crate::machine::{Permit, Recorded};
use crate::shared::Shared;

/// The rest of a call that its breaker has judged by the head: for whoever learns later that it
/// failed all the same, as by an event of a stream. It comes from
/// [`Handle::late_call`](crate::Handle::late_call) when the head is there.
///
/// It counts only in the period in which it was made, and only while the breaker is closed. Failures
/// of this kind in a row open a breaker that counts those, as many as its threshold says: heads do
/// not break their row. In a window each is a failed call beside the one that succeeded.
///
/// Dropped, it says nothing.
pub struct LateCall {
    shared: Arc<Shared>,
    permit: Option<Permit>,
}

impl LateCall {
    /// Of a breaker that is not closed nothing is followed: a probe is judged by its head alone.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let permit = shared.machine.admit_closed();
        Self { shared, permit }
    }

    /// Tells how the call ended. A failure is counted in [`Counts`](crate::Counts); a success was
    /// counted by its head.
    pub fn finish(self, outcome: Outcome) {
        let Some(permit) = self.permit else {
            return;
        };
        let machine = &self.shared.machine;
        let recorded = machine.record_late(&permit, outcome, Instant::now());
        if outcome == Outcome::Failure || recorded == Recorded::Late {
            self.shared.counters.recorded(recorded);
        }
        self.shared.announce();
    }
}

impl fmt::Debug for LateCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LateCall")
            .field("permit", &self.permit)
            .finish_non_exhaustive()
    }
}
