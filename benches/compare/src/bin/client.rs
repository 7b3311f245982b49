//! Runs one load over one client and prints the nanoseconds it took. Its instructions are counted
//! from outside.

use standpipe_compare::BoxError;

fn main() -> Result<(), BoxError> {
    let (elapsed, _) = standpipe_compare::command(|| 0)?;
    println!("{}", elapsed.as_nanos());
    Ok(())
}
