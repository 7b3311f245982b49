//! A connection without a network, for the tests of the state machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use standpipe_core::Error;
use standpipe_core::queue::Ticket;

use super::effects::Effects;
use super::state::{DialTag, Found, Handle, Link as LinkTrait, State};
use crate::events::CloseReason;

/// What a connection's driver, its peer and its handles have in common.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: u64,
    pub(super) shared: bool,
    pub(super) ready: AtomicBool,
    pub(super) spent: AtomicBool,
    pub(super) settling: AtomicBool,
    pub(super) read: AtomicU64,
    /// Handles that exist.
    pub(super) handles: AtomicUsize,
    /// What becomes of the permit: held, to go to the line, or gone with the IO.
    pub(super) permit: AtomicU8,
    pub(super) reason: AtomicU8,
    pub(super) let_go: AtomicBool,
}

const HELD: u8 = 0;
const EVICTED: u8 = 1;
const GONE: u8 = 2;

impl Link {
    /// Marks the connection as closed for the line, unless its permit is gone already.
    pub(super) fn set_evicted(&self) -> bool {
        let exchanged = self.permit.compare_exchange(HELD, EVICTED, SeqCst, SeqCst);
        exchanged.is_ok()
    }

    pub(super) fn is_evicted(&self) -> bool {
        self.permit.load(SeqCst) == EVICTED
    }

    /// The IO drops; whether the connection was closed for the line.
    pub(super) fn permit_gone(&self) -> bool {
        self.permit.swap(GONE, SeqCst) == EVICTED
    }
}

/// A handle. It is neither `Clone` nor `Copy`, so it is in one place; its drop is counted.
#[derive(Debug)]
pub(super) struct Fake {
    pub(super) link: Arc<Link>,
}

impl Fake {
    pub(super) fn new(id: u64, shared: bool) -> Self {
        let link = Arc::new(Link {
            id,
            shared,
            ready: AtomicBool::new(true),
            spent: AtomicBool::new(false),
            settling: AtomicBool::new(false),
            read: AtomicU64::new(0),
            handles: AtomicUsize::new(0),
            permit: AtomicU8::new(HELD),
            reason: AtomicU8::new(u8::MAX),
            let_go: AtomicBool::new(false),
        });
        Self::of(&link)
    }

    fn of(link: &Arc<Link>) -> Self {
        link.handles.fetch_add(1, SeqCst);
        Self {
            link: Arc::clone(link),
        }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let before = self.link.handles.fetch_sub(1, SeqCst);
        assert!(before > 0, "more handles dropped than made");
    }
}

impl LinkTrait for Arc<Link> {
    fn id(&self) -> u64 {
        self.id
    }

    fn retire(&self) {
        self.spent.store(true, SeqCst);
    }

    fn is_retired(&self) -> bool {
        self.spent.load(SeqCst)
    }

    fn note_end(&self, reason: CloseReason) {
        let _ = self
            .reason
            .compare_exchange(u8::MAX, reason as u8, SeqCst, SeqCst);
    }

    fn let_go(&self) {
        self.let_go.store(true, SeqCst);
    }

    fn is_let_go(&self) -> bool {
        self.let_go.load(SeqCst)
    }

    fn end_reason(&self) -> CloseReason {
        let reason = usize::from(self.reason.load(SeqCst));
        let known = CloseReason::ALL.get(reason);
        known.copied().unwrap_or(CloseReason::Peer)
    }

    fn is_gone(&self) -> bool {
        self.permit.load(SeqCst) == GONE
    }
}

impl Handle for Fake {
    type Link = Arc<Link>;

    fn link(&self) -> &Arc<Link> {
        &self.link
    }

    fn is_ready(&self) -> bool {
        self.link.ready.load(SeqCst) && !self.link.spent.load(SeqCst)
    }

    fn is_spent(&self) -> bool {
        self.link.spent.load(SeqCst)
    }

    fn settle(&self) -> bool {
        self.link.settling.store(true, SeqCst);
        self.is_ready()
    }

    fn is_shared(&self) -> bool {
        self.link.shared
    }

    fn fork(&self) -> Self {
        assert!(self.link.shared, "an exclusive connection has one handle");
        Self::of(&self.link)
    }

    fn bytes_read(&self) -> u64 {
        self.link.read.load(SeqCst)
    }

    fn idle_timeout(&self) -> Option<Duration> {
        None
    }
}

/// Whether a waiter was woken since it last looked.
#[derive(Debug, Default)]
pub(super) struct Woken(pub(super) AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

impl Woken {
    /// True before the first look, so that everyone looks once.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(true)))
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(SeqCst)
    }

    /// Looks at a place in the queue.
    pub(super) fn look<P>(self: &Arc<Self>, state: &mut State<Fake, P>, ticket: Ticket) -> Look<P> {
        self.0.store(false, SeqCst);
        let waker = Waker::from(Arc::clone(self));
        let mut fx = Effects::default();
        match state.poll_waiter(ticket, &Context::from_waker(&waker), &mut fx) {
            Poll::Pending => Look::Nothing,
            Poll::Ready(Found::Grant(Ok(handle))) => Look::Served(handle),
            Poll::Ready(Found::Grant(Err(error))) => Look::Failed(error),
            Poll::Ready(Found::Dial(permit, tag)) => Look::Dial(permit, tag),
        }
    }
}

/// What a waiter saw.
#[derive(Debug)]
pub(super) enum Look<P> {
    Nothing,
    Served(Fake),
    Failed(Error),
    Dial(P, DialTag),
}
