//! Runs one case and prints the nanoseconds it took. Its instructions are counted from outside.

use standpipe_bench_retry::AnyError;

fn main() -> Result<(), AnyError> {
    let (elapsed, _) = standpipe_bench_retry::command(|| 0)?;
    println!("{}", elapsed.as_nanos());
    Ok(())
}
