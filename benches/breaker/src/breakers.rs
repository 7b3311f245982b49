use std::task::{Context, Poll};
use std::time::Duration;

use standpipe_circuit_breaker::{CircuitBreakerConfig, CircuitBreakerLayer, Window};
use tower_layer::Layer;
use tower_service::Service;

use crate::calls::{BoxError, Caller, Instant, Req, Res, Tower, drive};

const FAILURES: u32 = 5;
const LONG: Duration = Duration::from_secs(3_600);

/// Runs `calls` calls through the breaker called `name`.
pub async fn run(
    name: &str,
    open: bool,
    calls: u64,
    measure: impl Fn() -> u64,
) -> Result<u64, BoxError> {
    match name {
        "bare" => drive(Tower(Instant), false, calls, measure).await,
        "standpipe" => drive(standpipe(settings())?, open, calls, measure).await,
        "standpipe-window" => {
            let settings = settings().window(Window::by_count(100));
            drive(standpipe(settings)?, open, calls, measure).await
        }
        "tower-resilience" => drive(tower_resilience()?, open, calls, measure).await,
        "failsafe" => drive(failsafe(), open, calls, measure).await,
        other => Err(format!("no breaker {other}").into()),
    }
}

fn settings() -> CircuitBreakerConfig {
    CircuitBreakerConfig::new()
        .threshold(FAILURES)
        .max_reset_period(LONG)
        .reset_period(LONG)
}

fn standpipe(settings: CircuitBreakerConfig) -> Result<impl Caller, BoxError> {
    Ok(Tower(CircuitBreakerLayer::new(settings)?.layer(Instant)))
}

fn tower_resilience() -> Result<impl Caller, BoxError> {
    let layer = tower_resilience_circuitbreaker::CircuitBreakerLayer::builder()
        .consecutive_failures(FAILURES as usize)
        .wait_duration_in_open(LONG)
        .build()?;
    Ok(Tower(layer.layer(Instant)))
}

/// It is no layer: it wraps the future of each call.
fn failsafe() -> impl Caller {
    let backoff = failsafe::backoff::constant(LONG);
    let policy = failsafe::failure_policy::consecutive_failures(FAILURES, backoff);
    Failsafe(failsafe::Config::new().failure_policy(policy).build())
}

struct Failsafe<B>(B);

impl<B: failsafe::futures::CircuitBreaker> Caller for Failsafe<B> {
    type Error = failsafe::Error<BoxError>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> impl Future<Output = Result<Res, Self::Error>> {
        // The inner service is called when the breaker has let the call through.
        self.0.call(async move { Instant.call(request).await })
    }
}
