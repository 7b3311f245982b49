use crate::gcra::{FAR, Pace, take};

/// What the server said is left until an instant, spread over the time: half of it may go at once,
/// the rest evenly, so that no more than all of it goes out before that instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServerPace {
    pace: Pace,
    tat: u64,
    until: u64,
}

impl ServerPace {
    /// `left` units from `now` to `until`, of which `left` is at least one.
    pub(crate) fn new(now: u64, left: u64, until: u64) -> Self {
        let at_once = left.div_ceil(2).max(1);
        let evenly = left.saturating_sub(at_once);
        let time = until.saturating_sub(now);
        // Without a rest nothing becomes free before the end.
        let emission = match time.checked_div(evenly) {
            Some(emission) => emission.saturating_add(1),
            None => FAR,
        };
        Self {
            pace: Pace {
                emission: emission.min(FAR),
                depth: emission.saturating_mul(at_once).min(FAR),
            },
            tat: now,
            until,
        }
    }

    pub(super) fn is_over(&self, now: u64) -> bool {
        self.until <= now
    }

    pub(super) fn due(&self, now: u64, own: u64, ahead: u64) -> u64 {
        let tat = self.tat.max(now) + self.pace.time_of(ahead - own);
        let due = self.pace.due(tat, now, self.pace.time_of(own));
        due.min(self.until).max(now)
    }

    pub(super) fn charge(&mut self, now: u64, units: u64) {
        self.tat = take(self.tat, now, self.pace.time_of(units));
    }

    pub(super) fn give_back(&mut self, units: u64) {
        self.tat = self.tat.saturating_sub(self.pace.time_of(units));
    }
}
