//! Runs one case and prints how often memory was asked for. It is a program of its own because the
//! counting costs instructions and time.

use std::alloc::System;

use standpipe_bench_retry::AnyError;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> Result<(), AnyError> {
    let (_, allocations) = standpipe_bench_retry::command(|| {
        let stats = GLOBAL.stats();
        stats.allocations + stats.reallocations
    })?;
    println!("{allocations}");
    Ok(())
}
