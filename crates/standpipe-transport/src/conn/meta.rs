//! What the parts of a connection tell each other.

use std::sync::Arc;
use std::time::Duration;

use standpipe_core::sync::Mutex;
use standpipe_core::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use standpipe_core::{ConnectionFacts, ConnectionInfo, Error};

use super::DialGuard;
use super::clocks::Clocks;
use super::end::EndMark;
use super::silence::Silence;
use super::wake::TaskWaker;
use crate::events::CloseReason;

/// Why a connection ended, where it is us who know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Fault {
    /// Nothing that we know of.
    None = 0,
    /// The peer took no bytes for too long.
    WriteTimeout = 1,
    /// The transport was shut down, and the grace is over.
    Shutdown = 2,
    /// The peer sent ever more informational answers.
    EndlessHead = 3,
}

const PERMIT_HELD: u8 = 0;
const PERMIT_EVICTED: u8 = 1;
const PERMIT_GONE: u8 = 2;

/// What stands for "not suspect" in place of a count of bytes.
const TRUSTED: u64 = u64::MAX;

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
    read: AtomicU64,
    /// At how many bytes read the wait for a head of HTTP/1.1 is given up.
    head_limit: AtomicU64,
    written: AtomicU64,
    retired: AtomicBool,
    closing: AtomicBool,
    permit: AtomicU8,
    settling: AtomicBool,
    /// For how many milliseconds the peer says that it may idle.
    idle_hint: AtomicU64,
    /// The peer's limit on streams was read.
    limit_known: AtomicBool,
    /// The peer has sent a GOAWAY.
    going_away: AtomicBool,
    /// The last stream that it means to process, by the last of its GOAWAYs.
    last_stream: AtomicU64,
    /// The highest stream whose head went out.
    opened_stream: AtomicU64,
    /// A stream was cancelled, which the driver shall tell to be over after a while.
    cooling: AtomicBool,
    /// How many bytes had been read when it became suspect.
    suspect: AtomicU64,
    /// Streams that the peer refused.
    refused: AtomicU8,
    fault: AtomicU8,
    /// Somebody else has the IO.
    upgraded: AtomicBool,
    pub(crate) end: EndMark,
    io_state: Mutex<IoState>,
    pub(crate) clocks: Clocks,
    /// Where PINGs are sent.
    silence: Option<Silence>,
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
            read: AtomicU64::new(0),
            head_limit: AtomicU64::new(u64::MAX),
            written: AtomicU64::new(0),
            retired: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            permit: AtomicU8::new(PERMIT_HELD),
            settling: AtomicBool::new(false),
            idle_hint: AtomicU64::new(UNHINTED),
            limit_known: AtomicBool::new(false),
            going_away: AtomicBool::new(false),
            last_stream: AtomicU64::new(u64::MAX),
            opened_stream: AtomicU64::new(0),
            cooling: AtomicBool::new(false),
            suspect: AtomicU64::new(TRUSTED),
            refused: AtomicU8::new(0),
            fault: AtomicU8::new(Fault::None as u8),
            upgraded: AtomicBool::new(false),
            end: EndMark::new(),
            io_state: Mutex::default(),
            clocks: Clocks::default(),
            silence: None,
            driver: TaskWaker::default(),
            io: TaskWaker::default(),
        }
    }

    /// PINGs are sent at this interval: a peer that has not been heard for longer is suspect.
    pub(crate) fn pinged(mut self, interval: Option<Duration>) -> Self {
        self.silence = interval.map(Silence::new);
        self
    }

    pub(crate) fn silence(&self) -> Option<&Silence> {
        self.silence.as_ref()
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

    // ---- bytes ----

    /// Returns how many it has been in all.
    pub(crate) fn count_read(&self, bytes: usize) -> u64 {
        self.end_silence();
        // An exchange with `set_suspect`; see there.
        self.read.fetch_add(bytes as u64, Ordering::AcqRel) + bytes as u64
    }

    /// The head that is waited for from now on, and all informational answers before it, may take
    /// up `bytes`.
    pub(crate) fn begin_head(&self, bytes: u64) {
        let limit = self.bytes_read().saturating_add(bytes);
        self.head_limit.store(limit, Ordering::Relaxed);
    }

    /// The head is there: what follows it may be of any length.
    pub(crate) fn end_head(&self) {
        self.head_limit.store(u64::MAX, Ordering::Relaxed);
    }

    /// Whether a head is waited for that takes up too many bytes.
    pub(crate) fn is_over_head_limit(&self, read: u64) -> bool {
        read > self.head_limit.load(Ordering::Relaxed)
    }

    pub(crate) fn count_written(&self, bytes: usize) {
        if let Some(silence) = &self.silence {
            silence.ask();
        }
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// The peer was heard, or is asked only from now on.
    pub(crate) fn end_silence(&self) {
        if let Some(silence) = &self.silence {
            silence.end();
        }
    }

    pub(crate) fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes_written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
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

    pub(crate) fn set_fault(&self, fault: Fault) {
        self.fault.store(fault as u8, Ordering::Relaxed);
    }

    pub(crate) fn fault(&self) -> Fault {
        let fault = self.fault.load(Ordering::Relaxed);
        let known = [Fault::WriteTimeout, Fault::Shutdown, Fault::EndlessHead];
        let found = known.into_iter().find(|known| *known as u8 == fault);
        found.unwrap_or(Fault::None)
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
        self.set_fault(Fault::Shutdown);
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
        self.going_away.store(true, Ordering::Release);
    }

    /// Whether it does; true once.
    pub(crate) fn take_going_away(&self) -> bool {
        self.going_away.load(Ordering::Relaxed) && self.going_away.swap(false, Ordering::Acquire)
    }

    /// The peer goes away after this stream. A later GOAWAY may tell an earlier one.
    pub(crate) fn set_last_stream(&self, stream: u32) {
        self.last_stream
            .fetch_min(u64::from(stream), Ordering::Relaxed);
    }

    /// The head of this stream went out.
    pub(crate) fn set_opened_stream(&self, stream: u32) {
        self.opened_stream
            .fetch_max(u64::from(stream), Ordering::Relaxed);
    }

    /// Whether a stream that ended with the error of the peer's GOAWAY is surely beyond the last one that
    /// the peer means to process.
    ///
    /// hyper gives that error to those, and besides to one that it was about to begin when the GOAWAY came:
    /// the last one that it began, whose head may have gone out, and which a server that ends in good
    /// order may process. Where a higher stream than the last has gone out, that one is beyond it too.
    pub(crate) fn is_beyond_last_stream(&self) -> bool {
        self.last_stream.load(Ordering::Relaxed) < self.opened_stream.load(Ordering::Relaxed)
    }

    /// A stream is cancelled: the driver shall say when bytes arrive, and when none do for a while.
    pub(crate) fn cool(&self) {
        self.set_suspect();
        if !self.cooling.swap(true, Ordering::AcqRel) {
            self.clocks.move_forward();
            self.driver.wake();
        }
    }

    /// Whether one was; true once.
    pub(crate) fn take_cooling(&self) -> bool {
        self.cooling.load(Ordering::Relaxed) && self.cooling.swap(false, Ordering::AcqRel)
    }

    /// The driver shall say when bytes arrive.
    pub(crate) fn set_suspect(&self) {
        self.suspect.store(self.bytes_read(), Ordering::Relaxed);
        // An exchange with `count_read`: either the driver, which counts bytes and then asks, finds
        // the mark, or whoever set it sees the bytes from here on.
        self.read.fetch_add(0, Ordering::AcqRel);
    }

    /// Whether the driver waits for bytes.
    pub(crate) fn is_suspect(&self) -> bool {
        self.suspect.load(Ordering::Relaxed) != TRUSTED
    }

    /// Whether bytes have arrived since it became suspect; true once.
    pub(crate) fn take_suspect(&self) -> bool {
        let mark = self.suspect.load(Ordering::Relaxed);
        mark != TRUSTED
            && mark != self.bytes_read()
            && self.suspect.swap(TRUSTED, Ordering::Relaxed) != TRUSTED
    }
}
