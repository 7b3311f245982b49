use http::StatusCode;
use standpipe_core::sync::atomic::{AtomicU64, Ordering};

use super::add;
use super::histogram::{Distribution, Histogram};

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
    pub(crate) requests: Tally,
    pub(crate) attempts: Tally,
    reused: AtomicU64,
    known_connection: AtomicU64,
}

impl Cells {
    pub(crate) fn new() -> Self {
        Self {
            requests: Tally::new(),
            attempts: Tally::new(),
            reused: AtomicU64::new(0),
            known_connection: AtomicU64::new(0),
        }
    }

    pub(crate) fn on_connection(&self, reused: bool, owned: bool) {
        add(&self.known_connection, 1, owned);
        if reused {
            add(&self.reused, 1, owned);
        }
    }

    /// The requests that went out on a connection of which it is known whether it had carried one
    /// before, and those of them on one that had.
    pub(crate) fn connections(&self) -> (u64, u64) {
        let reused = self.reused.load(Ordering::Acquire);
        (self.known_connection.load(Ordering::Acquire), reused)
    }
}

/// The counters of one kind.
#[derive(Debug)]
pub(crate) struct Tally {
    started: AtomicU64,
    ended: [AtomicU64; CLASSES],
    bodies: [AtomicU64; ENDINGS],
    head_nanos: AtomicU64,
    end_nanos: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    head: Histogram,
    end: Histogram,
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
        }
    }

    /// Counts a request that begins; says whether many have begun here.
    pub(crate) fn start(&self, owned: bool) -> bool {
        add(&self.started, 1, owned);
        self.started.load(Ordering::Relaxed) > HOT
    }

    /// Counts the end of a request, or its response head.
    pub(crate) fn end(&self, class: Class, nanos: u64, bytes_out: u64, owned: bool) {
        if class != Class::Cancelled {
            add(&self.head_nanos, nanos, owned);
            self.head.record(nanos, owned);
        }
        if bytes_out > 0 {
            add(&self.bytes_out, bytes_out, owned);
        }
        add(&self.ended[class as usize], 1, owned);
    }

    /// Counts the end of a response body.
    pub(crate) fn end_body(&self, ending: Ending, nanos: u64, bytes_in: u64, owned: bool) {
        if ending == Ending::Complete {
            add(&self.end_nanos, nanos, owned);
            self.end.record(nanos, owned);
        }
        if bytes_in > 0 {
            add(&self.bytes_in, bytes_in, owned);
        }
        add(&self.bodies[ending as usize], 1, owned);
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

    /// Adds the tallies that `all` visits; it is asked once for each step.
    pub(crate) fn add<'a>(&mut self, all: &dyn Fn(&mut dyn FnMut(&'a Tally))) {
        all(&mut |tally| {
            for (sum, cell) in self.bodies.iter_mut().zip(&tally.bodies) {
                *sum += cell.load(Ordering::Acquire);
            }
        });
        all(&mut |tally| {
            for (sum, cell) in self.ended.iter_mut().zip(&tally.ended) {
                *sum += cell.load(Ordering::Acquire);
            }
        });
        all(&mut |tally| {
            self.started += tally.started.load(Ordering::Acquire);
            self.head_nanos += tally.head_nanos.load(Ordering::Relaxed);
            self.end_nanos += tally.end_nanos.load(Ordering::Relaxed);
            self.bytes_in += tally.bytes_in.load(Ordering::Relaxed);
            self.bytes_out += tally.bytes_out.load(Ordering::Relaxed);
            self.head.add(&tally.head);
            self.end.add(&tally.end);
        });
    }
}
