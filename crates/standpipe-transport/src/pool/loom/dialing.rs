//! Dials: whom they serve, and who hears of a failure.

use std::task::Poll;

use ::loom::thread;
use standpipe_core::{Error, ErrorKind};

use super::dial::Begun;
use super::model;
use super::world::{Dials, Waiter, World};

fn begin(waiter: &Waiter) -> Begun {
    let (found, mut begun) = waiter.look_once();
    assert!(matches!(found, Poll::Pending));
    begun.pop().expect("a dial begins")
}

/// The waiter goes away while its dial ends well: nobody owns the dial, so the connection idles.
#[test]
fn a_dial_that_ends_while_its_waiter_goes_away_leaves_its_connection_to_the_pool() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a");
        let waiter = host.join();
        let dial = begin(&waiter);
        let tasks = world.tasks.clone();
        let dialing = thread::spawn(move || {
            dial.succeed(&tasks, false);
            tasks.run();
        });
        waiter.leave();
        dialing.join().unwrap();
        assert!(host.ask().is_ok_and(|channel| {
            host.put_back(channel);
            true
        }));
        world.end(&[&host]);
    });
}

/// A dial ends well while another connection comes back: both waiters are served, in any order.
#[test]
fn a_dial_and_a_return_at_once_serve_two_who_wait() {
    model(|| {
        let world = World::of_connections(2);
        let host = world.host("http://a");
        let lease = host.lease();
        let (first, second) = (host.join(), host.join());
        let dial = begin(&first);
        let tasks = world.tasks.clone();
        let dialing = thread::spawn(move || {
            dial.succeed(&tasks, false);
            tasks.run();
        });
        host.put_back(lease);
        dialing.join().unwrap();
        for waiter in [first, second] {
            let (Poll::Ready(Ok(channel)), begun) = waiter.look_once() else {
                panic!("not served");
            };
            assert!(begun.is_empty());
            host.put_back(channel);
        }
        world.end(&[&host]);
    });
}

/// A dial fails while another connection comes back: that one serves the waiter, who does not hear of the
/// failure.
#[test]
fn a_dial_that_fails_while_a_connection_comes_back_fails_nobody() {
    model(|| {
        let world = World::of_connections(2);
        let host = world.host("http://a");
        let lease = host.lease();
        let waiter = host.join();
        let dial = begin(&waiter);
        let failing = thread::spawn(move || dial.fail());
        host.put_back(lease);
        host.put_back(waiter.wait().unwrap());
        failing.join().unwrap();
        world.end(&[&host]);
    });
}

/// A dial fails while the last other connection is closed: the waiter hears of the failure, for
/// nothing is left to hope for.
#[test]
fn a_dial_that_fails_while_the_last_connection_closes_is_told_to_the_waiter() {
    model(|| {
        let world = World::of_connections(2);
        let host = world.host("http://a");
        let lease = host.lease();
        let waiter = host.join();
        let dial = begin(&waiter);
        let failing = thread::spawn(move || dial.fail());
        host.discard(lease);
        let error = waiter.wait_with(Dials::Fail).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        failing.join().unwrap();
        world.end(&[&host]);
    });
}

/// Two dials fail at once: each stood for one, and nobody is left waiting.
#[test]
fn two_dials_that_fail_at_once_fail_the_two_who_wait() {
    model(|| {
        let world = World::of_connections(2);
        let host = world.host("http://a");
        let (first, second) = (host.join(), host.join());
        let failing = thread::spawn(move || first.wait_with(Dials::Fail).map(drop));
        second.wait_with(Dials::Fail).map(drop).unwrap_err();
        failing.join().unwrap().unwrap_err();
        world.end(&[&host]);
    });
}

/// Two wait and the first, who was woken to begin a dial, goes away before it looks: the other
/// begins it.
#[test]
fn a_dial_that_nobody_began_is_begun_by_the_next() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a");
        let (first, second) = (host.join(), host.join());
        let leaving = thread::spawn(move || first.leave());
        host.put_back(second.wait().unwrap());
        leaving.join().unwrap();
        world.end(&[&host]);
    });
}

/// The end of a connection that was never published is reported by the driver or by the IO, whichever comes last, and
/// once: a second report would count a dial that there is not.
#[test]
fn a_connection_that_ends_before_it_is_published_fails_its_dial_once() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a");
        let waiter = host.join();
        let (meta, io, guard) = begin(&waiter).without_driver();
        let ending = thread::spawn(move || drop(io));
        meta.fail_dial(guard, Error::new(ErrorKind::ConnectionClosed));
        ending.join().unwrap();
        let (Poll::Ready(Err(error)), _) = waiter.look_once() else {
            panic!("the waiter was not told");
        };
        assert_eq!(error.kind(), ErrorKind::ConnectionClosed);
        assert_eq!(host.totals().dial_failures, 1);
        world.end(&[&host]);
    });
}
