//! Runs calls through a breaker and prints how many nanoseconds they took in all.

use std::time::Instant;

fn main() -> Result<(), standpipe_breaker_bench::BoxError> {
    let begin = Instant::now();
    let took = standpipe_breaker_bench::command(|| begin.elapsed().as_nanos() as u64)?;
    println!("{took}");
    Ok(())
}
