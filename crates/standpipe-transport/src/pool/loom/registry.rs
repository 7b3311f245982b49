//! The list of the connections that were opened and live, and what is told of them.

use std::sync::Mutex;
use std::task::Poll;

use ::loom::thread;
use standpipe_core::sync::atomic::Ordering::SeqCst;
use standpipe_core::{ConnectionFacts, Origin};

use super::model;
use super::world::World;
use crate::PoolEvents;
use crate::events::Closed;

/// What was told, in its order. loom needs not know of it.
#[derive(Default)]
struct Log(std::sync::Arc<Mutex<Vec<&'static str>>>);

impl PoolEvents for Log {
    fn created(&self, _: &Origin, _: &ConnectionFacts) {
        self.0.lock().unwrap().push("created");
    }

    fn closed(&self, _: &Origin, _: &Closed<'_>) {
        self.0.lock().unwrap().push("closed");
    }
}

/// The IO of an HTTP/2 connection belongs to a task of hyper's, and goes while the driver publishes the connection: it
/// is counted and told as created and as closed, in this order and once each, whoever of the two sees to it.
#[test]
fn a_connection_whose_io_goes_while_it_is_published_is_created_and_closed_once() {
    model(|| {
        let log = Log::default();
        let told = log.0.clone();
        let world = World::telling(log);
        let host = world.http2_host("http://a");
        let waiter = host.join();
        let (_, mut begun) = waiter.look_once();
        let (wire, driver, io) = begun.pop().expect("a dial begins").in_two_tasks(true);
        let ending = thread::spawn(move || drop(io));
        world.tasks.spawn(driver);
        world.tasks.run();
        ending.join().unwrap();
        let totals = host.totals();
        assert_eq!((totals.created, totals.closed.total()), (1, 1));
        assert!(host.pool.links().is_empty());
        assert_eq!(*told.lock().unwrap(), ["created", "closed"]);
        // hyper's connection learns of it last.
        let (Poll::Ready(Ok(channel)), _) = waiter.look_once() else {
            panic!("its dial was forgotten");
        };
        wire.hung_up.store(true, SeqCst);
        channel.meta.driver().wake();
        host.put_back(channel);
        world.end(&[&host]);
    });
}

/// A connection ends while another one is published: at no moment do the counts and the list differ.
#[test]
fn what_was_created_is_closed_or_lives_at_any_moment() {
    model(|| {
        let world = World::of_connections(2);
        let host = world.host("http://a");
        let lease = host.lease();
        let waiter = host.join();
        let (_, mut begun) = waiter.look_once();
        let dial = begun.pop().expect("a dial begins");
        let tasks = world.tasks.clone();
        let dialing = thread::spawn(move || {
            dial.succeed(&tasks, false);
            tasks.run();
        });
        let other = host.clone();
        let closing = thread::spawn(move || other.discard(lease));
        let (counts, totals) = host.pool.figures();
        let living = (counts.active + counts.idle) as u64;
        assert_eq!(totals.created, totals.closed.total() + living);
        dialing.join().unwrap();
        closing.join().unwrap();
        host.put_back(waiter.wait().unwrap());
        assert_eq!(host.totals().closed.total(), 1);
        world.end(&[&host]);
    });
}
