//! A host that asked for calm (ENHANCE_YOUR_CALM, RFC 9113, 7) is dialled again only after a rest.

use std::time::Duration;

use standpipe_core::sync::Mutex;
use tokio::time::Instant;

/// The first rest. Each that is asked for soon after another is twice as long.
const FIRST: Duration = Duration::from_secs(1);

const LONGEST: Duration = Duration::from_secs(60);

/// How long one origin is to be left alone.
#[derive(Debug, Default)]
pub(crate) struct Calm {
    state: Mutex<Option<Rest>>,
}

#[derive(Clone, Copy, Debug)]
struct Rest {
    until: Instant,
    length: Duration,
}

impl Calm {
    /// The host has asked for calm. What it asks for during a rest, on its other connections, is that rest.
    pub(crate) fn ask(&self, now: Instant) {
        let mut state = self.state.lock();
        let length = match *state {
            Some(last) if now < last.until => return,
            // It was left alone for a while, and has as long to show that this was enough.
            Some(last) if now < last.until + last.length => (2 * last.length).min(LONGEST),
            Some(_) | None => FIRST,
        };
        let until = now + length;
        *state = Some(Rest { until, length });
    }

    /// How long a dial has to wait.
    pub(crate) fn left(&self, now: Instant) -> Duration {
        let until = self.state.lock().map_or(now, |rest| rest.until);
        until.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_that_follow_each_other_get_longer_up_to_a_bound() {
        let calm = Calm::default();
        let mut now = Instant::now();
        assert_eq!(calm.left(now), Duration::ZERO);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            calm.ask(now);
            calm.ask(now);
            assert_eq!(calm.left(now), Duration::from_secs(seconds));
            now += calm.left(now);
            assert_eq!(calm.left(now), Duration::ZERO);
        }
        now += LONGEST;
        calm.ask(now);
        assert_eq!(calm.left(now), FIRST, "it had been content for a minute");
    }
}
