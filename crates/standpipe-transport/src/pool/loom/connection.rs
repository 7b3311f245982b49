//! The flags through which a connection's driver, its IO and its leases tell each other.

use std::sync::Arc;

use ::loom::thread;
use standpipe_core::ConnectionFacts;
use standpipe_core::sync::atomic::{AtomicBool, Ordering};
use tokio::time::Instant;

use super::model;
use crate::conn::ConnMeta;

fn meta(shared: bool) -> Arc<ConnMeta> {
    let facts = ConnectionFacts::new(1, http::Version::HTTP_11, Instant::now());
    Arc::new(ConnMeta::new(facts, shared, u64::MAX))
}

/// The driver becomes ready and asks whether to say so, while the pool says so and asks whether it
/// is ready. How hyper orders its own flag is its own affair: here it is as weak as can be.
#[test]
fn the_driver_tells_that_it_is_ready_or_the_pool_sees_it() {
    model(|| {
        let meta = meta(false);
        let ready = Arc::new(AtomicBool::new(false));
        let (its_meta, its_ready) = (Arc::clone(&meta), Arc::clone(&ready));
        let driving = thread::spawn(move || {
            its_ready.store(true, Ordering::Relaxed);
            its_meta.take_settling()
        });
        meta.set_settling();
        let seen = ready.load(Ordering::Relaxed);
        let told = driving.join().unwrap();
        assert!(seen || told, "the connection is lost");
    });
}

/// Bytes are counted and the driver asks whether to tell of them, while the connection is marked and
/// the marker looks for bytes.
#[test]
fn the_driver_tells_of_the_bytes_or_the_one_who_distrusts_sees_them() {
    model(|| {
        let meta = meta(true);
        let its_meta = Arc::clone(&meta);
        let driving = thread::spawn(move || {
            its_meta.traffic.count_read(1);
            its_meta.traffic.take_suspect()
        });
        let at = meta.traffic.bytes_read();
        meta.traffic.set_suspect();
        let seen = meta.traffic.bytes_read() != at;
        let told = driving.join().unwrap();
        let came_before = at > 0;
        assert!(seen || told || came_before, "it is never trusted again");
    });
}

/// It is told once that a connection may be trusted again, whoever asks.
#[test]
fn of_two_who_ask_whether_bytes_arrived_one_is_told() {
    model(|| {
        let meta = meta(true);
        meta.traffic.set_suspect();
        meta.traffic.count_read(1);
        let other = Arc::clone(&meta);
        let asking = thread::spawn(move || other.traffic.take_suspect());
        let mine = meta.traffic.take_suspect();
        assert!(mine ^ asking.join().unwrap());
    });
}

/// A connection is closed while its driver goes to sleep: it registers before it looks, so it is woken or
/// sees it.
#[test]
fn a_driver_that_falls_asleep_while_its_connection_is_closed_is_woken() {
    model(|| {
        let meta = meta(false);
        let other = Arc::clone(&meta);
        let closing = thread::spawn(move || other.close());
        ::loom::future::block_on(std::future::poll_fn(|cx| {
            meta.driver().register(cx.waker());
            if meta.is_closing() {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        }));
        closing.join().unwrap();
    });
}
