//! What a pool counts.

mod counts;
mod server;
mod settings;

#[path = "../support/mod.rs"]
mod support;

use standpipe::metrics::RequestMetrics;

/// What holds of every snapshot.
#[track_caller]
fn assert_adds_up(of: &RequestMetrics) {
    let ended = of.successful + of.failed + of.cancelled;
    assert_eq!(of.total, ended + of.in_flight, "{of:?}");
    let bodies = of.bodies;
    let known = bodies.complete + bodies.failed + bodies.abandoned;
    assert_eq!(of.responses, known + bodies.open, "{of:?}");
}
