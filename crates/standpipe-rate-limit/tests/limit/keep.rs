//! Quotas and settings that change while the limiter goes on.

use standpipe_core::BoxError;
use standpipe_rate_limit::{MemoryStore, Quota, RateLimitLayer, Unit};
use tower::{Layer, Service};

use crate::{Record, error, ms, n, ready, request, ten_a_second};

/// The limiter, not its settings, is what a rebuilt stack shares with the old one.
#[tokio::test(start_paused = true)]
async fn a_limiter_goes_on_under_other_settings() {
    let record = Record::new();
    let builder = || RateLimitLayer::builder().requests(ten_a_second(2));
    let mut old = builder().build().layer(record.service());
    ready(&mut old).call(request()).await.unwrap();
    ready(&mut old).call(request()).await.unwrap();
    let in_line = ready(&mut old).call(request());
    let rebuilt = builder().keep(&old.handle()).max_wait(ms(150)).build();
    let mut new = rebuilt.layer(record.service());
    // Its place is behind the one in the old stack, and its patience is that of its own layer.
    let refused = error(ready(&mut new).call(request()).await);
    assert_eq!(refused.retry_after(), Some(ms(200)));
    let stats = new.handle().stats();
    assert_eq!((stats.waiting, stats.waited, stats.rejected), (1, 1, 1));
    in_line.await.unwrap();
    ready(&mut new).call(request()).await.unwrap();
    assert_eq!(record.at(), [0, 0, 100, 200].map(ms));
    assert_eq!(old.handle().stats(), new.handle().stats());
    // How many may wait is the line's, and the newest layer's.
    let nobody = builder().keep(&new.handle()).max_waiting(0).build();
    let mut newest = nobody.layer(record.service());
    let full = error(ready(&mut newest).call(request()).await);
    assert!(
        full.to_string().contains("0 requests wait already"),
        "{full}"
    );
}

/// What was set by hand is not the settings' to undo, unless they change.
#[tokio::test(start_paused = true)]
async fn quotas_set_by_hand_stay_under_settings_with_the_same_ones() {
    let record = Record::new();
    let builder = |quota| RateLimitLayer::builder().requests(quota);
    let old = builder(ten_a_second(2)).build().layer(record.service());
    assert!(old.handle().set_quota(0, ten_a_second(7)));
    let same = builder(ten_a_second(2)).keep(&old.handle()).build();
    let same = same.layer(record.service());
    assert_eq!(same.handle().stats().available, [7]);
    let other = builder(ten_a_second(3)).keep(&same.handle()).build();
    let other = other.layer(record.service());
    assert_eq!(other.handle().stats().available, [3]);
    // And back: they are held against what the settings had last.
    let back = builder(ten_a_second(2)).keep(&same.handle()).build();
    let back = back.layer(record.service());
    assert_eq!(back.handle().stats().available, [2]);
}

#[tokio::test(start_paused = true)]
async fn quotas_that_stay_keep_their_level_and_new_ones_begin_full() {
    let mut service = layer().layer(Record::new().service());
    let handle = service.handle();
    for _ in 0..3 {
        ready(&mut service).call(request()).await.unwrap();
    }
    assert_eq!(handle.stats().available, [2, 7]);
    let (requests, tokens) = (ten_a_second(5), Quota::per_minute(n(10)));
    // One more, in another order.
    let fresh = (Quota::per_hour(n(50)), Unit::Request);
    let three = [(tokens, Unit::Cost), fresh, (requests, Unit::Request)];
    assert!(handle.set_quotas(&three));
    assert_eq!(handle.stats().available, [7, 50, 2]);
    // Fewer, of which one is new and stands in for the two of its unit.
    assert!(handle.set_quotas(&[(ten_a_second(10), Unit::Request)]));
    assert_eq!(handle.stats().available, [10]);
    assert!(handle.set_quotas(&[]));
    ready(&mut service).call(request()).await.unwrap();
    assert_eq!(handle.stats().available, [u64::MAX]);
}

fn layer() -> RateLimitLayer {
    RateLimitLayer::builder()
        .requests(ten_a_second(5))
        .quota(Quota::per_minute(n(10)), Unit::Cost)
        .reject()
        .build()
}

#[tokio::test(start_paused = true)]
async fn units_that_were_taken_stay_taken_and_make_no_debt() {
    let mut service = layer().layer(Record::new().service());
    let handle = service.handle();
    for _ in 0..4 {
        ready(&mut service).call(request()).await.unwrap();
    }
    assert!(handle.set_quotas(&[(ten_a_second(20), Unit::Request)]));
    assert_eq!(handle.stats().available, [16]);
    assert!(handle.set_quota(0, Quota::per_minute(n(2))));
    assert_eq!(handle.stats().available, [0]);
    tokio::time::advance(ms(30_000)).await;
    assert_eq!(handle.stats().available, [1]);
}

/// A pause adds nothing to what is taken, whatever the pace is that comes.
#[tokio::test(start_paused = true)]
async fn quotas_that_change_in_a_pause_leave_it_as_long() {
    let record = Record::new();
    let mut service = RateLimitLayer::new(ten_a_second(2)).layer(record.service());
    let handle = service.handle();
    ready(&mut service).call(request()).await.unwrap();
    handle.pause(ms(1_000));
    let slow = Quota::per_minute(n(60)).burst(n(2));
    assert!(handle.set_quotas(&[(slow, Unit::Request)]));
    assert_eq!(handle.stats().paused, Some(ms(1_000)));
    let calls: Vec<_> = (0..2)
        .map(|_| ready(&mut service).call(request()))
        .collect();
    futures_util::future::try_join_all(calls).await.unwrap();
    assert_eq!(record.at(), [0, 1_000, 2_000].map(ms));
}

/// The first bucket's number is moved without the lock: a change of its unit is seen there too.
#[tokio::test(start_paused = true)]
async fn a_quota_of_requests_can_become_one_of_cost() {
    let cost = |request: &http::Request<u32>| *request.body();
    let echo = tower::service_fn(|request: http::Request<u32>| async move {
        Ok::<_, BoxError>(http::Response::new(request.into_body()))
    });
    let layer = RateLimitLayer::new(ten_a_second(9)).cost(cost);
    let mut service = layer.layer(echo);
    let handle = service.handle();
    let mut call = |units| service.call(http::Request::new(units));
    call(4).await.unwrap();
    assert_eq!(handle.stats().available, [8]);
    handle.set_quotas(&[(ten_a_second(9), Unit::Cost)]);
    let answer = call(4).await.unwrap();
    assert_eq!(handle.stats().available, [5]);
    // From here on answers can be settled, in services that are there already.
    let settle = answer.extensions().get::<standpipe_rate_limit::Settle>();
    settle.unwrap().settle(1);
    assert_eq!(handle.stats().available, [8]);
}

#[tokio::test(start_paused = true)]
async fn quotas_in_a_store_are_not_replaced_by_hand() {
    let builder = RateLimitLayer::builder().requests(ten_a_second(1));
    let service = builder
        .store(MemoryStore::new())
        .build()
        .layer(Record::new().service());
    let handle = service.handle();
    assert!(!handle.set_quotas(&[(ten_a_second(5), Unit::Request)]));
    assert!(!handle.set_quota(0, ten_a_second(5)));
}
