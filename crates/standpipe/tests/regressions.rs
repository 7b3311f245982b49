//! Bugs of other clients' layers, each real: none of them here.

use std::future::{Future, pending};
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

use http::{Request, Response};
use standpipe::{Body, BoxError, RedirectLayer};
use standpipe_core::sync::Mutex;
use standpipe_rate_limit::ConcurrencyLimitLayer;
use standpipe_test::Probe;
use tower::{Layer, Service, ServiceExt};

fn get(url: &str) -> Request<Body> {
    Request::get(url).body(Body::empty()).unwrap()
}

/// reqwest #2985, mended by #3034: `Authorization` and cookies survived a redirect from https to http
/// on the same host and port, for only those two were compared.
#[tokio::test]
async fn a_redirect_to_another_scheme_on_the_same_port_or_to_another_port_takes_no_secrets_along() {
    const SECRETS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];
    for (from, to) in [
        ("https://a.test:8443/", "http://a.test:8443/"),
        ("http://a.test:8080/", "https://a.test:8080/"),
        ("https://a.test/", "http://a.test/"),
        ("https://a.test/", "https://a.test:8443/"),
        ("https://a.test:8443/", "https://a.test/"),
    ] {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&seen);
        let site = Probe::new(move |request: Request<Body>| {
            let url = request.uri().to_string();
            let answer = Response::builder();
            let answer = match url == from {
                true => answer.status(307).header("location", to),
                false => answer,
            };
            keep.lock().push((url, request.headers().clone()));
            std::future::ready(Ok::<_, BoxError>(answer.body(Body::empty()).unwrap()))
        });
        let mut request = get(from);
        for name in SECRETS {
            request
                .headers_mut()
                .insert(name, "hunter2".parse().unwrap());
        }
        let client = RedirectLayer::new(1).allow_downgrade(true).layer(site);
        client.oneshot(request).await.unwrap();
        let seen = seen.lock();
        let [(_, first), (second_url, second)] = &seen[..] else {
            panic!("{} requests", seen.len());
        };
        assert_eq!((second_url.as_str(), first.len()), (to, SECRETS.len()));
        assert!(second.is_empty(), "{from} to {to}: {second:?}");
    }
}

/// A call that is polled by hand, and how often it was woken.
struct Polled<F> {
    call: Pin<Box<F>>,
    wakes: Arc<Wakes>,
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl<F: Future> Polled<F> {
    fn new(call: F) -> Self {
        Self {
            call: Box::pin(call),
            wakes: Arc::default(),
        }
    }

    fn is_pending(&mut self) -> bool {
        let waker = Waker::from(Arc::clone(&self.wakes));
        let mut cx = Context::from_waker(&waker);
        self.call.as_mut().poll(&mut cx).is_pending()
    }

    fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::Relaxed)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// tower-resilience #365: clones that were all polled ready while there was room went beyond the limit
/// together, whoever found none woke itself without end, and a call that was dropped kept its place.
#[tokio::test]
async fn clones_keep_to_one_limit_and_who_waits_sleeps_until_there_is_room() {
    let inner = Probe::new(|_: Request<Body>| pending::<Result<Response<Body>, BoxError>>());
    let probe = inner.handle();
    let limited = ConcurrencyLimitLayer::new(NonZeroUsize::new(3).unwrap()).layer(inner);
    let mut clones = vec![limited; 20];
    for clone in &mut clones {
        clone.ready().await.unwrap();
    }
    let calls = clones
        .iter_mut()
        .map(|clone| clone.call(get("http://a.test/")));
    let mut calls: Vec<_> = calls.map(Polled::new).collect();
    for _ in 0..10 {
        assert!(calls.iter_mut().all(Polled::is_pending));
        assert_eq!(probe.in_flight(), 3);
        assert!(calls.iter().all(|call| call.wakes() == 0));
    }
    for _ in 0..10 {
        // One of those under way, whose place goes to the first in the line and to no other.
        drop(calls.remove(0));
        let woken: Vec<_> = calls.iter().map(Polled::wakes).collect();
        assert_eq!(woken[..4], [woken[0], woken[1], 1, 0], "{woken:?}");
        assert_eq!(probe.in_flight(), 2);
        assert!(calls.iter_mut().all(Polled::is_pending));
        assert_eq!(probe.in_flight(), 3);
    }
}
