//! A shutdown: what its report counts, and that it hears of the end.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ::loom::thread;
use standpipe_core::ErrorKind;
use tokio::time::Duration;

use super::model;
use super::world::{Sleeper, World};
use crate::pool::{Shutdown, ShutdownReport};

/// Shuts down with a grace that is never over, as time stands still: what is waited for must come.
fn shut_down(world: &World) -> ShutdownReport {
    let mut shutdown = pin!(Shutdown::begin(
        Arc::clone(&world.shared),
        Duration::from_secs(1)
    ));
    let sleeper = Arc::new(Sleeper::default());
    let waker = Waker::from(Arc::clone(&sleeper));
    loop {
        world.tasks.run();
        match shutdown.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(report) => return report,
            Poll::Pending => sleeper.sleep(),
        }
    }
}

/// The transport is closed while somebody joins: refused, or failed and counted as one who waited.
#[test]
fn whoever_joins_while_the_transport_is_closed_is_refused_or_counted() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a");
        let lease = host.lease();
        let shared = world.shared.clone();
        let closing = thread::spawn(move || shared.close());
        let joined = host.try_join();
        let waits = usize::from(joined.is_ok());
        let error = joined.and_then(|waiter| waiter.wait()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Shutdown);
        let found = closing.join().unwrap();
        assert_eq!((found.waiting, found.in_flight), (waits, 1));
        host.put_back(lease);
        assert!(world.shared.is_gone());
        world.end(&[&host]);
    });
}

/// A request is under way when the transport is shut down, and ends: the shutdown hears of it.
#[test]
fn a_shutdown_hears_of_the_end_of_the_last_connection() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a");
        let lease = host.lease();
        let other = host.clone();
        let ending = thread::spawn(move || other.put_back(lease));
        let report = shut_down(&world);
        ending.join().unwrap();
        assert!(report.complete);
        assert_eq!((report.waiting, report.cut), (0, 0));
        world.end(&[&host]);
    });
}

/// A dial fails while the transport is shut down.
#[test]
fn a_shutdown_hears_of_the_end_of_the_last_dial() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a");
        let waiter = host.join();
        let (_, mut begun) = waiter.look_once();
        let dial = begun.pop().expect("a dial begins");
        let failing = thread::spawn(move || dial.fail());
        let report = shut_down(&world);
        failing.join().unwrap();
        assert!(report.complete);
        waiter.wait().map(drop).unwrap_err();
        world.end(&[&host]);
    });
}

/// Somebody asks for a permit while the transport is shut down, and gives it back since nobody waits any
/// more: the shutdown does not take it for a connection that is about to be opened.
#[test]
fn a_shutdown_does_not_wait_for_a_permit_that_nobody_uses() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a");
        let other = host.clone();
        let asking = thread::spawn(move || other.try_join().map(|waiter| waiter.leave()));
        let report = shut_down(&world);
        assert!(report.complete);
        drop(asking.join().unwrap());
        world.end(&[&host]);
    });
}
