//! What a server says of its limits in the head of an answer, as data. Nothing here panics,
//! whatever the bytes are.

mod date;
mod draft;
mod duration;
mod families;
mod number;
mod retry_after;
mod structured;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};

use crate::Unit;
use families::Families;

/// Which of a server's words on its limits are heeded, and for how long at the most.
///
/// It is plain data. The default heeds all of them, for a minute at the most.
///
/// ```
/// use standpipe_rate_limit::ServerWord;
/// use std::time::Duration;
///
/// let word = ServerWord::default().x_ratelimit(false).max_pause(Duration::from_secs(20));
/// # let _ = word;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct ServerWord {
    /// Whether `Retry-After` (RFC 9110, 10.2.3) of a 429 or 503, or OpenAI's `retry-after-ms`, pauses
    /// the limiter for all callers. It goes before all other words of the same answer.
    pub retry_after: bool,
    /// Whether `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers), or the
    /// `RateLimit-Remaining` and `RateLimit-Reset` of its early versions, lower the pace.
    pub ratelimit: bool,
    /// Whether `x-ratelimit-remaining` and `x-ratelimit-reset`, alone or for `-requests` and
    /// `-tokens`, lower the pace.
    pub x_ratelimit: bool,
    /// Whether `anthropic-ratelimit-*` lower the pace.
    pub anthropic: bool,
    /// The longest time for which one answer can stop or slow down the limiter: a minute unless set.
    #[cfg_attr(feature = "serde", serde(with = "standpipe_core::data::duration"))]
    pub max_pause: Duration,
}

/// What an answer said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Nothing may go out for so long.
    pub(crate) pause: Option<Duration>,
    /// What is left, by unit.
    pub(crate) left: [Option<Left>; 2],
}

/// So many units, one at least, for so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) units: u64,
    pub(crate) within: Duration,
}

macro_rules! setters {
    ($($name:ident: $ty:ty;)*) => {$(
        #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), ").")]
        #[must_use]
        pub fn $name(mut self, $name: $ty) -> Self {
            self.$name = $name;
            self
        }
    )*};
}

impl ServerWord {
    /// Heeds nothing.
    pub fn none() -> Self {
        Self {
            retry_after: false,
            ratelimit: false,
            x_ratelimit: false,
            anthropic: false,
            max_pause: Duration::from_secs(60),
        }
    }

    setters! {
        retry_after: bool;
        ratelimit: bool;
        x_ratelimit: bool;
        anthropic: bool;
        max_pause: Duration;
    }

    /// Whether no word of any server can change anything.
    pub(crate) fn is_none(&self) -> bool {
        !(self.retry_after || self.lowers_the_pace()) || self.max_pause.is_zero()
    }

    fn lowers_the_pace(&self) -> bool {
        self.ratelimit || self.x_ratelimit || self.anthropic
    }

    /// What the head of an answer says, by the wall clock `clock` where the answer has no `Date` of
    /// its own. Without a word on limits it looks at each header's name and reads no clock.
    pub(crate) fn hear(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        clock: impl Fn() -> SystemTime,
    ) -> Heard {
        let refused = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        );
        if self.retry_after
            && refused
            && let Some(pause) = retry_after::parse(headers, || now(headers, &clock))
        {
            return Heard::pause(pause.min(self.max_pause));
        }
        if !self.lowers_the_pace() {
            return Heard::default();
        }
        let Some(families) = Families::find(headers, self) else {
            return Heard::default();
        };
        let left = families.left(headers, || now(headers, &clock));
        Heard::of(left, self.max_pause)
    }
}

impl Default for ServerWord {
    fn default() -> Self {
        Self {
            retry_after: true,
            ratelimit: true,
            x_ratelimit: true,
            anthropic: true,
            ..Self::none()
        }
    }
}

impl Heard {
    fn pause(pause: Duration) -> Self {
        Self {
            pause: Some(pause).filter(|pause| !pause.is_zero()),
            left: [None; 2],
        }
    }

    /// The tightest of what is said for each unit; nothing left of anything is a pause.
    fn of(left: impl IntoIterator<Item = (Unit, Left)>, max_pause: Duration) -> Self {
        let mut heard = Self::default();
        for (unit, mut left) in left {
            left.within = left.within.min(max_pause);
            if left.within.is_zero() {
                continue;
            }
            if left.units == 0 {
                heard.pause = heard.pause.max(Some(left.within));
                continue;
            }
            let slot = &mut heard.left[unit as usize];
            if slot.is_none_or(|other| left.is_tighter_than(other)) {
                *slot = Some(left);
            }
        }
        heard
    }
}

impl Left {
    fn is_tighter_than(self, other: Self) -> bool {
        let rate = |units: u64, per: Duration| u128::from(units).saturating_mul(per.as_nanos());
        rate(self.units, other.within) < rate(other.units, self.within)
    }
}

/// The server's own time where it gives it, so that a difference of the clocks does no harm.
#[cold]
fn now(headers: &HeaderMap, clock: &impl Fn() -> SystemTime) -> SystemTime {
    let date = headers
        .get(header::DATE)
        .and_then(|date| date.to_str().ok());
    match date.and_then(|date| httpdate::parse_http_date(date).ok()) {
        Some(date) => date,
        None => clock(),
    }
}
