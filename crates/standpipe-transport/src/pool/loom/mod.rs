//! Models of the pool: the wait queue, the idle set and the line for permits under every
//! interleaving of two or three threads, as far as the bound on preemptions lets loom go.
//!
//! The code is the one that ships, from [`OriginPool`](super::OriginPool) and its limits to the connection's
//! driver and IO. hyper has a stand-in (`conn/loom/channel.rs`), and so has the dial
//! ([`dial`]); the threads of a model are the workers of the connections' tasks ([`task`]).
//! After each interleaving [`World::end`](world::World::end) asks that all came to rest.
//!
//! `Arc` and `Weak` are those of `std`: loom's `Arc` has no `Weak`. So loom does not preempt at their
//! counts, but before and after them, at the locks and atomics around.

mod checkout;
mod clocks;
mod closing;
mod connection;
pub(super) mod dial;
mod dialing;
mod evicting;
mod line;
mod queue;
mod registry;
mod shutdown;
mod streams;
mod task;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Explores `interleaving`. The bound on preemptions is LOOM_MAX_PREEMPTIONS, or three.
fn model(interleaving: impl Fn() + Sync + Send + 'static) {
    model_within(3, interleaving);
}

/// As [`model`], with another bound for a model that would take too long.
fn model_within(preemptions: usize, interleaving: impl Fn() + Sync + Send + 'static) {
    // Time stands still, so that each run of an interleaving sees the same.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime for its clock");
    let _clock = runtime.enter();
    world::warm_up();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let mut builder = ::loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = 20_000;
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        interleaving();
    });
    let count = count.load(Ordering::Relaxed);
    println!("{count} interleavings");
    assert!(count > 1, "a model of one interleaving shows nothing");
}
