//! What a test is told when its expectations were not met.

use std::fmt::Write;

use super::rule::requests;
use super::state::{Entry, State};

impl State {
    /// What was not met, or `None`.
    pub(super) fn unmet(&self) -> Option<String> {
        let entries = self.entries.iter().enumerate();
        let unmet: Vec<_> = entries.filter(|(_, entry)| !entry.is_met()).collect();
        let count = match unmet.len() {
            0 => return None,
            1 => "1 expectation".to_owned(),
            n => format!("{n} expectations"),
        };
        let mut report = format!("{count} of the mock not met:");
        for (i, entry) in unmet {
            let (rule, got) = (&entry.rule, entry.matched + entry.refused);
            let got = requests(got);
            let _ = write!(report, "\n  {rule}: expected {}, got {got}", rule.times);
            if entry.matched < rule.times.at_least()
                && let Some((request, nearest)) = self.nearest_to(i)
            {
                let _ = write!(report, "\n    nearest miss: {request}, but {nearest}");
            }
        }
        Some(report)
    }

    /// The request that came nearest to a rule, of those that it did not answer.
    fn nearest_to(&self, rule: usize) -> Option<(String, String)> {
        let others = self.received.iter();
        let others = others.filter(|received| received.taken_by != Some(rule));
        let misses = others.filter_map(|received| {
            let miss = received.misses.get(rule)?;
            Some((received, miss))
        });
        let (received, miss) = misses.min_by_key(|(_, miss)| miss.weight)?;
        let why = match (miss.is_match(), received.taken_by) {
            (true, Some(other)) => {
                let other = &self.entries[other].rule;
                format!("it was answered by {other}")
            }
            _ => miss.reasons.join(", "),
        };
        Some((received.request.to_string(), why))
    }
}

impl Entry {
    fn is_met(&self) -> bool {
        self.refused == 0 && (self.rule.is_fallback || self.matched >= self.rule.times.at_least())
    }
}
