//! The clocks of a connection's requests, which its driver rings. Time stands still: an alarm for now is
//! due at the driver's next look, one for later never.

use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use ::loom::thread;
use standpipe_core::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use tokio::time::{Duration, Instant};

use super::model;
use super::world::World;
use crate::conn::{Alarm, Channel, ConnMeta, Set};

const HOUR: Duration = Duration::from_secs(3600);

/// A request that waits for its answer.
#[derive(Default)]
struct Asleep {
    wakes: AtomicUsize,
}

impl Asleep {
    fn new() -> (Arc<Self>, Waker) {
        let asleep = Arc::<Self>::default();
        (Arc::clone(&asleep), Waker::from(asleep))
    }

    fn wakes(&self) -> usize {
        self.wakes.load(SeqCst)
    }
}

impl Wake for Asleep {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, SeqCst);
    }
}

/// As `Lease::set_alarm` does.
fn set(meta: &ConnMeta, at: Instant, waker: &Waker) -> Option<Alarm> {
    match meta.clocks.set(at, &Context::from_waker(waker)) {
        Set::Noted(alarm) => Some(alarm),
        Set::Sooner(alarm) => {
            meta.driver().wake();
            Some(alarm)
        }
        Set::NoDriver => None,
    }
}

fn renew(meta: &ConnMeta, alarm: Alarm, waker: &Waker) -> bool {
    meta.clocks.renew(alarm, &Context::from_waker(waker))
}

/// The driver is woken by something else, and looks at its clocks.
fn look(lease: &Channel, world: &World) -> impl FnOnce() + use<> {
    let (meta, tasks) = (lease.meta.clone(), world.tasks.clone());
    move || {
        meta.driver().wake();
        tasks.run();
    }
}

/// A request sets its alarm while the driver looks: the driver sees it, or is woken to look again.
#[test]
fn an_alarm_set_while_the_driver_looks_rings() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a");
        let lease = host.lease();
        let driving = thread::spawn(look(&lease, &world));
        let (asleep, waker) = Asleep::new();
        let alarm = set(&lease.meta, Instant::now(), &waker).expect("a driver");
        driving.join().unwrap();
        world.tasks.run();
        assert_eq!(asleep.wakes(), 1);
        assert!(!renew(&lease.meta, alarm, &waker));
        lease.meta.clocks.clear(alarm);
        host.put_back(lease);
        world.end(&[&host]);
    });
}

/// One alarm rings while another request, on another stream, sets one: the driver notes when to look
/// next, and must not forget the new one over that.
#[test]
fn an_alarm_set_while_another_one_rings_rings_as_well() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a");
        let lease = host.lease();
        let (first, its_waker) = Asleep::new();
        set(&lease.meta, Instant::now(), &its_waker).expect("a driver");
        let driving = thread::spawn(look(&lease, &world));
        let (second, waker) = Asleep::new();
        set(&lease.meta, Instant::now(), &waker).expect("a driver");
        driving.join().unwrap();
        world.tasks.run();
        assert_eq!((first.wakes(), second.wakes()), (1, 1));
        host.put_back(lease);
        world.end(&[&host]);
    });
}

/// The driver means to look in an hour; an alarm for an earlier time is set as it is about to go to sleep for
/// so long.
#[test]
fn an_alarm_before_the_time_the_driver_is_about_to_sleep_for_rings() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a");
        let lease = host.lease();
        let now = Instant::now();
        let (late, its_waker) = Asleep::new();
        let its_alarm = set(&lease.meta, now + HOUR, &its_waker).expect("a driver");
        let tasks = world.tasks.clone();
        let driving = thread::spawn(move || tasks.run());
        let (early, waker) = Asleep::new();
        set(&lease.meta, now, &waker).expect("a driver");
        driving.join().unwrap();
        world.tasks.run();
        assert_eq!((early.wakes(), late.wakes()), (1, 0));
        assert!(renew(&lease.meta, its_alarm, &its_waker));
        assert_eq!(lease.meta.clocks.armed(), Some(now + HOUR));
        host.put_back(lease);
        world.end(&[&host]);
    });
}

/// The driver ends while an alarm is set: the request is told that there is no driver, or woken to see to a
/// timer of its own.
#[test]
fn an_alarm_set_while_the_driver_ends_is_refused_or_rung() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a");
        let lease = host.lease();
        let (wire, look) = (lease.wire().clone(), look(&lease, &world));
        let ending = thread::spawn(move || {
            wire.hung_up.store(true, SeqCst);
            look();
        });
        let (asleep, waker) = Asleep::new();
        let alarm = set(&lease.meta, Instant::now() + HOUR, &waker);
        ending.join().unwrap();
        world.tasks.run();
        assert_eq!(asleep.wakes(), usize::from(alarm.is_some()));
        if let Some(alarm) = alarm {
            assert!(!renew(&lease.meta, alarm, &waker));
        }
        host.put_back(lease);
        world.end(&[&host]);
    });
}

/// The request moves to another task while its alarm rings: the new task is woken, or told that the time has to
/// be looked at.
#[test]
fn an_alarm_that_rings_while_its_request_moves_reaches_the_new_task() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a");
        let lease = host.lease();
        let (old, its_waker) = Asleep::new();
        let alarm = set(&lease.meta, Instant::now(), &its_waker).expect("a driver");
        let tasks = world.tasks.clone();
        let driving = thread::spawn(move || tasks.run());
        let (new, waker) = Asleep::new();
        let renewed = renew(&lease.meta, alarm, &waker);
        driving.join().unwrap();
        world.tasks.run();
        assert_eq!(
            (old.wakes(), new.wakes()),
            if renewed { (0, 1) } else { (1, 0) }
        );
        host.put_back(lease);
        world.end(&[&host]);
    });
}

/// The answer comes as the alarm rings, and the next request takes the place that it leaves: it is not rung in the
/// other's stead.
#[test]
fn a_place_taken_while_its_last_owners_alarm_rings_is_not_rung_for_it() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a");
        let lease = host.lease();
        let (_, its_waker) = Asleep::new();
        let alarm = set(&lease.meta, Instant::now(), &its_waker).expect("a driver");
        let tasks = world.tasks.clone();
        let driving = thread::spawn(move || tasks.run());
        lease.meta.clocks.clear(alarm);
        let (next, waker) = Asleep::new();
        let at = Instant::now() + HOUR;
        assert_eq!(set(&lease.meta, at, &waker), Some(alarm));
        driving.join().unwrap();
        world.tasks.run();
        assert_eq!(next.wakes(), 0);
        assert!(renew(&lease.meta, alarm, &waker));
        assert!(lease.meta.clocks.armed().is_some_and(|armed| armed <= at));
        host.put_back(lease);
        world.end(&[&host]);
    });
}
