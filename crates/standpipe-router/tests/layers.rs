//! The layer and the asynchronous maker.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Request;
use standpipe_core::{BoxError, Origin};
use standpipe_router::{HostRouter, HostRouterLayer, MakeHost};
use standpipe_test::contract::ContractService;
use standpipe_test::{assert_layer_contract, assert_reserves_nothing};
use support::{Counter, Log, Numbered, Task, get, now};
use tower::layer::{layer_fn, util::Identity};
use tower::{Layer, Service, limit::ConcurrencyLimitLayer, service_fn};
use tower_test::mock;

#[test]
fn the_layer_is_made_for_each_host_over_clones_of_one_inner_service() {
    let log = Log::default();
    let seen = log.clone();
    let layer = HostRouterLayer::new(move |origin: &Origin| {
        seen.add(origin.to_string());
        layer_fn(|inner: Numbered| inner)
    });
    let inner = Counter::default().new_host()(&Origin::parse("http://x").unwrap());
    let (mut one, other) = (layer.layer(inner.clone()), layer.layer(inner.clone()));
    for host in ["http://a/", "http://b/", "http://a/x"] {
        now(one.call(get(host))).unwrap();
    }
    assert_eq!(log.take(), ["http://a", "http://b"]);
    assert_eq!(inner.calls.load(Ordering::Relaxed), 3);
    assert_eq!(
        (one.len(), other.len()),
        (2, 0),
        "each use of the layer has its own hosts"
    );
}

#[tokio::test]
async fn what_a_layer_limits_is_limited_for_each_host_alone() {
    let (inner, mut handle) = mock::pair::<Request<()>, u8>();
    handle.allow(10);
    let mut router = HostRouterLayer::new(|_: &Origin| ConcurrencyLimitLayer::new(1)).layer(inner);
    let calls = ["http://a/1", "http://a/2", "http://b/1"];
    let mut calls = calls.map(|uri| Task::new(router.call(get(uri))));
    assert!(calls.iter_mut().all(|call| call.poll().is_none()));
    for path in ["http://a/1", "http://b/1"] {
        let (request, _respond) = handle.next_request().await.unwrap();
        assert_eq!(request.uri(), path);
    }
    assert!(
        handle.poll_request().is_pending(),
        "the second one to a waits"
    );
}

#[tokio::test(start_paused = true)]
async fn it_keeps_the_contract_of_a_layer() {
    let plain = HostRouterLayer::new(|_: &Origin| Identity::new());
    assert_layer_contract(plain.clone()).await;
    assert_reserves_nothing(plain).await;
    let limited = HostRouterLayer::new(|_: &Origin| ConcurrencyLimitLayer::new(1));
    assert_layer_contract(limited.clone()).await;
    // Tower's limit reserves in its readiness, which the router does not ask for before the call.
    assert_reserves_nothing(limited).await;
}

#[tokio::test(start_paused = true)]
async fn it_keeps_the_contract_where_services_are_made_asynchronously() {
    let layer = layer_fn(|inner: ContractService<_, _>| {
        let make = service_fn(move |_: Origin| {
            let inner = inner.clone();
            async move {
                tokio::task::yield_now().await;
                Ok::<_, BoxError>(inner)
            }
        });
        HostRouter::builder().build_with(MakeHost::new(make))
    });
    assert_layer_contract(&layer).await;
    assert_reserves_nothing(&layer).await;
}

type Answer = tokio::sync::oneshot::Sender<Result<Numbered, BoxError>>;

/// A maker whose answers the test gives.
fn asked() -> (
    impl Service<Origin, Response = Numbered, Error = BoxError, Future: Send> + Clone + Send + Sync,
    Log<Answer>,
) {
    let asked = Log::default();
    let log = asked.clone();
    let make = service_fn(move |_: Origin| {
        let (answer, answered) = tokio::sync::oneshot::channel();
        log.add(answer);
        async move {
            answered
                .await
                .unwrap_or_else(|_| Err("the maker went away".into()))
        }
    });
    (make, asked)
}

fn numbered(number: usize) -> Numbered {
    let calls = Arc::new(AtomicUsize::new(0));
    Numbered { number, calls }
}

#[test]
fn requests_that_come_while_a_service_is_made_wait_for_it_and_share_it() {
    let (make, asked) = asked();
    let mut router = HostRouter::builder().build_with(MakeHost::new(make));
    let mut calls: Vec<_> = (0..3)
        .map(|_| Task::new(router.call(get("http://a/"))))
        .collect();
    assert!(calls.iter_mut().all(|call| call.poll().is_none()));
    let mut asked = asked.take();
    assert_eq!(asked.len(), 1);
    asked.remove(0).send(Ok(numbered(4))).unwrap();
    for call in &mut calls {
        assert_eq!(call.poll().unwrap().unwrap(), 4);
    }
    assert_eq!(
        now(router.call(get("http://a/"))).unwrap(),
        4,
        "at once from now on"
    );
}

#[test]
fn where_making_fails_or_is_dropped_the_next_request_tries_in_its_stead() {
    let (make, asked) = asked();
    let mut router = HostRouter::builder().build_with(MakeHost::new(make));
    let mut calls: Vec<_> = (0..3)
        .map(|_| Task::new(router.call(get("http://a/"))))
        .collect();
    assert!(calls.iter_mut().all(|call| call.poll().is_none()));

    asked
        .take()
        .remove(0)
        .send(Err("no such key".into()))
        .map_err(drop)
        .unwrap();
    let error = calls.remove(0).poll().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "no such key");
    assert!(calls[0].poll().is_none());
    assert_eq!(asked.take().len(), 1, "the second request makes");

    drop(calls.remove(0));
    assert!(calls[0].poll().is_none());
    asked.take().remove(0).send(Ok(numbered(2))).unwrap();
    assert_eq!(calls[0].poll().unwrap().unwrap(), 2);
}
