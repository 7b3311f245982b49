//! What becomes of those who wait when the client closes.

use std::num::NonZeroUsize;
use std::pin::Pin;
use std::time::Duration;

use standpipe_core::{Closing, ErrorKind, Phase, RequestSent};
use standpipe_rate_limit::{Answer, Ask, ConcurrencyLimitLayer, RateLimitLayer, Store};
use standpipe_test::{Gate, Probe};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};

use crate::{Empty, Record, error, ready, request, ten_a_second};

#[track_caller]
fn assert_shut_down<T>(answer: Result<T, standpipe_core::BoxError>) {
    let error = error(answer);
    assert_eq!(error.kind(), ErrorKind::Shutdown);
    assert_eq!(error.phase(), Some(Phase::Admit));
    assert_eq!(error.request_sent(), RequestSent::No);
}

#[tokio::test(start_paused = true)]
async fn those_in_line_and_those_who_would_join_it_end_at_once() {
    let (record, closing) = (Record::new(), Closing::new());
    let layer = RateLimitLayer::builder().requests(ten_a_second(1));
    let layer = layer.closing(closing.clone()).build();
    let mut service = layer.layer(record.service());
    ready(&mut service).call(request()).await.unwrap();
    let waiting: Vec<_> = (0..3)
        .map(|_| tokio::spawn(ready(&mut service).call(request())))
        .collect();
    tokio::task::yield_now().await;
    let begin = Instant::now();
    closing.close();
    for call in waiting {
        assert_shut_down(call.await.unwrap());
    }
    assert_shut_down(ready(&mut service).call(request()).await);
    assert_eq!(begin.elapsed(), Duration::ZERO);
    let stats = service.handle().stats();
    assert_eq!((stats.waiting, stats.waited, stats.rejected), (0, 3, 0));
    // Who need not wait passes: the limiter is not what ends a client.
    tokio::time::advance(Duration::from_millis(100)).await;
    ready(&mut service).call(request()).await.unwrap();
    assert_eq!(record.at().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_under_way_goes_on_and_one_that_waits_for_the_inner_service_ends() {
    let (gate, closing) = (Gate::new(), Closing::new());
    let inner = {
        let gate = gate.clone();
        Probe::new(move |_| {
            let gate = gate.clone();
            async move {
                gate.wait().await;
                Ok::<_, standpipe_core::BoxError>(http::Response::new(Empty::new()))
            }
        })
    };
    let layer = RateLimitLayer::builder().requests(ten_a_second(1));
    let layer = layer.closing(closing.clone()).build();
    // One may be under way: the second, once admitted, waits for the first.
    let one = tower::limit::ConcurrencyLimitLayer::new(1).layer(inner);
    let mut service = layer.layer(one);
    let ready = service.ready().await.unwrap();
    let under_way = tokio::spawn(ready.call(request()));
    let waits = tokio::spawn(ready.call(request()));
    gate.arrived(1).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(service.handle().stats().waiting, 0);
    assert!(!waits.is_finished());
    closing.close();
    assert_shut_down(waits.await.unwrap());
    gate.open();
    under_way.await.unwrap().unwrap();
}

/// A store that never answers.
#[derive(Debug)]
struct Silent;

impl Store for Silent {
    fn admit(&self, _: Ask) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn the_store_is_not_waited_for() {
    let closing = Closing::new();
    let layer = RateLimitLayer::builder().requests(ten_a_second(1));
    let layer = layer.store(Silent).closing(closing.clone()).build();
    let mut service = layer.layer(Record::new().service());
    let asks = tokio::spawn(ready(&mut service).call(request()));
    tokio::task::yield_now().await;
    closing.close();
    assert_shut_down(asks.await.unwrap());
    assert_shut_down(ready(&mut service).call(request()).await);
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_a_permit_end_and_leave_it_to_who_is_there() {
    let closing = Closing::new();
    let layer = ConcurrencyLimitLayer::new(NonZeroUsize::MIN).closing(closing.clone());
    let mut service = layer.layer(Record::new().service());
    let under_way = ready(&mut service).call(request());
    let waiting = tokio::spawn(ready(&mut service).call(request()));
    tokio::task::yield_now().await;
    let handle = service.handle();
    assert_eq!((handle.in_flight(), handle.waiting()), (1, 1));
    closing.close();
    assert_shut_down(waiting.await.unwrap());
    assert_shut_down(ready(&mut service).call(request()).await);
    under_way.await.unwrap();
    assert_eq!((handle.in_flight(), handle.waiting()), (0, 0));
    ready(&mut service).call(request()).await.unwrap();
}
