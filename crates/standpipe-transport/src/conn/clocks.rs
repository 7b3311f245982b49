//! When the requests of one connection give up.
//!
//! A timer of its own for each request costs more than the rest of its way through the transport. Nearly all
//! requests are answered long before their time, so they only note it here, and the connection's
//! driver keeps one timer for all of them.

use std::task::{Context, Waker};

use standpipe_core::sync::Mutex;
use standpipe_core::sync::atomic::{AtomicBool, Ordering};
use tokio::time::Instant;

/// The place of one request among the [`Clocks`] of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alarm(u32);

/// What came of setting an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    /// The driver will ring.
    Noted(Alarm),
    /// The driver will ring; it must be woken, as it means to look only later.
    Sooner(Alarm),
    /// There is no driver any more: the request needs a timer of its own.
    NoDriver,
}

#[derive(Debug, Default)]
pub(crate) struct Clocks {
    state: Mutex<State>,
    /// `State::armed`, or a time that is kept elsewhere, was moved forward since the driver looked.
    moved: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    slots: Vec<Slot>,
    /// The first free slot.
    free: Option<u32>,
    /// When the driver looks next.
    armed: Option<Instant>,
    ended: bool,
}

#[derive(Debug)]
enum Slot {
    /// The next free one.
    Free(Option<u32>),
    Set(Instant, Waker),
    /// It has rung, or its owner was told that there is no driver; it is freed by its owner.
    Rung,
}

impl Clocks {
    /// Has the request behind `cx` woken at `at`.
    pub(crate) fn set(&self, at: Instant, cx: &Context<'_>) -> Set {
        let slot = Slot::Set(at, cx.waker().clone());
        let mut state = self.state.lock();
        if state.ended {
            return Set::NoDriver;
        }
        let alarm = state.insert(slot);
        if state.armed.is_some_and(|armed| armed <= at) {
            return Set::Noted(alarm);
        }
        state.armed = Some(at);
        // Written under the lock, so that the driver, which reads `armed` under it after it has
        // seen this, reads this time or an earlier one.
        self.moved.store(true, Ordering::Release);
        Set::Sooner(alarm)
    }

    /// The request is polled by another task, or again by the same; false when the alarm has rung,
    /// or never will, so that its time has to be looked at.
    pub(crate) fn renew(&self, alarm: Alarm, cx: &Context<'_>) -> bool {
        let mut state = self.state.lock();
        match state.slots.get_mut(alarm.0 as usize) {
            Some(Slot::Set(_, waker)) => {
                waker.clone_from(cx.waker());
                true
            }
            _ => false,
        }
    }

    /// The request needs its alarm no more.
    pub(crate) fn clear(&self, alarm: Alarm) {
        let mut state = self.state.lock();
        let next = state.free;
        if let Some(slot) = state.slots.get_mut(alarm.0 as usize) {
            let old = std::mem::replace(slot, Slot::Free(next));
            state.free = Some(alarm.0);
            drop(state);
            // A waker may run a user's code in its drop.
            drop(old);
        }
    }

    /// Another time than that of a request has come to be earlier; the driver must be woken.
    pub(crate) fn move_forward(&self) {
        self.moved.store(true, Ordering::Release);
    }

    /// For the driver: whether it has to look at an earlier time than it meant to.
    pub(crate) fn has_moved(&self) -> bool {
        self.moved.load(Ordering::Relaxed) && self.moved.swap(false, Ordering::Acquire)
    }

    /// For the driver: when to look next.
    pub(crate) fn armed(&self) -> Option<Instant> {
        self.state.lock().armed
    }

    /// For the driver: wakes those whose time has come; returns when to look next.
    pub(crate) fn ring(&self, now: Instant) -> Option<Instant> {
        let mut rung = Vec::new();
        let next = {
            let mut state = self.state.lock();
            let mut next: Option<Instant> = None;
            for slot in &mut state.slots {
                match slot {
                    Slot::Set(at, _) if *at <= now => {
                        rung.push(std::mem::replace(slot, Slot::Rung));
                    }
                    Slot::Set(at, _) => next = Some(next.map_or(*at, |next| next.min(*at))),
                    Slot::Free(_) | Slot::Rung => {}
                }
            }
            state.armed = next;
            next
        };
        wake(rung);
        next
    }

    /// The driver has ended: whoever still waits is woken to see to a timer of its own.
    pub(crate) fn end(&self) {
        let rung = {
            let mut state = self.state.lock();
            state.ended = true;
            let set = state
                .slots
                .iter_mut()
                .filter(|slot| matches!(slot, Slot::Set(..)));
            set.map(|slot| std::mem::replace(slot, Slot::Rung))
                .collect()
        };
        wake(rung);
    }
}

fn wake(rung: Vec<Slot>) {
    for slot in rung {
        if let Slot::Set(_, waker) = slot {
            waker.wake();
        }
    }
}

impl State {
    fn insert(&mut self, slot: Slot) -> Alarm {
        match self.free {
            Some(at) => {
                if let Slot::Free(next) = std::mem::replace(&mut self.slots[at as usize], slot) {
                    self.free = next;
                }
                Alarm(at)
            }
            None => {
                self.slots.push(slot);
                Alarm(u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;
    use std::time::Duration;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn counted() -> (Arc<Count>, Waker) {
        let count = Arc::<Count>::default();
        (Arc::clone(&count), Waker::from(count))
    }

    fn noted(set: Set) -> Alarm {
        match set {
            Set::Noted(alarm) | Set::Sooner(alarm) => alarm,
            Set::NoDriver => panic!("there is a driver"),
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn only_an_alarm_before_all_others_wakes_the_driver() {
        let clocks = Clocks::default();
        let cx = Context::from_waker(Waker::noop());
        let now = Instant::now();
        assert!(matches!(clocks.set(now + 2 * SECOND, &cx), Set::Sooner(_)));
        assert!(clocks.has_moved());
        assert!(!clocks.has_moved());
        assert!(matches!(clocks.set(now + 3 * SECOND, &cx), Set::Noted(_)));
        assert!(!clocks.has_moved());
        assert!(matches!(clocks.set(now + SECOND, &cx), Set::Sooner(_)));
        assert_eq!(clocks.armed(), Some(now + SECOND));
    }

    #[test]
    fn those_whose_time_has_come_are_woken_once_and_no_others() {
        let clocks = Clocks::default();
        let now = Instant::now();
        let (early, early_waker) = counted();
        let (late, late_waker) = counted();
        let first = noted(clocks.set(now + SECOND, &Context::from_waker(&early_waker)));
        let cx = Context::from_waker(&late_waker);
        let second = noted(clocks.set(now + 2 * SECOND, &cx));
        assert_eq!(clocks.ring(now + SECOND), Some(now + 2 * SECOND));
        clocks.ring(now + SECOND);
        assert_eq!(early.0.load(Ordering::Relaxed), 1);
        assert_eq!(late.0.load(Ordering::Relaxed), 0);
        assert!(!clocks.renew(first, &cx));
        assert!(clocks.renew(second, &cx));
    }

    #[test]
    fn a_cleared_alarm_never_rings_and_its_place_is_used_again() {
        let clocks = Clocks::default();
        let now = Instant::now();
        let (count, waker) = counted();
        let cx = Context::from_waker(&waker);
        let first = noted(clocks.set(now + SECOND, &cx));
        clocks.clear(first);
        assert_eq!(noted(clocks.set(now + 3 * SECOND, &cx)), first);
        assert_eq!(clocks.ring(now + 2 * SECOND), Some(now + 3 * SECOND));
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn when_the_driver_ends_all_are_woken_and_none_is_noted_any_more() {
        let clocks = Clocks::default();
        let now = Instant::now();
        let (count, waker) = counted();
        let cx = Context::from_waker(&waker);
        let alarm = noted(clocks.set(now + SECOND, &cx));
        clocks.end();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(!clocks.renew(alarm, &cx));
        assert_eq!(clocks.set(now + SECOND, &cx), Set::NoDriver);
    }
}
