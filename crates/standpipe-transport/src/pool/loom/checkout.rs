//! The idle set: who gets a connection that is free, and who closes it.

use std::task::Poll;

use ::loom::thread;
use standpipe_core::sync::atomic::Ordering::SeqCst;
use tokio::time::Duration;

use super::model;
use super::world::World;
use crate::events::CloseReason;
use crate::pool::{Handle, Sweep};

/// Two ask while one connection idles: one checks it out between the other's look and its
/// place in the queue. Exactly one has it at once; the other is served when it comes back.
#[test]
fn of_two_who_ask_for_one_idle_connection_one_has_it_and_the_other_waits_for_its_return() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a").with_idle();
        let other = host.clone();
        let asking = thread::spawn(move || other.request());
        host.request();
        asking.join().unwrap();
        assert_eq!(host.totals().created, 1);
        world.end(&[&host]);
    });
}

/// A connection comes back while somebody looks, finds nothing and joins the queue: the
/// return must see the one who joins, or the one who joins the return.
#[test]
fn nobody_waits_beside_a_connection_that_came_back_while_it_joined() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a");
        let lease = host.lease();
        let other = host.clone();
        let returning = thread::spawn(move || other.put_back(lease));
        host.request();
        returning.join().unwrap();
        world.end(&[&host]);
    });
}

/// The idle timer rings at the moment of a checkout: one of them has the connection, and the request does
/// not get one that is being closed.
///
/// IDLE-06
#[test]
fn of_the_idle_timer_and_a_checkout_exactly_one_wins() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a").with_idle();
        let other = host.clone();
        let ringing = thread::spawn(move || {
            let swept = other.pool.sweep(1, Duration::ZERO);
            other.tasks.run();
            swept
        });
        let asked = host.ask();
        let swept = ringing.join().unwrap();
        match asked {
            Ok(channel) => {
                assert_ne!(swept, Sweep::Expired, "it was leased and closed");
                assert!(channel.is_ready() && !channel.is_spent());
                host.put_back(channel);
            }
            Err(waiter) => {
                assert_eq!(swept, Sweep::Expired);
                let channel = waiter.wait().unwrap();
                assert_eq!(channel.id(), 2);
                host.put_back(channel);
            }
        }
        world.end(&[&host]);
    });
}

/// A connection has lived long enough while it is checked out: it is closed at once, or when it comes
/// back, and is never leased again.
#[test]
fn a_connection_retired_while_it_is_checked_out_is_not_leased_again() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a").with_idle();
        let other = host.clone();
        let aging = thread::spawn(move || {
            other.pool.retire(1, CloseReason::Lifetime);
            other.tasks.run();
        });
        host.request();
        aging.join().unwrap();
        let channel = host.lease();
        assert_eq!(channel.id(), 2);
        host.put_back(channel);
        world.end(&[&host]);
    });
}

/// The peer closes an idle connection while it is checked out: whoever has it finds it spent, and another one
/// is dialled in its place.
#[test]
fn a_connection_that_the_peer_closes_at_checkout_leaves_its_place_to_another() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a").with_idle();
        let lease = host.ask().ok().expect("one idles");
        let (wire, meta) = (lease.wire().clone(), lease.meta.clone());
        host.put_back(lease);
        let tasks = host.tasks.clone();
        let peer = thread::spawn(move || {
            wire.hung_up.store(true, SeqCst);
            meta.driver().wake();
            tasks.run();
        });
        host.request();
        peer.join().unwrap();
        let channel = host.lease();
        assert_eq!(channel.id(), 2);
        host.put_back(channel);
        world.end(&[&host]);
    });
}

/// Two connections come back to an origin of which one may idle.
#[test]
fn of_two_that_come_back_to_an_origin_as_many_idle_as_may() {
    model(|| {
        let mut limits = super::world::limits(2, None);
        limits.max_idle_per_host = 1;
        let world = World::new(&limits);
        let host = world.host("http://a");
        let (first, second) = (host.lease(), host.lease());
        let other = host.clone();
        let returning = thread::spawn(move || other.put_back(first));
        host.put_back(second);
        returning.join().unwrap();
        assert_eq!(host.counts().idle, 1);
        world.end(&[&host]);
    });
}

/// The answer ends and the lease with it before the driver is ready for the next request: the driver tells the
/// pool when it is, or the pool sees that it is. Else the connection would be in nobody's hands.
#[test]
fn a_connection_that_becomes_ready_as_it_comes_back_is_not_lost() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a");
        let lease = host.lease();
        let (wire, meta) = (lease.wire().clone(), lease.meta.clone());
        wire.ready.store(false, SeqCst);
        let tasks = host.tasks.clone();
        let driving = thread::spawn(move || {
            wire.answered.store(true, SeqCst);
            meta.driver().wake();
            tasks.run();
        });
        host.put_back(lease);
        host.request();
        driving.join().unwrap();
        assert_eq!(host.totals().created, 1);
        world.end(&[&host]);
    });
}

/// Where the index knows the origin, a connection comes back and is checked out by the short way, which serves nobody;
/// somebody joins meanwhile. No connection idles beside one who waits.
#[test]
fn nobody_waits_beside_a_connection_that_went_the_short_way() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a").with_idle();
        let lease = host.ask().ok().expect("one idles");
        let other = host.clone();
        let returning = thread::spawn(move || {
            other.put_back(lease);
            if let Some(channel) = other.pool.checkout() {
                other.put_back(channel);
            }
        });
        let waiter = host.join();
        returning.join().unwrap();
        let (Poll::Ready(Ok(channel)), begun) = waiter.look_once() else {
            panic!("it waits while a connection idles");
        };
        assert!(begun.is_empty());
        host.put_back(channel);
        assert_eq!(host.totals().created, 1);
        world.end(&[&host]);
    });
}

/// As before, with another one who looks for a free connection and puts it back.
#[test]
fn nobody_waits_beside_a_connection_that_others_look_for() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a").with_idle();
        let lease = host.ask().ok().expect("one idles");
        let (other, third) = (host.clone(), host.clone());
        let returning = thread::spawn(move || other.put_back(lease));
        let looking = thread::spawn(move || {
            if let Some(channel) = third.pool.checkout() {
                third.put_back(channel);
            }
        });
        let waiter = host.join();
        returning.join().unwrap();
        looking.join().unwrap();
        let (Poll::Ready(Ok(channel)), _) = waiter.look_once() else {
            panic!("it waits while a connection idles");
        };
        host.put_back(channel);
        world.end(&[&host]);
    });
}
