//! All of it at once.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use standpipe::{Error, ErrorKind, Quota, RateLimitConfig};
use tokio::task::JoinSet;

use crate::client::{Answer, World, ask};
use crate::server::Fault;
use crate::shape::TEXT;
use crate::{ANTHROPIC, OPENAI, Of, secs};

/// Conversations with each API.
const ASKED: usize = 120;

/// What goes wrong: with each tenth request something does.
fn faults() -> Vec<Fault> {
    let kinds = [
        Fault::TooFast(secs(3)),
        Fault::Overloaded,
        Fault::SlowHead(secs(60)),
        Fault::InMidStream,
        Fault::SlowToken(secs(100)),
        Fault::Broken,
    ];
    let kinds = kinds.into_iter().cycle().take(ASKED / 10);
    kinds
        .flat_map(|fault| [[Fault::None; 9].as_slice(), &[fault]].concat())
        .collect()
}

fn per_minute(n: u32) -> Quota {
    Quota::per_minute(NonZeroU32::new(n).unwrap())
}

#[tokio::test(start_paused = true)]
async fn one_pool_keeps_to_the_limits_of_both_apis_and_accounts_for_all_that_goes_wrong() {
    // Twice the quotas, as a minute may see a burst and the refill.
    let world = World::with((80, 20_000));
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    let mut builder = world
        .pool()
        .max_connections_per_host(4)
        .max_idle_per_host(4)
        .on_retry(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        });
    for shape in [ANTHROPIC, OPENAI] {
        let rate_limit = RateLimitConfig {
            requests: vec![per_minute(40)],
            cost: vec![per_minute(10_000)],
            ..RateLimitConfig::default()
        };
        builder = builder.host(shape.host(), shape.config().rate_limit(rate_limit));
        world.api(shape).next(faults());
    }
    let pool = builder.build().unwrap();

    let mut asking = JoinSet::new();
    for n in 0..2 * ASKED {
        let shape = [ANTHROPIC, OPENAI][n % 2];
        let pool = pool.clone();
        asking.spawn(async move {
            (
                shape.host(),
                ask(&pool, shape, "Where does water run?").await,
            )
        });
    }
    let mut answers = Vec::new();
    while let Some(answer) = asking.join_next().await {
        answers.push(answer.unwrap());
    }

    let mut retried = 0;
    for shape in [ANTHROPIC, OPENAI] {
        let of_api: Vec<_> = answers
            .iter()
            .filter(|(host, _)| *host == shape.host())
            .collect();
        assert_eq!(of_api.len(), ASKED);
        let of_api: Vec<_> = of_api.into_iter().map(|(_, answer)| answer).collect();
        retried += check(&world, &pool, shape, &of_api);
    }
    assert_eq!(told.load(Ordering::SeqCst), retried);

    // Nothing is left over, and nothing is held.
    let stats = pool.stats().total;
    assert_eq!(
        (stats.active, stats.waiting, stats.dialing, stats.streams),
        (0, 0, 0, 0)
    );
    let metrics = pool.metrics();
    assert_eq!(
        (
            metrics.hosts,
            metrics.requests.in_flight,
            metrics.requests.bodies.open
        ),
        (2, 0, 0)
    );
    let report = pool.shutdown(secs(1)).await;
    assert!(report.complete && report.cut == 0, "{report:?}");
}

/// Holds the answers and the figures of one API against what its server has seen; gives how often a
/// request was sent again.
fn check(
    world: &World,
    pool: &standpipe::Pool,
    shape: Of,
    answers: &[&Result<Answer, Error>],
) -> usize {
    let api = world.api(shape);
    let whole = answers.iter().filter(|answer| {
        answer
            .as_ref()
            .is_ok_and(|answer| answer.text == TEXT.concat())
    });
    let failed = |kind: ErrorKind| {
        let is = |answer: &&&Result<Answer, Error>| {
            answer.as_ref().is_err_and(|error| error.kind() == kind)
        };
        answers.iter().filter(is).count()
    };
    assert_eq!(
        (
            failed(ErrorKind::StreamError),
            failed(ErrorKind::StreamReset)
        ),
        (2, 2)
    );
    assert_eq!(whole.count(), ASKED - 4);

    // The two that were scripted of each, and not one more: the quotas hold.
    let overloaded = if shape.host() == ANTHROPIC.host() {
        529
    } else {
        503
    };
    assert_eq!((api.answered(429), api.answered(overloaded)), (2, 2));
    assert_eq!(api.answered(200), ASKED);
    let seen = api.seen();
    assert_eq!(seen.len(), ASKED + 4);
    for (n, first) in seen.iter().enumerate() {
        let within = seen[n..]
            .iter()
            .take_while(|later| later.at - first.at < secs(60));
        assert!(within.count() <= 80, "from request {n} on");
    }

    let metrics = pool.host_metrics(shape.host()).unwrap();
    assert_eq!(metrics.requests.total as usize, ASKED);
    assert_eq!(metrics.attempts.total as usize, ASKED + 4);
    assert_eq!(metrics.attempts.statuses.too_many_requests, 2);
    assert_eq!(metrics.attempts.statuses.server_error, 2);
    assert_eq!(metrics.requests.bodies.failed, 2, "those that broke off");
    assert_eq!((metrics.retries.retried, metrics.retries.given_up), (4, 0));
    assert_eq!((metrics.limiter.pauses, metrics.limiter.rejected), (2, 0));
    assert!(metrics.limiter.waited as usize > ASKED / 2);
    assert_eq!(metrics.breaker.opened, 0);
    metrics.retries.retried as usize
}
