use std::sync::Arc;

use standpipe_core::sync::Mutex;

use super::error::{Nearest, UnmatchedRequest};
use super::host::HostPattern;
use super::rule::{Miss, Rule, Times, requests};
use super::{MockAnswer, MockRequest};
use crate::changes::Changes;

pub(super) type AnswerFn = dyn Fn(&MockRequest) -> MockAnswer + Send + Sync;

/// What all clones of a mock share.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) changes: Changes,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) entries: Vec<Entry>,
    pub(super) received: Vec<Received>,
}

/// A rule, and what has come of it.
pub(super) struct Entry {
    pub(super) rule: Arc<Rule>,
    answers: Answers,
    /// The hosts that it is the fallback for.
    fallback_of: Option<HostPattern>,
    /// How many requests it answered.
    pub(super) matched: usize,
    /// How many it would have answered, had it not had all of its requests.
    pub(super) refused: usize,
}

#[derive(Clone)]
pub(super) enum Answers {
    /// The last of them for ever.
    InTurn(Vec<MockAnswer>),
    By(Arc<AnswerFn>),
}

/// A request, and what each rule said of it that was there when it came.
pub(super) struct Received {
    pub(super) request: MockRequest,
    pub(super) taken_by: Option<usize>,
    pub(super) misses: Vec<Miss>,
}

/// What becomes of a request.
pub(super) enum Decision {
    Answer(MockAnswer),
    /// The test's own code says.
    Ask(Arc<AnswerFn>),
    Unmatched(Box<UnmatchedRequest>),
}

impl Shared {
    /// Takes a request in: finds its rule, counts it and keeps it.
    pub(super) fn receive(&self, request: &MockRequest) -> Decision {
        let rules: Vec<Arc<Rule>> = {
            let state = self.state.lock();
            state
                .entries
                .iter()
                .map(|entry| entry.rule.clone())
                .collect()
        };
        // The test's own code may run in here, so the lock is given up. Rules are only added
        // meanwhile, and what comes later says nothing of this request.
        let misses = rules.iter().map(|rule| rule.miss(request)).collect();
        let decision = self.state.lock().settle(request, misses);
        self.changes.announce();
        decision
    }
}

impl State {
    pub(super) fn add(&mut self, rule: Rule, answers: Answers) -> usize {
        self.push(rule, answers, None);
        self.entries.len() - 1
    }

    /// Adds an answer to those of a host, which are given when no expectation matches.
    pub(super) fn add_fallback(&mut self, host: HostPattern, answer: MockAnswer, rule: Rule) {
        let is_same = |entry: &&mut Entry| entry.fallback_of.as_ref() == Some(&host);
        match self.entries.iter_mut().find(is_same) {
            Some(Entry {
                answers: Answers::InTurn(answers),
                ..
            }) => answers.push(answer),
            _ => self.push(rule, Answers::InTurn(vec![answer]), Some(host)),
        }
    }

    fn push(&mut self, rule: Rule, answers: Answers, fallback_of: Option<HostPattern>) {
        self.entries.push(Entry {
            rule: Arc::new(rule),
            answers,
            fallback_of,
            matched: 0,
            refused: 0,
        });
    }

    fn settle(&mut self, request: &MockRequest, mut misses: Vec<Miss>) -> Decision {
        let (decision, taken_by) = match self.choose(&misses) {
            Ok(chosen) => (self.entries[chosen].take(), Some(chosen)),
            Err(refusing) => {
                if let Some(refusing) = refusing {
                    let reason = self.entries[refusing].refuse();
                    misses[refusing].add(1, reason);
                }
                let unmatched = self.unmatched(request, &misses, refusing);
                (Decision::Unmatched(Box::new(unmatched)), None)
            }
        };
        self.received.push(Received {
            request: request.clone(),
            taken_by,
            misses,
        });
        decision
    }

    /// The rule whose answer the request gets, or else the one that would have answered, had it had
    /// room.
    fn choose(&self, misses: &[Miss]) -> Result<usize, Option<usize>> {
        let matching = |is_fallback: bool| {
            let entries = self.entries.iter().zip(misses).enumerate();
            entries.filter(move |(_, (entry, miss))| {
                miss.is_match() && entry.rule.is_fallback == is_fallback
            })
        };
        let mut full = None;
        for (i, (entry, _)) in matching(false) {
            let times = entry.rule.times;
            if times.is_never() {
                return Err(Some(i));
            }
            if times.has_room(entry.matched) {
                return Ok(i);
            }
            full = full.or(Some(i));
        }
        matching(true).next().map(|(i, _)| i).ok_or(full)
    }

    fn unmatched(
        &self,
        request: &MockRequest,
        misses: &[Miss],
        refusing: Option<usize>,
    ) -> UnmatchedRequest {
        let weights = misses.iter().map(|miss| miss.weight);
        let by_weight = weights.enumerate().min_by_key(|(_, weight)| *weight);
        let nearest = refusing.or(by_weight.map(|(i, _)| i));
        let rules = self.entries.iter().map(|entry| entry.rule.to_string());
        UnmatchedRequest {
            request: request.clone(),
            nearest: nearest.map(|nearest| Nearest {
                expectation: self.entries[nearest].rule.to_string(),
                reasons: misses[nearest].reasons.clone(),
            }),
            expectations: rules.collect(),
        }
    }
}

impl Entry {
    fn take(&mut self) -> Decision {
        let turn = self.matched;
        self.matched += 1;
        match &self.answers {
            Answers::By(answer) => Decision::Ask(answer.clone()),
            Answers::InTurn(answers) => match answers.get(turn).or(answers.last()) {
                Some(answer) => Decision::Answer(answer.clone()),
                None => unreachable!("a rule that takes requests has an answer"),
            },
        }
    }

    /// Counts a request that it does not answer, though it matches, and says why.
    fn refuse(&mut self) -> String {
        self.refused += 1;
        let Times { at_most, .. } = self.rule.times;
        match at_most {
            Some(0) | None => "there may be no such request".to_owned(),
            Some(most) => format!("it has had its {}", requests(most)),
        }
    }
}
