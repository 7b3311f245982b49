//! What a host costs. One test alone: it counts the memory of its whole process.

use std::alloc::System;

use http::{Request, Response};
use standpipe_core::{Body, BoxError, Origin};
use standpipe_metrics::{
    AttemptMetricsLayer, ConnectionState, HostRecorder, MetricsLayer, Registry,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tower::{Layer, Service};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const HOSTS: usize = 10_000;

fn in_use(region: &Region<'_, System>) -> isize {
    let stats = region.change();
    stats.bytes_allocated as isize - stats.bytes_deallocated as isize
}

/// Both layers over a service that answers at once.
fn client(registry: &Registry) -> impl Service<Request<Body>> + use<> {
    let inner = tower::service_fn(|_: Request<Body>| {
        std::future::ready(Ok::<_, BoxError>(Response::new(Body::from("hello"))))
    });
    let attempt = AttemptMetricsLayer::new(registry.clone()).layer(inner);
    MetricsLayer::new(registry.clone()).layer(attempt)
}

fn ask(client: &mut impl Service<Request<Body>>, uri: &http::Uri) {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = uri.clone();
    let mut call = std::pin::pin!(client.call(request));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(Future::poll(call.as_mut(), &mut cx).is_ready());
}

fn opened(host: &HostRecorder) {
    host.connection_opened(ConnectionState::Active);
    host.connection_moved(ConnectionState::Active, ConnectionState::Idle);
}

/// RTR-08
#[test]
fn a_host_seldom_used_costs_at_most_a_kibibyte_and_one_over_the_bound_nothing() {
    let uris: Vec<http::Uri> = (0..2 * HOSTS)
        .map(|n| format!("https://host-{n}.example.com/v1").parse().unwrap())
        .collect();
    let origins: Vec<_> = uris
        .iter()
        .map(|uri| Origin::of_uri(uri).unwrap())
        .collect();
    let region = Region::new(GLOBAL);
    let registry = Registry::builder().max_hosts(HOSTS).build();
    let mut client = client(&registry);
    for (uri, origin) in uris.iter().zip(&origins).take(HOSTS) {
        for _ in 0..5 {
            ask(&mut client, uri);
        }
        opened(&registry.host(origin));
    }
    let each = in_use(&region) as f64 / HOSTS as f64;
    println!("{each:.0} bytes for each host");
    assert!(each <= 1_024.0, "{each} bytes for each host");

    let before = in_use(&region);
    for uri in &uris[HOSTS..] {
        ask(&mut client, uri);
    }
    let more = in_use(&region) - before;
    assert!(more <= 32 * 1_024, "{more} bytes for hosts over the bound");
    assert_eq!(registry.metrics().hosts, HOSTS);

    // A busy host costs more, and its requests ask for no memory.
    for _ in 0..5_000 {
        ask(&mut client, &uris[0]);
    }
    let warm = Region::new(GLOBAL);
    for _ in 0..1_000 {
        ask(&mut client, &uris[0]);
    }
    let stats = warm.change();
    // A latency that was never seen before may make a block of the histogram; nothing is made for each.
    let made = stats.allocations + stats.reallocations;
    assert!(made <= 10, "{stats:?}");
}
