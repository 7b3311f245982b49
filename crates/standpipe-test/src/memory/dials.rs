use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::task::{Context, Poll, Waker};

/// Which dials go through, which fail and which wait: the decision alone.
#[derive(Debug, Default)]
pub(super) struct Dials {
    begun: u64,
    holds: usize,
    /// Dials that a hold has let through before they came.
    credits: usize,
    failures: VecDeque<io::ErrorKind>,
    /// By the order in which they began.
    pending: BTreeMap<u64, Pending>,
}

#[derive(Debug)]
struct Pending {
    address: String,
    verdict: Option<Verdict>,
    waker: Option<Waker>,
}

/// What becomes of a dial.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verdict {
    Connect,
    Fail(io::ErrorKind),
}

impl Dials {
    pub(super) fn begun(&self) -> usize {
        usize::try_from(self.begun).unwrap_or(usize::MAX)
    }

    /// How many wait for a hold to let them through.
    pub(super) fn held(&self) -> usize {
        let waits = |dial: &&Pending| dial.verdict.is_none();
        self.pending.values().filter(waits).count()
    }

    /// Begins a dial; the number stands for it from now on.
    pub(super) fn begin(&mut self, address: &str) -> u64 {
        self.begun += 1;
        let mut verdict = None;
        if self.holds == 0 {
            verdict = Some(self.verdict());
        } else if self.credits > 0 {
            self.credits -= 1;
            verdict = Some(self.verdict());
        }
        let dial = Pending {
            address: address.to_owned(),
            verdict,
            waker: None,
        };
        self.pending.insert(self.begun, dial);
        self.begun
    }

    /// The dial's verdict, once: it is then no longer known here.
    pub(super) fn poll(&mut self, dial: u64, cx: &Context<'_>) -> Poll<Verdict> {
        let Some(pending) = self.pending.get_mut(&dial) else {
            return Poll::Pending;
        };
        let Some(verdict) = pending.verdict else {
            pending.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        self.pending.remove(&dial);
        Poll::Ready(verdict)
    }

    pub(super) fn cancel(&mut self, dial: u64) {
        self.pending.remove(&dial);
    }

    pub(super) fn fail_next(&mut self, n: usize, kind: io::ErrorKind) {
        self.failures.extend(std::iter::repeat_n(kind, n));
    }

    pub(super) fn hold(&mut self) {
        self.holds += 1;
    }

    /// Lets `n` dials through: those that wait, the first to come first, and then those to come.
    pub(super) fn release(&mut self, n: usize) -> Vec<Waker> {
        let held: Vec<u64> = self.held_dials(|_| true).take(n).collect();
        self.credits += n - held.len();
        self.admit(&held)
    }

    /// Ends a hold; with the last of them all dials go through.
    pub(super) fn unhold(&mut self) -> Vec<Waker> {
        self.holds -= 1;
        if self.holds > 0 {
            return Vec::new();
        }
        self.credits = 0;
        let held: Vec<u64> = self.held_dials(|_| true).collect();
        self.admit(&held)
    }

    /// Refuses the dials to `address` that wait.
    pub(super) fn refuse(&mut self, address: &str) -> Vec<Waker> {
        let held: Vec<u64> = self.held_dials(|dial| dial.address == address).collect();
        let refused = |_: &mut Self| Verdict::Fail(io::ErrorKind::ConnectionRefused);
        self.decide(&held, refused)
    }

    fn held_dials(&self, which: impl Fn(&Pending) -> bool) -> impl Iterator<Item = u64> {
        let held = move |dial: &Pending| dial.verdict.is_none() && which(dial);
        let pending = self.pending.iter();
        pending.filter_map(move |(number, dial)| held(dial).then_some(*number))
    }

    fn admit(&mut self, dials: &[u64]) -> Vec<Waker> {
        self.decide(dials, Self::verdict)
    }

    fn decide(&mut self, dials: &[u64], verdict: impl Fn(&mut Self) -> Verdict) -> Vec<Waker> {
        let mut wakers = Vec::new();
        for number in dials {
            let verdict = verdict(self);
            let dial = self.pending.get_mut(number).expect("a held dial");
            dial.verdict = Some(verdict);
            wakers.extend(dial.waker.take());
        }
        wakers
    }

    fn verdict(&mut self) -> Verdict {
        match self.failures.pop_front() {
            Some(kind) => Verdict::Fail(kind),
            None => Verdict::Connect,
        }
    }
}
