//! The limit in all: the line of the origins that are short of a permit.

use ::loom::thread;

use super::world::World;
use super::{model, model_within};

/// Two origins ask where there is one permit for both: whoever comes second has the first one's connection
/// closed once it idles, and neither hangs.
#[test]
fn two_origins_that_share_one_permit_are_both_served() {
    model(|| {
        let world = World::of_total(1, 1);
        let (a, b) = (world.host("http://a"), world.host("http://b"));
        let other = a.clone();
        let asking = thread::spawn(move || other.request());
        b.request();
        asking.join().unwrap();
        world.end(&[&a, &b]);
    });
}

/// The only permit comes free while another origin asks for it: it sees the permit, or stands in the line
/// when it comes. It may come before the origin has noted its place.
#[test]
fn a_permit_freed_while_another_origin_asks_reaches_it() {
    model(|| {
        let world = World::of_total(1, 1);
        let (a, b) = (world.host("http://a"), world.host("http://b"));
        let lease = a.lease();
        let other = a.clone();
        let closing = thread::spawn(move || other.discard(lease));
        b.request();
        closing.join().unwrap();
        world.end(&[&a, &b]);
    });
}

/// A connection comes back and idles while another origin gets in line: one of the two events is
/// the later one, and closes it for the line.
#[test]
fn a_connection_that_idles_while_another_origin_gets_in_line_is_closed_for_it() {
    model(|| {
        let world = World::of_total(1, 1);
        let (a, b) = (world.host("http://a"), world.host("http://b"));
        let lease = a.lease();
        let other = a.clone();
        let returning = thread::spawn(move || other.put_back(lease));
        b.request();
        returning.join().unwrap();
        world.end(&[&a, &b]);
    });
}

/// The only one who waits goes away while the permit that it asked for arrives: the place is
/// given up or the permit is given back, and the next origin has it.
#[test]
fn a_permit_that_arrives_while_its_place_is_given_up_is_not_lost() {
    model(|| {
        let world = World::of_total(1, 1);
        let (a, b) = (world.host("http://a"), world.host("http://b"));
        let lease = a.lease();
        let waiter = b.join();
        let other = a.clone();
        let closing = thread::spawn(move || other.discard(lease));
        waiter.leave();
        closing.join().unwrap();
        assert_eq!(world.shared.total.usage().1, 0);
        a.request();
        world.end(&[&a, &b]);
    });
}

/// Two of one origin ask at once while the permit comes free: one place in the line is noted,
/// and the other withdrawn, whichever the permit comes to.
#[test]
fn two_who_ask_at_once_while_a_permit_arrives_are_both_served() {
    model_within(2, || {
        let world = World::of_total(2, 2);
        let (a, b) = (world.host("http://a"), world.host("http://b"));
        let (one, two) = (a.lease(), a.lease());
        let (other, third) = (a.clone(), b.clone());
        let closing = thread::spawn(move || {
            other.discard(one);
            other.discard(two);
        });
        let asking = thread::spawn(move || third.request());
        b.request();
        closing.join().unwrap();
        asking.join().unwrap();
        world.end(&[&a, &b]);
    });
}

/// A busy connection is promised to an origin in line, which goes away meanwhile: the permit goes
/// to whoever is next, or is free.
#[test]
fn a_permit_promised_to_an_origin_that_goes_away_is_not_lost() {
    model(|| {
        let world = World::of_total(1, 1);
        let (a, b) = (world.host("http://a"), world.host("http://b"));
        let lease = a.lease();
        let waiter = b.join();
        let other = a.clone();
        let returning = thread::spawn(move || other.put_back(lease));
        waiter.leave();
        a.request();
        returning.join().unwrap();
        world.end(&[&a, &b]);
    });
}

/// The place of the only connection is freed while somebody joins: whoever comes second asks for the
/// permit of the next dial.
#[test]
fn a_place_freed_while_somebody_joins_is_dialled_for() {
    model(|| {
        let world = World::of_connections(1);
        let host = world.host("http://a");
        let lease = host.lease();
        let other = host.clone();
        let closing = thread::spawn(move || other.discard(lease));
        host.request();
        closing.join().unwrap();
        world.end(&[&host]);
    });
}

/// A third origin goes away while the permit is on its way down the line: it skips those who are
/// gone.
#[test]
fn a_permit_passes_by_an_origin_that_leaves_the_line() {
    model(|| {
        let world = World::of_total(1, 1);
        let (a, b) = (world.host("http://a"), world.host("http://b"));
        let c = world.host("http://c");
        let lease = a.lease();
        let (leaving, staying) = (b.join(), c.join());
        let other = a.clone();
        let closing = thread::spawn(move || other.discard(lease));
        let going = thread::spawn(move || leaving.leave());
        c.put_back(staying.wait().unwrap());
        closing.join().unwrap();
        going.join().unwrap();
        world.end(&[&a, &b, &c]);
    });
}
