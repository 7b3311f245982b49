//! `count MODE N`: how often memory is asked for in N calls. It is a program of its own because the
//! counting costs instructions and time.

use std::alloc::System;

use standpipe_core::BoxError;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> Result<(), BoxError> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [mode, n] = &args[..] else {
        return Err("count MODE N".into());
    };
    standpipe_limit_bench::calls(mode, n.parse()?)?;
    let stats = GLOBAL.stats();
    println!("{}", stats.allocations + stats.reallocations);
    Ok(())
}
