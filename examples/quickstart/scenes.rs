//! Two servers that fail: one at first, one for a while.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use standpipe::{CircuitBreakerConfig, Error, Origin, Pool};
use standpipe_test::Server;
use tokio::time::sleep;

/// A server that is not ready for the first two requests: the pool waits and tries again.
pub(crate) async fn fails_at_first() -> Result<String, Error> {
    let seen = AtomicUsize::new(0);
    let server = Server::builder()
        .handler(move |_| {
            let ready = seen.fetch_add(1, Ordering::Relaxed) >= 2;
            answer(if ready { 200 } else { 503 })
        })
        .start()
        .await;
    // The first wait is a second unless set.
    let wait = Duration::from_millis(100);
    let pool = Pool::builder()
        .initial_retry_delay(wait)
        .on_retry(|retry| {
            let status = retry
                .status()
                .map_or_else(String::new, |status| status.to_string());
            let delay = retry.delay().as_secs_f64();
            println!("  {status}: again in {delay:.2} s");
        })
        .build()?;

    println!("a server that is not ready at first:");
    let response = pool.get(server.url("/")).send().await?;
    let attempts = response.retry_info().map_or(1, |info| info.attempts);
    Ok(format!("  {} after {attempts} attempts", response.status()))
}

/// A server that fails and comes back: its circuit opens, so that it is left alone, and closes again.
pub(crate) async fn dies_and_comes_back() -> Result<String, Error> {
    let status = Arc::new(AtomicU16::new(500));
    let server = Server::builder()
        .handler({
            let status = Arc::clone(&status);
            move |_| answer(status.load(Ordering::Relaxed))
        })
        .start()
        .await;
    let url = server.url("/");
    // 30 s unless set; five failures open it.
    let reset = Duration::from_millis(300);
    let pool = Pool::builder()
        .circuit_breaker(CircuitBreakerConfig::new().reset_period(reset))
        .on_circuit_transition(|_, change| println!("  the circuit is {}", change.to))
        .build()?;

    println!("\na server that fails for a while:");
    let (failed, refused) = send(&pool, &url, 25).await?;
    let mut told = format!("  {failed} requests failed, {refused} were refused at once; ");
    let _ = write!(told, "the server saw {}", server.stats().requests);
    println!("{told}");
    let left = match pool.get(&url).send().await {
        Err(error) => error.retry_after().unwrap_or(reset),
        Ok(_) => reset,
    };

    status.store(200, Ordering::Relaxed);
    sleep(left).await;
    let (failed, refused) = send(&pool, &url, 25).await?;
    let state = pool.circuit_breaker(&Origin::parse(&url)?);
    let state = state.map_or("gone", |circuit| circuit.state().as_str());
    let flowed = 25 - failed - refused;
    Ok(format!(
        "  {flowed} of 25 requests answered, and the circuit stays {state}"
    ))
}

/// How many were answered by a failure, and how many the circuit refused.
async fn send(pool: &Pool, url: &str, n: usize) -> Result<(usize, usize), Error> {
    let (mut failed, mut refused) = (0, 0);
    for _ in 0..n {
        match pool.get(url).send().await {
            Ok(response) => failed += usize::from(response.status().is_server_error()),
            Err(error) if error.is_circuit_open() => refused += 1,
            Err(error) => return Err(error),
        }
    }
    Ok((failed, refused))
}

async fn answer(status: u16) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    if let Ok(status) = status.try_into() {
        *response.status_mut() = status;
    }
    response
}
