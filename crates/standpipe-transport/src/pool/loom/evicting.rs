//! The limit on what idles in all, and the index of whose has idled longest.

use ::loom::thread;
use standpipe_core::sync::atomic::Ordering::SeqCst;

use super::model;
use super::world::{World, limits};
use crate::pool::Handle;

/// Two origins' connections come back, and one may idle: each sees its own, and whoever counts last
/// must see both. Where both see both, both are closed.
#[test]
fn of_two_that_come_back_to_two_origins_no_more_idle_than_may_in_all() {
    model(|| {
        let mut limits = limits(1, None);
        limits.max_idle = 1;
        let world = World::new(&limits);
        let (a, b) = (world.host("http://a"), world.host("http://b"));
        let (of_a, of_b) = (a.lease(), b.lease());
        let other = a.clone();
        let returning = thread::spawn(move || other.put_back(of_a));
        b.put_back(of_b);
        returning.join().unwrap();
        assert!(world.shared.index.idle() <= 1);
        world.end(&[&a, &b]);
    });
}

/// Idle connections are closed by hand while one is checked out: it is closed or leased, not both.
#[test]
fn of_a_close_of_the_idle_and_a_checkout_exactly_one_wins() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a").with_idle();
        let (shared, tasks) = (world.shared.clone(), world.tasks.clone());
        let closing = thread::spawn(move || {
            let closed = shared.evict_oldest(false);
            tasks.run();
            closed
        });
        let asked = host.ask();
        let closed = closing.join().unwrap();
        assert_eq!(asked.is_err(), closed);
        match asked {
            Ok(channel) => {
                assert!(channel.is_ready() && !channel.is_spent());
                host.put_back(channel);
            }
            Err(waiter) => host.put_back(waiter.wait().unwrap()),
        }
        world.end(&[&host]);
    });
}

/// The index finds an origin without idle connections and drops its entry while one comes back: that one must
/// enter the origin again, else it could never be evicted.
#[test]
fn a_connection_that_comes_back_while_the_index_drops_its_origin_is_in_the_index() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a").with_idle();
        // The index has an entry, and nothing idles.
        let lease = host.lease();
        let (shared, tasks) = (world.shared.clone(), world.tasks.clone());
        let closing = thread::spawn(move || {
            let closed = shared.evict_oldest(false);
            tasks.run();
            closed
        });
        host.put_back(lease);
        if !closing.join().unwrap() {
            assert!(world.shared.evict_oldest(false), "the index lost it");
            world.tasks.run();
        }
        assert_eq!(host.counts().idle, 0);
        world.end(&[&host]);
    });
}

/// Two evict at once, and two idle: the index hands each entry to one of them.
#[test]
fn two_who_evict_at_once_close_two_connections() {
    model(|| {
        let world = World::of_connections(1);
        let a = world.host("http://a").with_idle();
        let b = world.host("http://b").with_idle();
        let (shared, tasks) = (world.shared.clone(), world.tasks.clone());
        let closing = thread::spawn(move || {
            assert!(shared.evict_oldest(false));
            tasks.run();
        });
        assert!(world.shared.evict_oldest(false));
        world.tasks.run();
        closing.join().unwrap();
        assert_eq!(world.shared.index.idle(), 0);
        world.end(&[&a, &b]);
    });
}

/// An idle connection is closed for the line while the peer closes it as well: its permit
/// goes to the line once, and the line does not wait for another one that nobody closes.
#[test]
fn a_connection_evicted_while_the_peer_closes_it_counts_once() {
    model(|| {
        let world = World::of_total(1, 1);
        let (a, b) = (world.host("http://a").with_idle(), world.host("http://b"));
        let lease = a.lease();
        let (wire, meta) = (lease.wire().clone(), lease.meta.clone());
        a.put_back(lease);
        let tasks = world.tasks.clone();
        let peer = thread::spawn(move || {
            wire.hung_up.store(true, SeqCst);
            meta.driver().wake();
            tasks.run();
        });
        b.request();
        peer.join().unwrap();
        world.end(&[&a, &b]);
    });
}

/// The mark that a connection is closed for the line, and the end of its permit: either the mark came first, and
/// the permit carries it, or the evictor is told that it came too late.
#[test]
fn a_permit_is_marked_as_evicted_before_it_is_gone_or_not_at_all() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a").with_idle();
        let lease = host.lease();
        let meta = lease.meta.clone();
        let marking = thread::spawn(move || meta.set_evicted());
        let carried = lease.meta.end_permit();
        assert_eq!(marking.join().unwrap(), carried);
        assert!(!lease.meta.end_permit(), "it carries the mark once");
        host.put_back(lease);
        world.end(&[&host]);
    });
}
