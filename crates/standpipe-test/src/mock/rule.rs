use std::fmt;
use std::panic::Location;

use super::MockRequest;
use super::matcher::Matcher;

/// What a request must be like, and how many such there may be.
pub(super) struct Rule {
    pub(super) matchers: Vec<Matcher>,
    pub(super) times: Times,
    /// It stands behind all that are expectations.
    pub(super) is_fallback: bool,
    pub(super) set_up_at: &'static Location<'static>,
}

impl Rule {
    /// Runs what the test has asked for, so no lock may be held.
    pub(super) fn miss(&self, request: &MockRequest) -> Miss {
        let mut miss = Miss::default();
        for matcher in &self.matchers {
            if let Err(reason) = matcher.check(request) {
                miss.add(matcher.weight, reason);
            }
        }
        miss
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, matcher) in self.matchers.iter().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            write!(f, "{separator}{}", matcher.asks)?;
        }
        write!(f, " (set up at {})", self.set_up_at)
    }
}

/// How far a request is from being as a rule asks.
#[derive(Clone, Debug, Default)]
pub(super) struct Miss {
    pub(super) weight: u32,
    pub(super) reasons: Vec<String>,
}

impl Miss {
    pub(super) fn add(&mut self, weight: u32, reason: String) {
        self.weight += weight;
        self.reasons.push(reason);
    }

    pub(super) fn is_match(&self) -> bool {
        self.reasons.is_empty()
    }
}

/// How many requests a rule asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    pub(super) at_least: Option<usize>,
    pub(super) at_most: Option<usize>,
}

impl Times {
    /// One at the least, where nothing was said.
    pub(super) fn at_least(self) -> usize {
        let unsaid = usize::from(self.at_most.is_none());
        self.at_least.unwrap_or(unsaid)
    }

    pub(super) fn has_room(self, had: usize) -> bool {
        self.at_most.is_none_or(|most| had < most)
    }

    pub(super) fn is_never(self) -> bool {
        self.at_most == Some(0)
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let least = self.at_least();
        match self.at_most {
            Some(0) => f.write_str("no request"),
            Some(most) if most == least => f.write_str(&requests(most)),
            Some(most) if least == 0 => write!(f, "at most {}", requests(most)),
            Some(most) => write!(f, "{least} to {}", requests(most)),
            None => write!(f, "at least {}", requests(least)),
        }
    }
}

pub(super) fn requests(n: usize) -> String {
    match n {
        1 => "1 request".to_owned(),
        n => format!("{n} requests"),
    }
}
