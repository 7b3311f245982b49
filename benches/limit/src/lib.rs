//! Admissions by one limiter or another, as many as asked for.

use std::future::{Future, Ready, ready};
use std::num::NonZeroU32;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use governor::{DefaultDirectRateLimiter, RateLimiter};
use http::{Request, Response};
use http_body_util::Empty;
use standpipe_core::BoxError;
use standpipe_rate_limit::{ConcurrencyLimitLayer, Quota, RateLimitLayer};
use tower::{Layer, Service};
use tower_resilience_ratelimiter::RateLimiterLayer;

type Req = Request<Empty<Bytes>>;
type Res = Response<Empty<Bytes>>;

/// What can be measured, each over a service that answers at once.
pub const MODES: [&str; 8] = [
    "bare",
    "standpipe",
    "standpipe-deaf",
    "standpipe-two-quotas",
    "standpipe-concurrency",
    "governor-check",
    "tower",
    "tower-resilience",
];

/// Does `n` calls; none has to wait.
pub fn calls(mode: &str, n: u64) -> Result<(), BoxError> {
    let plenty = NonZeroU32::new(1_000_000_000).ok_or("zero")?;
    let quota = Quota::per_second(plenty);
    let inner = || tower::service_fn(answer as fn(Req) -> Answered);
    // For tower's limiter, which makes its timer with itself.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let _runtime = runtime.enter();
    match mode {
        "bare" => call(inner(), n),
        "standpipe" => call(RateLimitLayer::new(quota).layer(inner()), n),
        "standpipe-deaf" => {
            let builder = RateLimitLayer::builder().requests(quota);
            call(builder.no_server_word().build().layer(inner()), n)
        }
        "standpipe-two-quotas" => {
            let builder = RateLimitLayer::builder().requests(quota).requests(quota);
            call(builder.build().layer(inner()), n)
        }
        "standpipe-concurrency" => {
            let limit = 1_000.try_into()?;
            call(ConcurrencyLimitLayer::new(limit).layer(inner()), n)
        }
        "governor-check" => {
            let limiter: DefaultDirectRateLimiter =
                RateLimiter::direct(governor::Quota::per_second(plenty));
            for _ in 0..n {
                limiter.check().map_err(|error| error.to_string())?;
            }
            Ok(())
        }
        "tower" => {
            let second = Duration::from_secs(3_600);
            call(
                tower::limit::RateLimitLayer::new(u64::MAX, second).layer(inner()),
                n,
            )
        }
        "tower-resilience" => {
            let builder = RateLimiterLayer::builder().limit_for_period(1_000_000_000);
            let layer = builder.refresh_period(Duration::from_secs(3_600)).build();
            call(layer.map_err(|error| error.to_string())?.layer(inner()), n)
        }
        other => Err(format!("{other}: none of {MODES:?}").into()),
    }
}

type Answered = Ready<Result<Res, BoxError>>;

fn answer(_: Req) -> Answered {
    ready(Ok(Response::new(Empty::new())))
}

fn call<S>(mut service: S, n: u64) -> Result<(), BoxError>
where
    S: Service<Req>,
    S::Error: Into<BoxError>,
{
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..n {
        let Poll::Ready(ready) = service.poll_ready(&mut cx) else {
            return Err("not ready".into());
        };
        ready.map_err(Into::into)?;
        let future = std::pin::pin!(service.call(Request::new(Empty::new())));
        let Poll::Ready(answer) = future.poll(&mut cx) else {
            return Err("not answered at once".into());
        };
        std::hint::black_box(answer.map_err(Into::into)?);
    }
    Ok(())
}

/// Does `n` admissions while `waiters` stand in line, each of which joins again once it was
/// admitted; gives the time that the admissions took. The limiter's clock is tokio's, paused.
///
/// Without `limited` the same tasks sleep as long as they would have waited: what of it is tokio's.
#[cfg(feature = "paused")]
pub fn admissions(waiters: usize, n: u64, limited: bool) -> Result<Duration, BoxError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    runtime.block_on(async {
        let pace = Quota::per_second(NonZeroU32::new(1_000).ok_or("zero")?);
        let inner = tower::service_fn(answer as fn(Req) -> Answered);
        let service = RateLimitLayer::new(pace.burst(NonZeroU32::MIN)).layer(inner);
        let admitted = std::rc::Rc::new(std::cell::Cell::new(0));
        let tasks = tokio::task::LocalSet::new();
        let begin = tokio::time::Instant::now();
        for waiter in 0..waiters {
            let (mut service, admitted) = (service.clone(), admitted.clone());
            tasks.spawn_local(async move {
                let mut turn = waiter as u64;
                loop {
                    if limited {
                        let _ = service.call(Request::new(Empty::new())).await;
                    } else {
                        tokio::time::sleep_until(begin + Duration::from_millis(turn)).await;
                        turn += waiters as u64;
                    }
                    admitted.set(admitted.get() + 1);
                }
            });
        }
        let count = admitted.clone();
        let until = move |n: u64| {
            let count = count.clone();
            async move {
                while count.get() < n {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        };
        // All have joined, and the caches know what they will.
        let warm = (n / 4).max(1);
        tasks.run_until(until(warm)).await;
        let begin = std::time::Instant::now();
        tasks.run_until(until(warm + n)).await;
        Ok(begin.elapsed())
    })
}
