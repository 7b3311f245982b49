//! What the parts of a connection tell each other.

use std::sync::Arc;
use std::time::Duration;

use standpipe_core::sync::Mutex;
use standpipe_core::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use standpipe_core::{ConnectionFacts, ConnectionInfo, Error};

use super::DialGuard;
use super::clocks::Clocks;
use super::end::EndMark;
use super::fault::{Fault, FaultMark};
use super::goaway::GoAway;
use super::traffic::Traffic;
use super::wake::TaskWaker;
use crate::events::CloseReason;

const PERMIT_HELD: u8 = 0;
const PERMIT_EVICTED: u8 = 1;
const PERMIT_GONE: u8 = 2;

/// What stands for no hint in place of milliseconds.
const UNHINTED: u64 = u64::MAX;

/// Where the IO of a connection stands.
#[derive(Debug, Default)]
enum IoState {
    #[default]
    Alive,
    /// Its end is to be reported as this dial's failure.
    Failing(DialGuard, Error),
    Gone,
}

/// The state of a connection that its IO, its driver and its leases share.
#[derive(Debug)]
pub(crate) struct ConnMeta {
    pub(crate) facts: Arc<ConnectionFacts>,
    pub(crate) shared: bool,
    max_uses: u64,
    uses: AtomicU64,
    retired: AtomicBool,
    closing: AtomicBool,
    permit: AtomicU8,
    settling: AtomicBool,
    /// For how many milliseconds the peer says that it may idle.
    idle_hint: AtomicU64,
    /// The peer's limit on streams was read.
    limit_known: AtomicBool,
    /// A stream was cancelled, which the driver shall tell to be over after a while.
    cooling: AtomicBool,
    /// Streams that the peer refused.
    refused: AtomicU8,
    /// Somebody else has the IO.
    upgraded: AtomicBool,
    pub(crate) traffic: Traffic,
    pub(crate) goaway: GoAway,
    pub(crate) fault: FaultMark,
    pub(crate) end: EndMark,
    io_state: Mutex<IoState>,
    pub(crate) clocks: Clocks,
    driver: TaskWaker,
    io: TaskWaker,
}

impl ConnMeta {
    pub(crate) fn new(facts: ConnectionFacts, shared: bool, max_uses: u64) -> Self {
        Self {
            facts: Arc::new(facts),
            shared,
            max_uses,
            uses: AtomicU64::new(0),
            retired: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            permit: AtomicU8::new(PERMIT_HELD),
            settling: AtomicBool::new(false),
            idle_hint: AtomicU64::new(UNHINTED),
            limit_known: AtomicBool::new(false),
            cooling: AtomicBool::new(false),
            refused: AtomicU8::new(0),
            upgraded: AtomicBool::new(false),
            traffic: Traffic::new(),
            goaway: GoAway::new(),
            fault: FaultMark::default(),
            end: EndMark::new(),
            io_state: Mutex::default(),
            clocks: Clocks::default(),
            driver: TaskWaker::default(),
            io: TaskWaker::default(),
        }
    }

    /// PINGs are sent at this interval: a peer that has not been heard for longer is suspect.
    pub(crate) fn pinged(mut self, interval: Option<Duration>) -> Self {
        self.traffic.pinged(interval);
        self
    }

    pub(crate) fn id(&self) -> u64 {
        self.facts.id
    }

    /// How many requests it may carry.
    pub(crate) fn max_uses(&self) -> u64 {
        self.max_uses
    }

    /// Counts one more request; returns how many came before it.
    pub(crate) fn begin_use(&self) -> u64 {
        self.uses.fetch_add(1, Ordering::Relaxed)
    }

    /// How many requests it has carried.
    pub(crate) fn uses(&self) -> u64 {
        self.uses.load(Ordering::Relaxed)
    }

    pub(crate) fn info(&self, uses_before: u64) -> ConnectionInfo {
        ConnectionInfo::new(Arc::clone(&self.facts), uses_before)
    }

    // ---- the end ----

    /// Takes the connection out of further use; what is under way goes on.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    /// The peer refused a stream unread. Once may be for a moment; one that does so again is left to
    /// what is under way on it, and another is asked.
    pub(crate) fn refuse_stream(&self) {
        if self.refused.fetch_add(1, Ordering::Relaxed) > 0 {
            self.retire();
        }
    }

    /// Whether it takes no further request.
    pub(crate) fn is_spent(&self) -> bool {
        self.retired.load(Ordering::Relaxed) || self.is_closing() || self.is_used_up()
    }

    /// Whether it has carried as many requests as it may.
    pub(crate) fn is_used_up(&self) -> bool {
        self.uses() >= self.max_uses
    }

    /// Closes the connection now, whatever is under way on it.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.driver.wake();
        self.io.wake();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// The connection ended before it was published: its dial has failed. That is reported once
    /// the IO is gone, whose permit would otherwise pass for a connection that may yet serve.
    pub(crate) fn fail_dial(&self, guard: DialGuard, error: Error) {
        let report = {
            let mut state = self.io_state.lock();
            match *state {
                IoState::Gone => Some((guard, error)),
                IoState::Alive | IoState::Failing(..) => {
                    *state = IoState::Failing(guard, error);
                    None
                }
            }
        };
        match report {
            Some((guard, error)) => guard.fail(error),
            None => self.close(),
        }
    }

    /// The IO and its permit are gone.
    pub(crate) fn io_gone(&self) {
        let before = std::mem::replace(&mut *self.io_state.lock(), IoState::Gone);
        if let IoState::Failing(guard, error) = before {
            guard.fail(error);
        }
    }

    /// Marks the connection as closed for the line of those short of a permit; false when its
    /// permit is on its way back already, or was marked before.
    pub(crate) fn set_evicted(&self) -> bool {
        let (held, evicted) = (PERMIT_HELD, PERMIT_EVICTED);
        let marked =
            self.permit
                .compare_exchange(held, evicted, Ordering::SeqCst, Ordering::SeqCst);
        marked.is_ok()
    }

    /// The permit goes back; whether it was marked.
    pub(crate) fn end_permit(&self) -> bool {
        self.permit.swap(PERMIT_GONE, Ordering::SeqCst) == PERMIT_EVICTED
    }

    pub(crate) fn is_permit_gone(&self) -> bool {
        self.permit.load(Ordering::SeqCst) == PERMIT_GONE
    }

    /// The IO belongs to somebody else from here on.
    pub(crate) fn set_upgraded(&self) {
        self.end.note(CloseReason::Upgraded);
        self.upgraded.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_upgraded(&self) -> bool {
        self.upgraded.load(Ordering::Relaxed)
    }

    /// Closes the connection under whoever uses it: the grace of a shutdown is over.
    pub(crate) fn cut(&self) {
        self.end.note(CloseReason::Shutdown);
        self.fault.set(Fault::Shutdown);
        self.close();
    }

    // ---- the driver ----

    pub(crate) fn driver(&self) -> &TaskWaker {
        &self.driver
    }

    pub(crate) fn io(&self) -> &TaskWaker {
        &self.io
    }

    /// The driver shall say when it can take another request.
    pub(crate) fn set_settling(&self) {
        // An exchange on both sides, whatever order hyper keeps: the second of the two sees all that the
        // first did before. So either the driver, which becomes ready and then asks, finds this
        // set, or whoever set it sees the driver ready.
        self.settling.swap(true, Ordering::AcqRel);
    }

    pub(crate) fn take_settling(&self) -> bool {
        !self.shared && self.settling.swap(false, Ordering::AcqRel)
    }

    /// The peer closes the connection when it has idled for a little longer than this.
    pub(crate) fn hint_idle(&self, timeout: Duration) {
        let millis = u64::try_from(timeout.as_millis()).unwrap_or(UNHINTED);
        self.idle_hint.store(millis, Ordering::Relaxed);
        self.clocks.move_forward();
        self.driver.wake();
    }

    pub(crate) fn idle_hint(&self) -> Option<Duration> {
        let millis = self.idle_hint.load(Ordering::Relaxed);
        (millis != UNHINTED).then(|| Duration::from_millis(millis))
    }

    /// The peer has told how many streams it allows.
    pub(crate) fn set_limit_known(&self) {
        self.limit_known.store(true, Ordering::Release);
    }

    pub(crate) fn is_limit_known(&self) -> bool {
        self.limit_known.load(Ordering::Acquire)
    }

    /// The peer closes the connection as soon as the streams under way have ended.
    pub(crate) fn set_going_away(&self) {
        self.retire();
        self.goaway.set();
    }

    /// A stream is cancelled: the driver shall say when bytes arrive, and when none do for a while.
    pub(crate) fn cool(&self) {
        self.traffic.set_suspect();
        if !self.cooling.swap(true, Ordering::AcqRel) {
            self.clocks.move_forward();
            self.driver.wake();
        }
    }

    /// Whether one was; true once.
    pub(crate) fn take_cooling(&self) -> bool {
        self.cooling.load(Ordering::Relaxed) && self.cooling.swap(false, Ordering::AcqRel)
    }
}
