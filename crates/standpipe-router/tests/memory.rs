//! What look-ups and known hosts cost, by a counting allocator.
//!
//! `STANDPIPE_ROUTER_HOSTS` says how many hosts are met in all: 50,000 unless set, 1,000,000 in the long run.

mod support;

use std::hint::black_box;

use http::{Request, Uri};
use standpipe_core::{BoxError, Origin};
use standpipe_router::{HostRouter, MakeHost};
use support::{Counter, now};
use tower::{Service, service_fn};

fn request(uri: &Uri) -> Request<()> {
    let mut request = Request::new(());
    *request.uri_mut() = uri.clone();
    request
}

fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

/// Polls without the box of the helper.
fn answer<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("not ready"),
    }
}

#[test]
fn a_request_to_a_known_host_allocates_nothing() {
    let mut router = HostRouter::new(Counter::default().new_host());
    let spellings = ["https://api.example.com/v1", "https://API.example.com:443/"].map(uri);
    for uri in &spellings {
        answer(router.call(request(uri))).unwrap();
    }
    let allocated = allocation_counter::measure(|| {
        for _ in 0..100 {
            for uri in &spellings {
                black_box(answer(router.call(request(uri))).unwrap());
            }
        }
    });
    assert_eq!(allocated.count_total, 0);
}

#[test]
fn a_request_to_a_host_that_was_made_asynchronously_allocates_nothing() {
    let make = service_fn(|origin: Origin| {
        let host = Counter::default().new_host()(&origin);
        std::future::ready(Ok::<_, BoxError>(host))
    });
    let mut router = HostRouter::builder().build_with(MakeHost::new(make));
    let uri = uri("http://a.test/");
    answer(router.call(request(&uri))).unwrap();
    let allocated = allocation_counter::measure(|| {
        black_box(answer(router.call(request(&uri))).unwrap());
    });
    assert_eq!(allocated.count_total, 0);
}

#[test]
fn a_known_host_takes_less_than_a_kilobyte() {
    const HOSTS: usize = 10_000;
    let mut router = HostRouter::new(Counter::default().new_host());
    let allocated = allocation_counter::measure(|| {
        for n in 0..HOSTS {
            let uri = uri(&format!("https://host-{n}.example.com/"));
            answer(router.call(request(&uri))).unwrap();
        }
    });
    assert_eq!(router.len(), HOSTS);
    let bytes = allocated.bytes_current / HOSTS as i64;
    println!("{bytes} bytes for each known host");
    assert!((1..1_000).contains(&bytes), "{bytes}");
}

/// RTR-08
#[test]
fn ever_new_hosts_take_no_more_memory_than_the_bound_allows() {
    const BOUND: usize = 100;
    let hosts = std::env::var("STANDPIPE_ROUTER_HOSTS").map_or(50_000, |n| n.parse().unwrap());
    let counter = Counter::default();
    let mut router = HostRouter::builder()
        .max_hosts(BOUND)
        .build(counter.new_host());
    let busy = router.call(request(&uri("http://busy.example.com/")));
    let mut visit = |hosts: std::ops::Range<usize>| {
        allocation_counter::measure(|| {
            for n in hosts {
                let uri = uri(&format!("http://host-{n}.example.com/"));
                answer(router.call(request(&uri))).unwrap();
            }
        })
    };
    let warm = visit(0..1_000);
    let rest = visit(1_000..hosts);
    assert!(warm.bytes_current < 100_000, "{}", warm.bytes_current);
    assert!(rest.bytes_current.abs() < 20_000, "{}", rest.bytes_current);
    assert!(rest.bytes_max < 100_000, "{}", rest.bytes_max);
    assert_eq!((router.len(), counter.made()), (BOUND, hosts + 1));
    // The busy one is older than them all and is still there.
    assert_eq!(now(busy).unwrap(), 1);
    assert_eq!(
        now(router.call(request(&uri("http://busy.example.com/")))).unwrap(),
        1
    );
}
