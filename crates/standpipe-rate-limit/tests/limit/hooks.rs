use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use standpipe_core::sync::Mutex;

use http::Request;
use standpipe_rate_limit::RateLimitLayer;
use tower::{Layer, Service};

use crate::{Empty, Record, error, ms, ready, request, ten_a_second};

#[tokio::test(start_paused = true)]
async fn waits_refusals_and_pauses_are_told_and_counted() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let note = |what: &'static str| {
        let told = told.clone();
        move |wait| told.lock().push((what, wait))
    };
    let (waits, rejects, pauses) = (note("wait"), note("reject"), note("pause"));
    let layer = RateLimitLayer::builder()
        .requests(ten_a_second(1))
        .max_wait(ms(120))
        .on_wait(move |wait| waits(Some(wait)))
        .on_reject(rejects)
        .on_pause(move |pause| pauses(Some(pause)))
        .build();
    let mut service = layer.layer(Record::new().service());
    ready(&mut service).call(request()).await.unwrap();
    let waiting = ready(&mut service).call(request());
    error(ready(&mut service).call(request()).await);
    waiting.await.unwrap();
    service.handle().pause(ms(300));
    let stats = service.handle().stats();
    assert_eq!((stats.waited, stats.rejected, stats.waiting), (1, 1, 0));
    assert_eq!(stats.paused, Some(ms(300)));
    let expected = [("wait", 100), ("reject", 200), ("pause", 300)];
    let expected = expected.map(|(what, millis)| (what, Some(ms(millis))));
    assert_eq!(*told.lock(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_panics_harms_its_own_request_alone() {
    let record = Record::new();
    let panics = || panic!("a hook of the user");
    let layer = RateLimitLayer::builder()
        .requests(ten_a_second(1))
        .max_wait(ms(150))
        .on_wait(move |_| panics())
        .on_reject(move |_| panics())
        .on_pause(move |_| panics())
        .build();
    let mut service = layer.layer(record.service());
    ready(&mut service).call(request()).await.unwrap();
    let call = AssertUnwindSafe(|| drop(ready(&mut service).call(request())));
    assert!(catch_unwind(call).is_err(), "on_wait");
    let handle = service.handle();
    assert_eq!(handle.stats().waiting, 0);
    assert!(catch_unwind(AssertUnwindSafe(|| handle.pause(ms(200)))).is_err());
    let call = AssertUnwindSafe(|| drop(ready(&mut service).call(request())));
    assert!(catch_unwind(call).is_err(), "on_reject");
    tokio::time::advance(ms(300)).await;
    ready(&mut service).call(request()).await.unwrap();
    assert_eq!(record.at(), [0, 300].map(ms));
}

#[tokio::test(start_paused = true)]
async fn a_cost_function_that_panics_takes_nothing() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let cost = move |_: &Request<Empty>| match count.fetch_add(1, Ordering::SeqCst) {
        0 => panic!("a cost function of the user"),
        _ => 1,
    };
    let layer = RateLimitLayer::builder()
        .cost(ten_a_second(1), cost)
        .reject();
    let mut service = layer.build().layer(Record::new().service());
    let call = AssertUnwindSafe(|| drop(ready(&mut service).call(request())));
    assert!(catch_unwind(call).is_err());
    ready(&mut service).call(request()).await.unwrap();
}
