use http::StatusCode;
use standpipe_core::sync::atomic::{AtomicU64, Ordering};

use super::add;
use super::histogram::{Distribution, Histogram, Tables, Took};
use crate::recorder::Scope;

/// How a request ended, as far as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Success = 0,
    Redirection = 1,
    ClientError = 2,
    Throttled = 3,
    ServerError = 4,
    Error = 5,
    Cancelled = 6,
}

const CLASSES: usize = 7;

impl Class {
    pub(crate) fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            0..300 => Self::Success,
            300..400 => Self::Redirection,
            429 => Self::Throttled,
            400..500 => Self::ClientError,
            _ => Self::ServerError,
        }
    }
}

/// How a response body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Complete = 0,
    Failed = 1,
    Abandoned = 2,
}

const ENDINGS: usize = 3;

/// The counters of logical requests and of attempts, written by one thread or by all.
#[derive(Debug)]
pub(crate) struct Cells {
    tallies: [Tally; 2],
    /// Those of each tally's histograms.
    tables: Tables,
    reused: AtomicU64,
}

impl Cells {
    pub(crate) fn new() -> Self {
        Self {
            tallies: [Tally::new(), Tally::new()],
            tables: Tables::new(),
            reused: AtomicU64::new(0),
        }
    }

    /// Counts a request that begins; says whether many have begun here.
    #[inline]
    pub(crate) fn start(&self, scope: Scope, owned: bool) -> bool {
        add(&self.tallies[scope as usize].started, 1, owned) >= HOT
    }

    /// Counts the end of a request, or its response head.
    #[inline]
    pub(crate) fn end(&self, scope: Scope, class: Class, took: Took, bytes_out: u64, owned: bool) {
        let tally = &self.tallies[scope as usize];
        if class != Class::Cancelled {
            add(&tally.head_nanos, took.nanos, owned);
            let table = head_of(scope);
            tally.head.record(took, owned, &self.tables, table);
        }
        if bytes_out > 0 {
            add(&tally.bytes_out, bytes_out, owned);
        }
        add(&tally.ended[class as usize], 1, owned);
    }

    /// Counts the end of a request whose response body came with the head.
    #[inline]
    pub(crate) fn end_whole(
        &self,
        scope: Scope,
        class: Class,
        took: Took,
        (bytes_out, bytes_in): (u64, u64),
        owned: bool,
    ) {
        if !owned {
            self.end(scope, class, took, bytes_out, owned);
            return self.end_body(scope, Ending::Complete, took, bytes_in, owned);
        }
        let tally = &self.tallies[scope as usize];
        add(&tally.whole_nanos, took.nanos, owned);
        self.tables.record(took, owned, whole_of(scope));
        if bytes_out > 0 {
            add(&tally.bytes_out, bytes_out, owned);
        }
        if bytes_in > 0 {
            add(&tally.bytes_in, bytes_in, owned);
        }
        add(&tally.ended[class as usize], 1, owned);
        add(&tally.bodies[Ending::Complete as usize], 1, owned);
    }

    /// Counts the end of a response body.
    #[inline]
    pub(crate) fn end_body(
        &self,
        scope: Scope,
        ending: Ending,
        took: Took,
        bytes_in: u64,
        owned: bool,
    ) {
        let tally = &self.tallies[scope as usize];
        if ending == Ending::Complete {
            add(&tally.end_nanos, took.nanos, owned);
            let table = end_of(scope);
            tally.end.record(took, owned, &self.tables, table);
        }
        if bytes_in > 0 {
            add(&tally.bytes_in, bytes_in, owned);
        }
        add(&tally.bodies[ending as usize], 1, owned);
    }

    /// Counts an attempt that was answered on a connection which had carried a request before.
    pub(crate) fn reuse(&self, owned: bool) {
        add(&self.reused, 1, owned);
    }

    pub(crate) fn reused(&self) -> u64 {
        self.reused.load(Ordering::Acquire)
    }
}

fn head_of(scope: Scope) -> usize {
    3 * scope as usize
}

fn end_of(scope: Scope) -> usize {
    3 * scope as usize + 1
}

fn whole_of(scope: Scope) -> usize {
    3 * scope as usize + 2
}

/// The counters of one kind.
#[derive(Debug)]
struct Tally {
    started: AtomicU64,
    ended: [AtomicU64; CLASSES],
    bodies: [AtomicU64; ENDINGS],
    head_nanos: AtomicU64,
    end_nanos: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    head: Histogram,
    end: Histogram,
    /// Of heads with which all of the body came, in a thread's own set: they count as heads and as ends, in
    /// one place. Their histogram is a table alone.
    whole_nanos: AtomicU64,
}

impl Tally {
    fn new() -> Self {
        Self {
            started: AtomicU64::new(0),
            ended: std::array::from_fn(|_| AtomicU64::new(0)),
            bodies: std::array::from_fn(|_| AtomicU64::new(0)),
            head_nanos: AtomicU64::new(0),
            end_nanos: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            head: Histogram::new(),
            end: Histogram::new(),
            whole_nanos: AtomicU64::new(0),
        }
    }
}

/// Requests that a host has seen before its threads are given counters of their own.
const HOT: u64 = 1_024;

/// What some tallies have counted together.
///
/// A body's end is counted after the head, and the head after the start; so they are read in the
/// other order, each over all tallies before the next. Then what is read of a later step never
/// exceeds what is read of an earlier one, and the difference is what is under way.
#[derive(Clone, Debug)]
pub(crate) struct Sums {
    pub(crate) started: u64,
    pub(crate) ended: [u64; CLASSES],
    pub(crate) bodies: [u64; ENDINGS],
    pub(crate) head_nanos: u64,
    pub(crate) end_nanos: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) head: Distribution,
    pub(crate) end: Distribution,
}

impl Sums {
    pub(crate) fn new() -> Self {
        Self {
            started: 0,
            ended: [0; CLASSES],
            bodies: [0; ENDINGS],
            head_nanos: 0,
            end_nanos: 0,
            bytes_in: 0,
            bytes_out: 0,
            head: Distribution::new(),
            end: Distribution::new(),
        }
    }

    /// Adds what `all` has counted of `scope`; it is asked once for each step.
    pub(crate) fn add<'a, I>(&mut self, scope: Scope, all: impl Fn() -> I)
    where
        I: Iterator<Item = &'a Cells>,
    {
        let tallies = || all().map(|cells| &cells.tallies[scope as usize]);
        for tally in tallies() {
            add_all(&mut self.bodies, &tally.bodies);
        }
        for tally in tallies() {
            add_all(&mut self.ended, &tally.ended);
        }
        for cells in all() {
            let tally = &cells.tallies[scope as usize];
            self.started += tally.started.load(Ordering::Acquire);
            for sum in [&mut self.head_nanos, &mut self.end_nanos] {
                add_up(sum, &tally.whole_nanos);
            }
            add_up(&mut self.head_nanos, &tally.head_nanos);
            add_up(&mut self.end_nanos, &tally.end_nanos);
            add_up(&mut self.bytes_in, &tally.bytes_in);
            add_up(&mut self.bytes_out, &tally.bytes_out);
            for sum in [&mut self.head, &mut self.end] {
                sum.add_table(&cells.tables, whole_of(scope));
            }
            self.head.add(&tally.head, &cells.tables, head_of(scope));
            self.end.add(&tally.end, &cells.tables, end_of(scope));
        }
    }
}

/// For sums of what users and servers say, which may be anything.
fn add_up(sum: &mut u64, cell: &AtomicU64) {
    *sum = sum.saturating_add(cell.load(Ordering::Relaxed));
}

fn add_all(sums: &mut [u64], cells: &[AtomicU64]) {
    for (sum, cell) in sums.iter_mut().zip(cells) {
        *sum += cell.load(Ordering::Acquire);
    }
}
