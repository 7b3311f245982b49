//! The end: of a transport, and of an origin's pool that nobody holds any more.

use std::task::Poll;

use ::loom::thread;
use standpipe_core::ErrorKind;
use standpipe_core::sync::atomic::Ordering::SeqCst;

use super::model;
use super::world::World;

/// The pool is closed while somebody asks: a refusal, an error to the one who waits, or a connection that
/// is closed when it comes back; never a wait without end.
#[test]
fn whoever_asks_while_the_pool_is_closed_hears_of_it() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a");
        let other = host.clone();
        let closing = thread::spawn(move || other.pool.close());
        match host.try_join().and_then(|waiter| waiter.wait()) {
            Ok(channel) => host.put_back(channel),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Shutdown),
        }
        closing.join().unwrap();
        assert!(host.try_join().is_err());
        assert_eq!(host.counts().idle, 0);
        world.end(&[&host]);
    });
}

/// The pool is closed while a connection comes back: none idles in a closed pool.
#[test]
fn a_connection_that_comes_back_while_the_pool_is_closed_is_closed() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a");
        let lease = host.lease();
        let waiter = host.join();
        let other = host.clone();
        let closing = thread::spawn(move || {
            other.pool.close();
            other.tasks.run();
        });
        host.put_back(lease);
        closing.join().unwrap();
        let (Poll::Ready(found), _) = waiter.look_once() else {
            panic!("it waits in a closed pool");
        };
        if let Ok(channel) = found {
            host.put_back(channel);
        }
        world.tasks.run();
        assert_eq!(host.counts().idle, 0);
        world.end(&[&host]);
    });
}

/// The pool is closed while a dial ends well: its connection is closed as well.
#[test]
fn a_dial_that_ends_while_the_pool_is_closed_leaves_no_connection() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a");
        let waiter = host.join();
        let (_, mut begun) = waiter.look_once();
        let dial = begun.pop().expect("a dial begins");
        let tasks = world.tasks.clone();
        let dialing = thread::spawn(move || {
            dial.succeed(&tasks, false);
            tasks.run();
        });
        host.pool.close();
        dialing.join().unwrap();
        let (Poll::Ready(found), _) = waiter.look_once() else {
            panic!("it waits in a closed pool");
        };
        if let Ok(channel) = found {
            host.put_back(channel);
        }
        world.tasks.run();
        assert_eq!(host.counts().idle, 0);
        world.end(&[&host]);
    });
}

/// The pool is closed while the permit that it waits for arrives: the permit goes back.
#[test]
fn a_permit_that_arrives_while_the_pool_is_closed_goes_back() {
    model(|| {
        let world = World::of_total(1, 1);
        let (a, b) = (world.host("http://a"), world.host("http://b"));
        let lease = a.lease();
        let waiter = b.join();
        let other = a.clone();
        let freeing = thread::spawn(move || other.discard(lease));
        assert_eq!(b.pool.close().waiting, 1);
        freeing.join().unwrap();
        let error = waiter.wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Shutdown);
        assert_eq!(world.shared.total.usage().1, 0);
        world.end(&[&a, &b]);
    });
}

/// A transport is closed while an origin is met for the first time: its pool is on the list that is gone
/// through, or made as a closed one.
#[test]
fn an_origin_met_while_the_transport_is_closed_is_closed() {
    model(|| {
        let world = World::of_connections(1);
        let shared = world.shared.clone();
        let closing = thread::spawn(move || shared.close());
        let host = world.host("http://a");
        closing.join().unwrap();
        assert!(host.try_join().is_err());
        world.end(&[&host]);
    });
}

/// The last handle of an origin's pool goes while its idle connection ends: the permit comes back and
/// the index forgets the connection, in either order.
#[test]
fn a_pool_that_goes_while_its_connection_ends_gives_everything_back() {
    model(|| {
        let world = World::of_total(1, 1);
        let host = world.host("http://a").with_idle();
        let lease = host.lease();
        let (wire, meta) = (lease.wire().clone(), lease.meta.clone());
        host.put_back(lease);
        let tasks = world.tasks.clone();
        let peer = thread::spawn(move || {
            wire.hung_up.store(true, SeqCst);
            meta.driver().wake();
            tasks.run();
        });
        drop(host);
        world.tasks.run();
        peer.join().unwrap();
        assert_eq!(world.shared.index.idle(), 0);
        world.host("http://b").request();
        world.tear_down();
    });
}

/// The last handle goes while its idle connection is closed for another origin: nobody closes it twice, and
/// the other origin has its permit.
#[test]
fn a_pool_that_goes_while_it_is_evicted_from_leaves_its_permit() {
    model(|| {
        let world = World::of_total(1, 1);
        let (a, b) = (world.host("http://a").with_idle(), world.host("http://b"));
        let tasks = world.tasks.clone();
        let going = thread::spawn(move || {
            drop(a);
            tasks.run();
        });
        b.request();
        going.join().unwrap();
        world.end(&[&b]);
    });
}
