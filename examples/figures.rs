//! What a pool costs, measured here: how often connections are used again, what a retry takes beyond its
//! wait, what metrics take of a request, and how much memory a host holds. It exits non-zero where one is
//! over its bound.
//!
//! `cargo run --release --example figures`

use std::alloc::System;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use standpipe::{Body, BoxError, Error, ExponentialBackoff, Pool, PoolBuilder, RetryPolicy};
use standpipe_test::Server;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::service_fn;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[tokio::main]
async fn main() -> Result<ExitCode, BoxError> {
    let reuse = reuse().await? * 100.0;
    let retry = millis(retry_overhead().await?);
    let (with, without) = (per_request(true).await?, per_request(false).await?);
    let (snapshot, memory) = hosts().await?;
    let metrics = with.saturating_sub(without);
    let rows = [
        (
            "connections used again",
            format!("{reuse:.1} %"),
            "over 90 %",
            reuse > 90.0,
        ),
        (
            "a retry beyond its wait, the slowest of 200",
            format!("{retry:.2} ms"),
            "under 100 ms",
            retry < 100.0,
        ),
        (
            "metrics, of a request",
            format!("{:.1} µs", 1e3 * millis(metrics)),
            "under 1 ms",
            millis(metrics) < 1.0,
        ),
        (
            "reading the metrics of one of 1,000 hosts",
            format!("{:.1} µs", 1e3 * millis(snapshot)),
            "under 1 ms",
            millis(snapshot) < 1.0,
        ),
        (
            "memory of a host",
            format!("{:.1} kB", memory / 1e3),
            "under 10 kB",
            memory < 10e3,
        ),
    ];
    println!("| | measured | bound |\n|---|---|---|");
    for (what, measured, bound, _) in &rows {
        println!("| {what} | {measured} | {bound} |");
    }
    let kept = rows.iter().all(|(.., kept)| *kept);
    Ok(if kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The share of requests on connections that had carried one before: 20,000 of 64 tasks at one server on
/// loopback, by the default settings.
async fn reuse() -> Result<f64, BoxError> {
    let server = Server::builder().http1().start().await;
    let pool = Pool::new();
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let (pool, url) = (pool.clone(), server.url("/"));
        tasks.spawn(async move {
            for _ in 0..20_000 / 64 {
                pool.get(&url).send().await?.bytes().await?;
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(pool.stats().total.reuse_share())
}

/// What a request that is tried again takes beyond the wait: two exchanges, and the timer's inexactness.
async fn retry_overhead() -> Result<Duration, BoxError> {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    let handler = |_| async {
        let fails = SEEN.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        let mut response = Response::new(Empty::<Bytes>::new());
        if fails {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        response
    };
    let server = Server::builder().http1().handler(handler).start().await;
    // Every request is tried again, which is more than the default budget allows.
    let policy = RetryPolicy::new()
        .backoff(ExponentialBackoff::new(Duration::from_millis(5)))
        .budget(None);
    let pool = Pool::builder().retry_policy(policy).build()?;
    let mut slowest = Duration::ZERO;
    for _ in 0..200 {
        let begun = Instant::now();
        let response = pool.get(server.url("/")).send().await?;
        let took = begun.elapsed();
        let info = response
            .retry_info()
            .ok_or("the request was not tried again")?;
        response.error_for_status()?;
        slowest = slowest.max(took.saturating_sub(info.waited));
    }
    Ok(slowest)
}

/// A pool over a service that answers at once, so that what is measured is the stack.
fn over_nothing(builder: PoolBuilder) -> Result<Pool, Error> {
    let answer =
        |_: Request<Body>| async { Ok::<_, BoxError>(Response::new(Full::<Bytes>::default())) };
    builder.transport(service_fn(answer)).build()
}

/// The time of a request through the stack: the best of five rounds.
async fn per_request(metrics: bool) -> Result<Duration, BoxError> {
    const REQUESTS: u32 = 20_000;
    let pool = over_nothing(Pool::builder().metrics(metrics))?;
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        for _ in 0..REQUESTS {
            pool.get("http://a.test/").send().await?.bytes().await?;
        }
        best = best.min(begun.elapsed() / REQUESTS);
    }
    Ok(best)
}

/// For each of 1,000 hosts, which is as many as are measured one by one by default, after a request to it: the time to read its metrics, and the memory that it
/// holds, with retry, circuit breaker and metrics but without connections.
async fn hosts() -> Result<(Duration, f64), BoxError> {
    const HOSTS: u32 = 1_000;
    let pool = over_nothing(Pool::builder())?;
    let urls: Vec<_> = (0..HOSTS)
        .map(|n| format!("http://host-{n}.test/"))
        .collect();
    let region = Region::new(ALLOCATOR);
    for url in &urls {
        pool.get(url).send().await?.bytes().await?;
    }
    let held = region.change();
    let held = held.bytes_allocated.saturating_sub(held.bytes_deallocated);
    let begun = Instant::now();
    for n in (0..HOSTS).step_by(10) {
        pool.host_metrics(&format!("host-{n}.test"))
            .ok_or("a host without metrics")?;
    }
    Ok((
        begun.elapsed() / (HOSTS / 10),
        held as f64 / f64::from(HOSTS),
    ))
}
