//! Runs calls through a breaker and prints how often memory was asked for. It is a program of its
//! own because the counting costs instructions and time.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> Result<(), standpipe_breaker_bench::BoxError> {
    let allocations = standpipe_breaker_bench::command(|| {
        let stats = GLOBAL.stats();
        (stats.allocations + stats.reallocations) as u64
    })?;
    println!("{allocations}");
    Ok(())
}
