//! Connections opened ahead of the requests for them: `warm` and `min_idle`.
//!
//! They take only a permit that is free: nothing is closed for them, and they stand in no line.

use std::task::{Context, Waker};

use standpipe_core::{Error, ErrorKind, Phase};

use super::{DialTag, Effects, Handle, Link, Sharing, State};

/// One who waits for connections to be there, without wanting one of them.
#[derive(Debug)]
pub(crate) struct Watcher {
    id: u64,
    waker: Option<Waker>,
    error: Option<Error>,
}

/// What a watcher finds.
#[derive(Debug)]
pub(crate) enum Warmth {
    /// So many connections are there, or the last dial has failed.
    Done(Result<usize, Error>),
    /// There is room for a dial.
    MayDial,
    /// A dial is under way; with a waker that is to be dropped outside the lock.
    Wait(Option<Waker>),
}

impl<C: Handle, P> State<C, P> {
    /// Begins to watch.
    pub(crate) fn watch(&mut self) -> u64 {
        self.next_watcher += 1;
        self.watchers.push(Watcher {
            id: self.next_watcher,
            waker: None,
            error: None,
        });
        self.next_watcher
    }

    /// Ends to watch. What it left is to be dropped outside the lock.
    pub(crate) fn unwatch(&mut self, id: u64) -> Option<Watcher> {
        let at = self.watchers.iter().position(|watcher| watcher.id == id)?;
        Some(self.watchers.swap_remove(at))
    }

    /// Looks whether `target` usable connections are there; `more` says that one more dial may begin.
    pub(crate) fn poll_watcher(
        &mut self,
        id: u64,
        target: usize,
        more: bool,
        cx: &Context<'_>,
    ) -> Warmth {
        let usable = self.usable();
        let under_way = self.dials.under_way();
        let may_begin = more && usable + under_way < target && self.has_spare_room();
        let closed = self.closed;
        let Some(watcher) = self.watchers.iter_mut().find(|watcher| watcher.id == id) else {
            return Warmth::Done(Ok(usable));
        };
        if closed {
            return Warmth::Done(Err(
                Error::new(ErrorKind::Shutdown).with_phase(Phase::Acquire)
            ));
        }
        if usable >= target {
            return Warmth::Done(Ok(usable));
        }
        if let Some(error) = watcher.error.take() {
            return Warmth::Done(Err(error));
        }
        if may_begin {
            return Warmth::MayDial;
        }
        if under_way == 0 {
            return Warmth::Done(Ok(usable));
        }
        Warmth::Wait(watcher.waker.replace(cx.waker().clone()))
    }

    /// Begins a dial that nobody waits for, if there is still room; gives the permit back if not.
    pub(crate) fn use_permit(&mut self, permit: P) -> Result<(P, DialTag), P> {
        if self.has_spare_room() {
            Ok((permit, self.begin_spare_dial()))
        } else {
            Err(permit)
        }
    }

    /// Whether the origin has fewer connections than it is to keep.
    pub(crate) fn is_below_minimum(&self) -> bool {
        let coming = self.dials.under_way() + self.spare.len() + self.asking;
        self.usable() + coming < self.limits.min_idle && self.has_spare_room()
    }

    /// Whether the origin has no more connections than it is to keep.
    pub(super) fn is_at_minimum(&self) -> bool {
        self.limits.min_idle > 0 && self.usable() <= self.limits.min_idle
    }

    /// Connections that requests may be sent on, now or when they come back.
    fn usable(&self) -> usize {
        let usable = |link: &&C::Link| !link.is_retired() && !link.is_let_go();
        self.live.iter().filter(usable).count()
    }

    fn has_spare_room(&self) -> bool {
        let under_way = self.dials.under_way();
        let taken = self.slots.max(self.live.len() + under_way) + self.spare.len() + self.asking;
        let idle = self.idle.len() + self.settling.len() + under_way;
        let may_idle = self.sharing == Sharing::Shared || idle < self.limits.idle;
        let one_at_a_time = self.sharing != Sharing::Exclusive && under_way > 0;
        !self.closed && taken < self.limits.connections && may_idle && !one_at_a_time
    }

    pub(super) fn fail_watchers(&mut self, error: &Error) {
        for watcher in &mut self.watchers {
            watcher.error.get_or_insert_with(|| error.clone());
        }
    }

    /// Has all watchers look again.
    pub(super) fn wake_watchers(&mut self, fx: &mut Effects<C, P>) {
        for watcher in &mut self.watchers {
            fx.wake.extend(watcher.waker.take());
        }
    }
}
