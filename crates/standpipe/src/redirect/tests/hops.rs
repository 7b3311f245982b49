//! What each hop passes and carries, and how many there are.

use std::error::Error as _;
use std::time::Duration;

use http::header::AUTHORIZATION;
use standpipe_core::{ErrorKind, RequestSent};
use standpipe_test::Gate;

use super::*;
use crate::RedirectChain;

/// RED-01
#[tokio::test]
async fn a_loop_ends_at_the_limit_with_an_error_that_holds_the_chain() {
    let (a, b) = ("http://a.example/x?token=hunter2", "http://a.example/y");
    let site = [(a, 302, "/y"), (b, 302, "/x?token=hunter2")];
    let outcome = send(&RedirectLayer::new(3), &site, get(a)).await;
    assert_eq!(outcome.urls(), [a, b, a, b]);
    let error = outcome.error();
    assert_eq!(error.kind(), ErrorKind::TooManyRedirects { limit: 3 });
    assert_eq!(error.request_sent(), RequestSent::Yes);
    assert_eq!(error.origin().unwrap().as_str(), "http://a.example");
    let chain: &RedirectChain = error.source().unwrap().downcast_ref().unwrap();
    let (x, y) = ("http://a.example/x", "http://a.example/y");
    assert_eq!(chain.urls(), [x, y, x, y, x]);
    assert!(!format!("{error} {error:?} {chain}").contains("hunter2"));
}

/// RED-01
#[tokio::test]
async fn as_many_redirects_as_the_limit_are_followed_and_the_last_url_is_known() {
    let site = [
        ("http://a.example/1", 301, "/2"),
        ("http://a.example/2", 308, "http://b.example/3"),
    ];
    let outcome = send(&RedirectLayer::new(2), &site, get("http://a.example/1")).await;
    assert_eq!(outcome.status(), 200);
    assert_eq!(url_of(&outcome), "http://b.example/3");
    let refused = send(&RedirectLayer::new(1), &site, get("http://a.example/1")).await;
    assert_eq!(
        refused.error().kind(),
        ErrorKind::TooManyRedirects { limit: 1 }
    );
}

/// RED-01
#[tokio::test]
async fn a_layer_that_is_off_follows_none() {
    let site = [("http://a.example/", 302, "/next")];
    let outcome = send(&RedirectLayer::off(), &site, get("http://a.example/")).await;
    assert_eq!(outcome.status(), 302);
    assert_eq!(outcome.probe.calls(), 1);
    assert!(final_uri(outcome.answer.as_ref().unwrap()).is_none());
}

/// RED-08: the address filter sits in the transport, which gets each hop as a request of its own.
#[tokio::test(start_paused = true)]
async fn each_hop_is_a_call_of_the_inner_service_under_the_same_deadline() {
    let site = [
        ("http://a.example/", 303, "http://b.example/"),
        ("http://b.example/", 307, "http://c.example/"),
    ];
    let mut request = Request::post("http://a.example/")
        .body(Body::from("hello"))
        .unwrap();
    let deadline = Deadline::after(Duration::from_secs(9)).attach(&mut request);
    let outcome = send(&ten(), &site, request).await;
    assert_eq!(outcome.probe.calls(), 3);
    for seen in &outcome.seen {
        assert_eq!(seen.deadline, Some(deadline), "{}", seen.url);
    }
}

/// RED-08: beside a body that is not ours the deadline rides in an extension.
#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_foreign_body_crosses_origins_too() {
    type Foreign = http_body_util::Full<bytes::Bytes>;

    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&seen);
    let probe = Probe::new(move |request: Request<Foreign>| {
        record.lock().push(Deadline::of(&request));
        std::future::ready(Ok::<_, BoxError>(match request.uri().host() {
            Some("a.example") => redirect(307, b"http://b.example/"),
            _ => Response::new(Body::empty()),
        }))
    });
    let mut request = Request::post("http://a.example/")
        .body(Foreign::from("hello"))
        .unwrap();
    let deadline = Deadline::after(Duration::from_secs(9)).attach(&mut request);
    ten().layer(probe).oneshot(request).await.unwrap();
    assert_eq!(*seen.lock(), [Some(deadline); 2]);
}

/// RED-08
#[tokio::test]
async fn each_hop_passes_the_router_to_the_stack_of_its_own_host() {
    use standpipe_core::Origin;
    use standpipe_router::HostRouter;

    use crate::DefaultHeadersLayer;

    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&seen);
    let router = HostRouter::new(move |origin: &Origin| {
        let (host, record) = (origin.host().to_owned(), Arc::clone(&record));
        let own = HeaderMap::from_iter([(AUTHORIZATION, host.parse().unwrap())]);
        DefaultHeadersLayer::new(Arc::new(own)).layer(Probe::new(move |request: Request<Body>| {
            let key = request.headers()[AUTHORIZATION]
                .to_str()
                .unwrap()
                .to_owned();
            record.lock().push((host.clone(), key));
            let moved = request.uri().host() == Some("a.example");
            std::future::ready(Ok::<_, BoxError>(match moved {
                true => redirect(302, b"http://b.example/"),
                false => Response::new(Body::empty()),
            }))
        }))
    });
    let response = ten().layer(router).oneshot(get("http://a.example/")).await;
    assert_eq!(response.unwrap().status(), 200);
    let pairs = ["a.example", "b.example"].map(|host| (host.to_owned(), host.to_owned()));
    assert_eq!(*seen.lock(), pairs);
}

/// RED-08
#[tokio::test]
async fn each_hop_waits_until_the_inner_service_is_ready() {
    let gate = Gate::new();
    let opened = gate.clone();
    let probe = Probe::new(move |request: Request<Body>| {
        let gate = opened.clone();
        async move {
            if request.uri().path() == "/" {
                gate.wait().await;
                return Ok::<_, BoxError>(redirect(302, b"/next"));
            }
            Ok(Response::new(Body::empty()))
        }
    });
    let handle = probe.handle();
    let call = ten().layer(probe).oneshot(get("http://a.example/"));
    let call = tokio::spawn(call);
    gate.arrived(1).await;
    handle.pending_ready();
    gate.open();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!((handle.calls(), handle.in_flight()), (1, 0));
    handle.allow_ready();
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    assert_eq!(handle.calls(), 2);
}

#[tokio::test]
async fn a_dropped_call_drops_its_hop() {
    let probe = Probe::new(|request: Request<Body>| async move {
        match request.uri().path() {
            "/" => Ok::<_, BoxError>(redirect(302, b"/next")),
            _ => std::future::pending().await,
        }
    });
    let handle = probe.handle();
    let call = ten().layer(probe).oneshot(get("http://a.example/"));
    let call = tokio::spawn(call);
    handle.called(2).await;
    assert_eq!(handle.in_flight(), 1);
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert_eq!((handle.calls(), handle.in_flight()), (2, 0));
}

/// RED-07: a redirect's body is never read, and so never decompressed.
#[tokio::test]
async fn the_body_of_a_redirect_is_dropped_unread_before_the_next_hop() {
    use std::sync::atomic::{AtomicBool, Ordering};

    struct Watched(Arc<AtomicBool>);
    impl Drop for Watched {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    let dropped = Arc::new(AtomicBool::new(false));
    let watched = Arc::clone(&dropped);
    let outcome = send_to(&ten(), get("http://a.example/"), move |url| {
        if url.ends_with("/next") {
            assert!(watched.load(Ordering::SeqCst), "the body is still held");
            return Response::new(Body::empty());
        }
        let held = Watched(Arc::clone(&watched));
        let endless = futures_util::stream::repeat_with(move || {
            let _held = &held;
            panic!("a redirect's body was read");
            #[allow(unreachable_code)]
            Ok::<&'static [u8], BoxError>(b"")
        });
        redirect(302, b"/next").map(|_| Body::from_stream(endless))
    })
    .await;
    assert_eq!(outcome.status(), 200);
    assert!(dropped.load(Ordering::SeqCst));
}
