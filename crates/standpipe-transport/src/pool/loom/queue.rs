//! The queue of an origin: the order, and who goes away.

use std::task::Poll;

use ::loom::thread;
use standpipe_core::ErrorKind;

use super::model;
use super::world::{World, limits};

/// The head goes away while a connection comes back: what it was granted and did not collect
/// passes on to the next one.
#[test]
fn a_grant_to_a_head_that_goes_away_passes_on() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a");
        let lease = host.lease();
        let (head, next) = (host.join(), host.join());
        let other = host.clone();
        let returning = thread::spawn(move || other.put_back(lease));
        let leaving = thread::spawn(move || head.leave());
        host.put_back(next.wait().unwrap());
        returning.join().unwrap();
        leaving.join().unwrap();
        world.end(&[&host]);
    });
}

/// As before, with a newcomer who asks at the same time: it never overtakes the one who waits.
#[test]
fn a_newcomer_does_not_overtake_while_the_head_goes_away() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a");
        let lease = host.lease();
        let (head, next) = (host.join(), host.join());
        let other = host.clone();
        let returning = thread::spawn(move || other.put_back(lease));
        let leaving = thread::spawn(move || head.leave());
        let Err(newcomer) = host.ask() else {
            panic!("a newcomer overtook");
        };
        returning.join().unwrap();
        leaving.join().unwrap();
        assert!(matches!(newcomer.look_once().0, Poll::Pending));
        host.put_back(next.wait().unwrap());
        host.put_back(newcomer.wait().unwrap());
        world.end(&[&host]);
    });
}

/// Two join while a connection comes back: the one who came first has it.
#[test]
fn of_two_who_join_while_a_connection_comes_back_the_first_is_served() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a");
        let lease = host.lease();
        let (other, third) = (host.clone(), host.clone());
        let joining = thread::spawn(move || other.join());
        let returning = thread::spawn(move || third.put_back(lease));
        let mine = host.join();
        let theirs = joining.join().unwrap();
        returning.join().unwrap();
        let (first, second) = if mine.came_before(&theirs) {
            (mine, theirs)
        } else {
            (theirs, mine)
        };
        assert!(matches!(second.look_once().0, Poll::Pending));
        let (Poll::Ready(Ok(lease)), _) = first.look_once() else {
            panic!("the first was not served");
        };
        host.put_back(lease);
        host.put_back(second.wait().unwrap());
        world.end(&[&host]);
    });
}

/// Two who wait are served by two connections that come back at once, each woken for its own.
#[test]
fn two_who_wait_are_woken_by_two_connections_that_come_back_at_once() {
    model(|| {
        let world = World::of_connections(2);
        let host = world.host("http://a");
        let (one, two) = (host.lease(), host.lease());
        let (first, second) = (host.join(), host.join());
        let (other, third) = (host.clone(), host.clone());
        let waiting = thread::spawn(move || third.put_back(first.wait().unwrap()));
        let returning = thread::spawn(move || other.put_back(one));
        host.put_back(two);
        host.put_back(second.wait().unwrap());
        returning.join().unwrap();
        waiting.join().unwrap();
        world.end(&[&host]);
    });
}

/// Two join where one may wait: exactly one is refused.
#[test]
fn of_two_who_join_a_queue_with_one_place_exactly_one_is_refused() {
    model(|| {
        let mut limits = limits(1, None);
        limits.max_waiting_per_host = Some(1);
        let world = World::new(&limits);
        let host = world.host("http://a");
        let lease = host.lease();
        let other = host.clone();
        let joining = thread::spawn(move || other.try_join());
        let mine = host.try_join();
        let theirs = joining.join().unwrap();
        let (waiter, refused) = match (mine, theirs) {
            (Ok(waiter), Err(refused)) | (Err(refused), Ok(waiter)) => (waiter, refused),
            (Ok(_), Ok(_)) => panic!("both wait"),
            (Err(_), Err(_)) => panic!("both were refused"),
        };
        assert_eq!(refused.kind(), ErrorKind::QueueFull);
        host.put_back(lease);
        host.put_back(waiter.wait().unwrap());
        world.end(&[&host]);
    });
}

/// Both who wait go away while the connection comes back: it idles, and is not lost with them.
#[test]
fn a_connection_that_comes_back_while_all_go_away_idles() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a");
        let lease = host.lease();
        let (first, second) = (host.join(), host.join());
        let leaving = thread::spawn(move || first.leave());
        let other = host.clone();
        let returning = thread::spawn(move || other.put_back(lease));
        second.leave();
        leaving.join().unwrap();
        returning.join().unwrap();
        assert_eq!(host.counts().idle, 1);
        world.end(&[&host]);
    });
}
