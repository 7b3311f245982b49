//! `time MODE N`: the nanoseconds of one call. `time waiters W N`: of one admission with W in line;
//! `time sleepers W N`: of tokio's part in that.

use std::time::Instant;

use standpipe_core::BoxError;

fn main() -> Result<(), BoxError> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (n, time) = match args[..] {
        #[cfg(feature = "paused")]
        [what @ ("waiters" | "sleepers"), waiters, n] => {
            let (n, limited) = (n.parse()?, what == "waiters");
            let time = standpipe_limit_bench::admissions(waiters.parse()?, n, limited)?;
            (n, time)
        }
        [mode, n] => {
            let n = n.parse()?;
            let begin = Instant::now();
            standpipe_limit_bench::calls(mode, n)?;
            (n, begin.elapsed())
        }
        _ => return Err("time MODE N | time waiters W N".into()),
    };
    println!("{:.1}", time.as_nanos() as f64 / n as f64);
    Ok(())
}
