//! Sends a few hundred requests to several hosts at once through one pool, and tells how they went.
//!
//! ```text
//! cargo run --example quickstart              against servers of its own, on loopback
//! cargo run --example quickstart -- URL...    against these URLs
//! ```
//!
//! Without a URL it then shows a server that fails at first, and one that fails for a while.
//!
//! It exits non-zero when a request fails for good.

mod load;
mod scenes;
mod servers;
mod table;

use std::error::Error;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use standpipe::{Origin, Pool, PoolBuilder};
use tokio::time::Instant;

use load::{HostReport, Target};
use servers::Servers;

#[tokio::main]
async fn main() -> ExitCode {
    let urls: Vec<String> = std::env::args().skip(1).collect();
    let outcome = if urls.is_empty() {
        against_own_servers().await
    } else {
        against_urls(&urls).await
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {}", with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn against_own_servers() -> Result<bool, Box<dyn Error>> {
    let servers = Servers::start().await;
    println!("{servers}");
    let targets = load::by_origin(&servers.urls())?;
    // All defaults, but for the authority that has signed for the servers above.
    let (pool, causes) = note_causes(Pool::builder().tls(servers.tls()));
    let pool = pool.build()?;
    let all_answered = run(&pool, &targets, &causes).await;

    println!();
    println!("{}", scenes::fails_at_first().await?);
    println!("{}", scenes::dies_and_comes_back().await?);
    Ok(all_answered)
}

async fn against_urls(urls: &[String]) -> Result<bool, Box<dyn Error>> {
    let targets = load::by_origin(urls)?;
    let (pool, causes) = note_causes(Pool::builder());
    let pool = pool.build()?;
    Ok(run(&pool, &targets, &causes).await)
}

/// What went wrong before a retry: a request that ends because a circuit is open does not tell what
/// opened it.
type Causes = Receiver<(Origin, standpipe::Error)>;

fn note_causes(pool: PoolBuilder) -> (PoolBuilder, Causes) {
    let (note, causes) = mpsc::channel();
    let pool = pool.on_retry(move |retry| {
        if let (Some(origin), Some(error)) = (retry.origin(), retry.error()) {
            let _ = note.send((origin, error.clone()));
        }
    });
    (pool, causes)
}

/// Sends it all and prints the table; says whether every request was answered.
async fn run(pool: &Pool, targets: &[Target], causes: &Causes) -> bool {
    let bar = progress_bar(load::total(targets));
    let begin = Instant::now();
    let reports = load::send_all(pool, targets, &bar).await;
    let took = begin.elapsed();
    bar.finish_and_clear();

    let causes: Vec<_> = causes.try_iter().collect();
    let stats = pool.stats();
    println!("{}", table::of(&reports, &stats));
    println!("{}", summary(&reports, stats.total.created, took));
    for report in &reports {
        if let Some(error) = &report.first_error {
            let failed = requests(report.failed);
            eprintln!("error: {failed} to {} failed", report.origin);
            eprintln!("  the first: {}", with_causes(error));
            let cause = causes.iter().find(|(origin, _)| *origin == report.origin);
            if let Some((_, cause)) = cause.filter(|_| error.is_circuit_open()) {
                eprintln!("  before it: {}", with_causes(cause));
            }
        }
    }
    reports.iter().all(|report| report.failed == 0)
}

/// None where nobody would see it move.
fn progress_bar(requests: u64) -> ProgressBar {
    if !(std::io::stdout().is_terminal() && std::io::stderr().is_terminal()) {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} requests");
    let style = style.expect("a template of known keys");
    let bar = ProgressBar::new(requests).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn summary(reports: &[HostReport], connections: u64, took: Duration) -> String {
    let answered = reports.iter().map(|report| report.latencies.len()).sum();
    let hosts = reports.len();
    let plural = if hosts == 1 { "" } else { "s" };
    format!(
        "{} answered by {hosts} host{plural} in {:.2} s over {connections} connections",
        requests(answered),
        took.as_secs_f64(),
    )
}

fn requests(count: usize) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} request{plural}")
}

/// The error, and below it what caused it.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!("\n  because: {cause}"));
        next = cause.source();
    }
    text
}
