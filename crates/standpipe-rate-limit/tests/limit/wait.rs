use std::time::Duration;

use http::Response;
use standpipe_core::{BoxError, Deadline, ErrorKind, Phase, RequestSent};
use standpipe_rate_limit::{Quota, RateLimitLayer};
use standpipe_test::mock::MockAnswer;
use standpipe_test::{MockService, Probe};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};

use crate::{Empty, Record, error, ms, n, ready, request, ten_a_second};

#[tokio::test(start_paused = true)]
async fn requests_go_out_at_the_quotas_pace_in_the_order_of_their_calls() {
    let record = Record::new();
    let mut service = RateLimitLayer::new(ten_a_second(2)).layer(record.service());
    let calls: Vec<_> = (0..5)
        .map(|_| ready(&mut service).call(request()))
        .collect();
    futures_util::future::try_join_all(calls).await.unwrap();
    assert_eq!(record.at(), [0, 0, 100, 200, 300].map(ms));
}

/// RL-06
#[tokio::test(start_paused = true)]
async fn a_wait_beyond_the_deadline_is_refused_at_once() {
    let record = Record::new();
    let service = RateLimitLayer::new(ten_a_second(1)).layer(record.service());
    service.clone().oneshot(request()).await.unwrap();
    let mut late = request();
    Deadline::after(ms(99)).attach(&mut late);
    let begin = Instant::now();
    let refused = error(service.clone().oneshot(late).await);
    assert_eq!(begin.elapsed(), Duration::ZERO);
    assert_eq!(refused.kind(), ErrorKind::RateLimited);
    assert_eq!(refused.retry_after(), Some(ms(100)));
    assert_eq!(refused.phase(), Some(Phase::Admit));
    assert_eq!(refused.request_sent(), RequestSent::No);

    let mut in_time = request();
    Deadline::after(ms(100)).attach(&mut in_time);
    service.clone().oneshot(in_time).await.unwrap();
    assert_eq!(record.at(), [0, 100].map(ms));
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_no_longer_than_max_wait_and_rejecting_waits_never() {
    let record = Record::new();
    let builder = || RateLimitLayer::builder().requests(ten_a_second(1));
    let mut patient = builder().max_wait(ms(150)).build().layer(record.service());
    let (_one, _two) = (
        ready(&mut patient).call(request()),
        ready(&mut patient).call(request()),
    );
    let refused = error(ready(&mut patient).call(request()).await);
    assert_eq!(refused.retry_after(), Some(ms(200)));

    let mut strict = builder().reject().build().layer(record.service());
    ready(&mut strict).call(request()).await.unwrap();
    let refused = error(ready(&mut strict).call(request()).await);
    assert_eq!(refused.retry_after(), Some(ms(100)));
    tokio::time::advance(ms(100)).await;
    ready(&mut strict).call(request()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_in_line_ends_with_its_deadline_when_the_line_becomes_slower() {
    let record = Record::new();
    let mut service = RateLimitLayer::new(ten_a_second(1)).layer(record.service());
    let handle = service.handle();
    ready(&mut service).call(request()).await.unwrap();
    let mut short = request();
    Deadline::after(ms(150)).attach(&mut short);
    let waiting = tokio::spawn(ready(&mut service).call(short));
    tokio::task::yield_now().await;
    assert!(handle.set_quota(0, Quota::per_minute(n(1))));
    handle.pause(ms(400));
    let refused = error(waiting.await.unwrap());
    assert_eq!(refused.kind(), ErrorKind::RateLimited);
    assert_eq!(handle.stats().waiting, 0);
}

/// CAN-12
#[tokio::test(start_paused = true)]
async fn a_dropped_call_gives_its_turn_to_the_next() {
    let record = Record::new();
    let mut service = RateLimitLayer::new(ten_a_second(1)).layer(record.service());
    ready(&mut service).call(request()).await.unwrap();
    let unpolled = ready(&mut service).call(request());
    let mut polled = Box::pin(ready(&mut service).call(request()));
    let last = tokio::spawn(ready(&mut service).call(request()));
    assert!(futures_util::poll!(polled.as_mut()).is_pending());
    tokio::task::yield_now().await;
    assert_eq!(service.handle().stats().waiting, 3);
    drop((unpolled, polled));
    assert_eq!(service.handle().stats().waiting, 1);
    last.await.unwrap().unwrap();
    assert_eq!(record.at(), [0, 100].map(ms));
}

/// CAN-12: dropped when its turn has come and its task was woken, but not yet polled.
#[tokio::test(start_paused = true)]
async fn a_call_dropped_with_its_turn_in_hand_passes_it_on() {
    let record = Record::new();
    let mut service = RateLimitLayer::new(ten_a_second(1)).layer(record.service());
    ready(&mut service).call(request()).await.unwrap();
    let mut first = Box::pin(ready(&mut service).call(request()));
    let mut second = Box::pin(ready(&mut service).call(request()));
    assert!(futures_util::poll!(first.as_mut()).is_pending());
    assert!(futures_util::poll!(second.as_mut()).is_pending());
    tokio::time::advance(ms(100)).await;
    // This one is polled, and gives the turn to the one before it.
    assert!(futures_util::poll!(second.as_mut()).is_pending());
    drop(first);
    second.await.unwrap();
    assert_eq!(record.at(), [0, 100].map(ms));
}

#[tokio::test(start_paused = true)]
async fn a_ready_clone_that_is_never_called_holds_nothing() {
    let record = Record::new();
    let service = RateLimitLayer::new(ten_a_second(1)).layer(record.service());
    let mut idle = service.clone();
    ready(&mut idle);
    service.oneshot(request()).await.unwrap();
    assert_eq!(record.at(), [0].map(ms));
}

/// linkerd2-proxy #751: what the inner service reserves for its readiness is not held through a
/// wait.
#[tokio::test(start_paused = true)]
async fn a_call_that_waits_holds_nothing_of_the_inner_service() {
    let inner = tower::limit::ConcurrencyLimit::new(Record::new().service(), 2);
    let inner_too = inner.clone();
    let mut service = RateLimitLayer::new(ten_a_second(1)).layer(inner);
    let mut called = Vec::new();
    for _ in 0..3 {
        // As tower has it: the ready one is called, and a clone stays.
        ready(&mut service);
        let clone = service.clone();
        let mut ready = std::mem::replace(&mut service, clone);
        called.push(Box::pin(ready.call(request())));
    }
    called.remove(0).await.unwrap();
    for waiting in &mut called {
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
    }
    inner_too.oneshot(request()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_inner_service_is_called_only_once_it_is_ready() {
    let answer = || async { Ok::<_, BoxError>(Response::new(Empty::new())) };
    let probe = Probe::new(move |_| answer());
    let handle = probe.handle();
    let service = RateLimitLayer::new(ten_a_second(1)).layer(probe);
    service.clone().oneshot(request()).await.unwrap();
    handle.pending_ready();
    let mut ready = service.clone();
    assert!(futures_util::poll!(Box::pin(ready.ready())).is_pending());
    handle.allow_ready();
    ready.ready().await.unwrap();
    let waiting = tokio::spawn(ready.call(request()));
    handle.pending_ready();
    tokio::time::sleep(ms(150)).await;
    assert_eq!(handle.calls(), 1);
    handle.allow_ready();
    waiting.await.unwrap().unwrap();
    assert_eq!(handle.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_inner_error_passes_and_what_was_taken_stays_taken() {
    let failing = MockService::new();
    failing.add_response("*", MockAnswer::from_fn(|| Err("boom".into())));
    let layer = RateLimitLayer::builder().requests(ten_a_second(1)).reject();
    let mut service = layer.build().layer(failing.clone());
    let failed = error(ready(&mut service).call(request()).await);
    assert_eq!(failed.kind(), ErrorKind::Other);
    assert_eq!(
        error(ready(&mut service).call(request()).await).kind(),
        ErrorKind::RateLimited
    );
}

#[tokio::test(start_paused = true)]
async fn absurd_durations_do_not_panic() {
    let record = Record::new();
    let slow = Quota::per(n(1), Duration::MAX).unwrap();
    let layer = RateLimitLayer::builder()
        .requests(slow)
        .max_wait(Duration::MAX);
    let mut service = layer.build().layer(record.service());
    ready(&mut service).call(request()).await.unwrap();
    let mut waiting = Box::pin(ready(&mut service).call(request()));
    assert!(futures_util::poll!(waiting.as_mut()).is_pending());
    service.handle().pause(Duration::MAX);
    assert!(futures_util::poll!(waiting.as_mut()).is_pending());
    let mut late = request();
    Deadline::after(Duration::MAX).attach(&mut late);
    let late = error(ready(&mut service).call(late).await);
    assert!(late.retry_after().unwrap() > Duration::from_secs(1 << 29));
}
