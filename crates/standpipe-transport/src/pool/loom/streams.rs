//! HTTP/2: the streams of a connection, their limit and their trust.

use std::task::Poll;

use ::loom::thread;
use standpipe_core::sync::atomic::Ordering::SeqCst;

use super::model;
use super::world::{Host, World};
use crate::conn::Channel;
use crate::events::CloseReason;
use crate::pool::Handle;

/// SETTINGS arrive: the peer allows so many streams.
fn allow(lease: &Channel, streams: usize) -> impl FnOnce() + 'static {
    let (wire, meta) = (lease.wire().clone(), lease.meta.clone());
    move || {
        wire.streams.store(streams, SeqCst);
        meta.traffic.count_read(1);
        meta.set_limit_known();
        meta.driver().wake();
    }
}

fn with_stream(world: &World, streams: usize) -> (Host, Channel) {
    let host = world.http2_host("http://a");
    let lease = host.lease();
    allow(&lease, streams)();
    host.tasks.run();
    (host, lease)
}

/// The peer's limit rises while somebody joins for want of a stream: it has the next one.
#[test]
fn a_limit_on_streams_that_rises_while_somebody_joins_serves_it() {
    model(|| {
        let world = World::of_connections(1);
        let (host, lease) = with_stream(&world, 1);
        let (rise, tasks) = (allow(&lease, 2), world.tasks.clone());
        let rising = thread::spawn(move || {
            rise();
            tasks.run();
        });
        let second = host.lease();
        assert_eq!(second.id(), lease.id());
        rising.join().unwrap();
        host.put_back(lease);
        host.put_back(second);
        world.end(&[&host]);
    });
}

/// A stream ends while another one is asked for: it is not lost between the look and the place in the queue.
#[test]
fn a_stream_that_ends_while_somebody_joins_serves_it() {
    model(|| {
        let world = World::of_connections(1);
        let (host, lease) = with_stream(&world, 1);
        let other = host.clone();
        let ending = thread::spawn(move || other.put_back(lease));
        host.request();
        ending.join().unwrap();
        assert_eq!(host.totals().created, 1);
        world.end(&[&host]);
    });
}

/// As before, where the index knows the origin, so that the stream ends by the short way, which serves nobody.
#[test]
fn a_stream_that_ends_the_short_way_while_somebody_joins_serves_it() {
    model(|| {
        let world = World::of_connections(1);
        let (host, lease) = with_stream(&world, 1);
        host.put_back(lease);
        let lease = host.ask().ok().expect("a stream is free");
        let other = host.clone();
        let ending = thread::spawn(move || other.put_back(lease));
        let waiter = host.join();
        ending.join().unwrap();
        let (Poll::Ready(Ok(stream)), begun) = waiter.look_once() else {
            panic!("it waits while a stream is free");
        };
        assert!(begun.is_empty());
        host.put_back(stream);
        world.end(&[&host]);
    });
}

/// Two ask for the last stream: one has it, the other waits for it to end.
#[test]
fn of_two_who_ask_for_the_last_stream_one_waits() {
    model(|| {
        let world = World::of_connections(1);
        let (host, lease) = with_stream(&world, 2);
        let other = host.clone();
        let asking = thread::spawn(move || other.request());
        host.request();
        asking.join().unwrap();
        assert_eq!(host.counts().streams, 1);
        host.put_back(lease);
        world.end(&[&host]);
    });
}

/// A request timed out and its connection is not trusted; bytes arrive at that moment: whoever waits
/// for a stream is served, for the driver tells of the bytes or the one who distrusts sees them.
#[test]
fn bytes_that_arrive_while_a_connection_becomes_suspect_clear_it() {
    model(|| {
        let world = World::of_connections(1);
        let (host, lease) = with_stream(&world, 2);
        let waiter = {
            let second = host.lease();
            let waiter = host.join();
            host.pool.suspect(lease.id());
            host.put_back(second);
            waiter
        };
        let (meta, tasks) = (lease.meta.clone(), world.tasks.clone());
        let arriving = thread::spawn(move || {
            meta.traffic.count_read(1);
            meta.driver().wake();
            tasks.run();
        });
        // The rest of `Lease::suspect`.
        lease.meta.traffic.set_suspect();
        host.pool.revived();
        world.tasks.run();
        arriving.join().unwrap();
        host.put_back(waiter.wait().unwrap());
        host.put_back(lease);
        world.end(&[&host]);
    });
}

/// The connection is to go away (GOAWAY, or its lifetime) while its last stream ends: it closes, and the next request
/// has another one.
#[test]
fn a_connection_that_drains_while_its_last_stream_ends_is_closed() {
    model(|| {
        let world = World::of_connections(1);
        let (host, lease) = with_stream(&world, 2);
        let first = lease.id();
        let other = host.clone();
        let draining = thread::spawn(move || {
            other.pool.retire(first, CloseReason::Lifetime);
            other.tasks.run();
        });
        host.put_back(lease);
        draining.join().unwrap();
        world.tasks.run();
        assert_eq!(host.counts().idle, 0);
        let next = host.lease();
        assert_ne!(next.id(), first);
        host.put_back(next);
        world.end(&[&host]);
    });
}

/// The peer closes while a stream is asked for: it is had on the old connection, where hyper gives the
/// request back, or on a new one; it is not waited for in vain.
#[test]
fn a_stream_asked_for_while_the_peer_closes_is_had_here_or_there() {
    model(|| {
        let world = World::of_connections(1);
        let (host, lease) = with_stream(&world, 2);
        let (wire, meta) = (lease.wire().clone(), lease.meta.clone());
        let tasks = world.tasks.clone();
        let peer = thread::spawn(move || {
            wire.hung_up.store(true, SeqCst);
            meta.driver().wake();
            tasks.run();
        });
        host.request();
        peer.join().unwrap();
        host.put_back(lease);
        host.request();
        world.end(&[&host]);
    });
}

/// Another origin is short of the only permit while the last stream ends: the connection drains for it,
/// or idles and is closed for it.
#[test]
fn a_shared_connection_whose_last_stream_ends_makes_room_for_another_origin() {
    model(|| {
        let world = World::of_total(1, 1);
        let (host, lease) = with_stream(&world, 2);
        let b = world.host("http://b");
        let other = host.clone();
        let ending = thread::spawn(move || other.put_back(lease));
        b.request();
        ending.join().unwrap();
        world.end(&[&host, &b]);
    });
}
