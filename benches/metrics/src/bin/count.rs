//! Prints how often one run asks for memory. It is a program of its own because the counting costs
//! time.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> Result<(), &'static str> {
    let (_, allocations) = standpipe_metrics_bench::Run::from_args()?.run(|| {
        let stats = GLOBAL.stats();
        stats.allocations + stats.reallocations
    });
    println!("{allocations}");
    Ok(())
}
