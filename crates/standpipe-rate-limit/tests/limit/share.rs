use std::time::Duration;

use standpipe_core::BoxError;
use standpipe_rate_limit::{Quota, RateLimitLayer};
use tower::{Layer, Service, ServiceExt};

use crate::{Record, error, ms, n, ready, request, ten_a_second};

/// RL-01; governor #16, tower-resilience #394
#[tokio::test(start_paused = true)]
async fn clones_on_eight_tasks_share_one_limit_in_time() {
    let record = Record::new();
    let service = RateLimitLayer::new(ten_a_second(5)).layer(record.service());
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let service = service.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    service.clone().oneshot(request()).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let expected: Vec<Duration> = (0..80u64).map(|i| ms(i.saturating_sub(4) * 100)).collect();
    assert_eq!(record.at(), expected);
}

/// RL-01: on four threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clones_on_eight_tasks_share_one_limit_exactly() {
    let record = Record::new();
    let hour = Quota::per(n(1), Duration::from_secs(3_600)).unwrap();
    let layer = RateLimitLayer::builder()
        .requests(hour.burst(n(1_000)))
        .reject();
    let service = layer.build().layer(record.service());
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let service = service.clone();
            tokio::spawn(async move {
                let mut admitted = 0;
                for _ in 0..500 {
                    admitted += usize::from(service.clone().oneshot(request()).await.is_ok());
                }
                admitted
            })
        })
        .collect();
    let mut admitted = 0;
    for task in tasks {
        admitted += task.await.unwrap();
    }
    assert_eq!((admitted, record.at().len()), (1_000, 1_000));
    assert_eq!(service.handle().stats().rejected, 3_000);
}

/// On four threads, with waits, and cancellations in the middle of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_turn_is_lost_among_threads_that_wait_and_go_away() {
    let record = Record::new();
    let fast = Quota::per_second(n(5_000)).burst(n(50));
    let service = RateLimitLayer::new(fast).layer(record.service());
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let service = service.clone();
            tokio::spawn(async move {
                for i in 0..150 {
                    let call = service.clone().oneshot(request());
                    if (i + task) % 3 == 0 {
                        let mut call = Box::pin(call);
                        let _ = futures_util::poll!(call.as_mut());
                        tokio::task::yield_now().await;
                    } else {
                        call.await.unwrap();
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(service.handle().stats().waiting, 0);
    service.oneshot(request()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn each_layer_call_makes_a_limiter_and_a_handle_shares_one() {
    let record = Record::new();
    let layer = RateLimitLayer::builder()
        .requests(ten_a_second(1))
        .reject()
        .build();
    let mut one = layer.layer(record.service());
    let mut other = layer.layer(record.service());
    let mut shared = RateLimitLayer::shared(&one.handle()).layer(record.service());
    ready(&mut one).call(request()).await.unwrap();
    ready(&mut other).call(request()).await.unwrap();
    assert!(error(ready(&mut shared).call(request()).await).is_rate_limited());
}

#[tokio::test(start_paused = true)]
async fn all_of_several_quotas_have_to_admit() {
    let record = Record::new();
    let layer = RateLimitLayer::builder()
        .requests(ten_a_second(2))
        .requests(Quota::per_minute(n(3)))
        .build();
    let mut service = layer.layer(record.service());
    let calls: Vec<_> = (0..5)
        .map(|_| ready(&mut service).call(request()))
        .collect();
    futures_util::future::try_join_all(calls).await.unwrap();
    assert_eq!(record.at(), [0, 0, 100, 20_000, 40_000].map(ms));
}

/// LIM-14
#[tokio::test(start_paused = true)]
async fn a_quota_is_raised_under_those_who_wait() {
    let record = Record::new();
    let minute = Quota::per_minute(n(1));
    let mut service = RateLimitLayer::new(minute).layer(record.service());
    ready(&mut service).call(request()).await.unwrap();
    let waiting = tokio::spawn(ready(&mut service).call(request()));
    tokio::task::yield_now().await;
    let handle = service.handle();
    // The one unit that was taken is one of two now.
    let raised = Quota::per_second(n(10)).burst(n(2));
    assert!(handle.set_quota(0, raised));
    waiting.await.unwrap().unwrap();
    assert_eq!(record.at(), [0, 0].map(ms));
    assert!(!handle.set_quota(1, raised));
}

#[tokio::test(start_paused = true)]
async fn requests_of_any_kind_are_limited() {
    let layer = RateLimitLayer::builder()
        .requests(ten_a_second(1))
        .any_request()
        .reject();
    let service = tower::service_fn(|n: u32| async move { Ok::<_, BoxError>(n) });
    let mut service = layer.build().layer(service);
    assert_eq!(service.call(7).await.unwrap(), 7);
    assert!(error(service.call(7).await).is_rate_limited());
}

#[tokio::test(start_paused = true)]
async fn without_a_quota_everything_passes() {
    let record = Record::new();
    let mut service = RateLimitLayer::builder().build().layer(record.service());
    for _ in 0..10_000 {
        ready(&mut service).call(request()).await.unwrap();
    }
    assert!(!service.handle().set_quota(0, ten_a_second(1)));
}
