//! Prints the nanoseconds that one run takes.

fn main() -> Result<(), &'static str> {
    let (time, _) = standpipe_metrics_bench::Run::from_args()?.run(|| 0);
    println!("{}", time.as_nanos());
    Ok(())
}
