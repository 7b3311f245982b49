//! The end of a transport: with a grace, without one, twice, and half-way.

mod cut;
mod grace;
mod races;
#[path = "../support/mod.rs"]
mod support;

use standpipe_core::{Error, ErrorKind};
use standpipe_test::memory::Network;
use standpipe_transport::{ShutdownReport, Transport};
use tokio::runtime::Handle;

/// The tasks of the runtime; the test's own is none of them.
fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[track_caller]
fn assert_shutdown(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Shutdown, "{error:?}");
}

/// What DRN-04 asks for, and that the figures add up.
#[track_caller]
fn assert_nothing_left(network: &Network, transport: &Transport) {
    let now = support::stats(transport);
    assert_eq!((now.dialing, now.active, now.idle), (0, 0, 0));
    assert_eq!((now.waiting, now.streams), (0, 0));
    assert_eq!(now.created, now.closed.total());
    assert_eq!(network.open_connections(), 0, "sockets are left");
}

#[track_caller]
fn assert_report(report: ShutdownReport, waiting: usize, finished: usize, cut: usize) {
    assert_eq!(
        (report.waiting, report.finished, report.cut),
        (waiting, finished, cut)
    );
    assert!(report.complete);
}
