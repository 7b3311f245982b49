//! Which service a request meets, and what it meets there.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use http::{Method, Request, Version};
use standpipe_core::sync::Mutex;
use standpipe_core::{BoxError, Error, ErrorKind, Origin, Phase, RequestSent};
use standpipe_router::HostRouter;
use standpipe_test::Probe;
use support::{Counter, Log, Numbered, Task, get, now, origin};
use tokio::sync::oneshot;
use tower::{Service, service_fn};
use tower_test::mock;

/// RTR-01
#[test]
fn all_spellings_of_an_origin_meet_one_service_and_other_origins_their_own() {
    let counter = Counter::default();
    let mut router = HostRouter::new(counter.new_host());
    for same in [
        "http://example.com/",
        "HTTP://Example.COM:80/",
        "http://example.com:80/path?query",
        "http://example.com./",
    ] {
        assert_eq!(now(router.call(get(same))).unwrap(), 1, "{same}");
    }
    let others = [
        "https://example.com/",
        "http://example.com:8080/",
        "http://example.org/",
        "http://[::1]/",
    ];
    for (n, other) in others.iter().enumerate() {
        assert_eq!(now(router.call(get(other))).unwrap(), n + 2, "{other}");
    }
    let written_otherwise = get("http://[0:0:0:0:0:0:0:1]:80/");
    assert_eq!(now(router.call(written_otherwise)).unwrap(), 5);
    assert_eq!(router.len(), 5);
}

/// RTR-07
#[test]
fn the_host_header_does_not_choose_the_service() {
    let counter = Counter::default();
    let mut router = HostRouter::new(counter.new_host());
    let mut lying = get("http://a.test/");
    lying
        .headers_mut()
        .insert("host", "b.test".parse().unwrap());
    now(router.call(lying)).unwrap();
    let hosts: Vec<_> = router
        .hosts()
        .into_iter()
        .map(|(origin, _)| origin)
        .collect();
    assert_eq!(hosts, [origin("http://a.test")]);
}

/// RTR-02, RTR-11
#[test]
fn a_uri_without_a_usable_origin_fails_at_once_and_no_service_is_made() {
    let counter = Counter::default();
    let mut router = HostRouter::new(counter.new_host());
    for (bad, kind) in [
        ("/no-host", ErrorKind::InvalidRequest),
        ("example.com:443", ErrorKind::InvalidRequest),
        ("http://user:secret@a.test/", ErrorKind::InvalidRequest),
        ("http://a.test:0/", ErrorKind::InvalidRequest),
        ("ftp://a.test/", ErrorKind::UnsupportedScheme),
    ] {
        let error = Error::from_boxed(now(router.call(get(bad))).unwrap_err());
        assert_eq!(error.kind(), kind, "{bad}");
        assert_eq!(error.phase(), Some(Phase::Check), "{bad}");
        assert_eq!(error.request_sent(), RequestSent::No, "{bad}");
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
    assert_eq!((counter.made(), router.len()), (0, 0));
}

#[test]
fn the_hosts_service_gets_the_request_as_it_came() {
    let mut router = HostRouter::new(|_: &Origin| {
        service_fn(|request: Request<Vec<u8>>| std::future::ready(Ok::<_, BoxError>(request)))
    });
    let mut request = Request::put("http://A.test:80/x?y=1")
        .version(Version::HTTP_2)
        .header("x-own", "1")
        .body(vec![1, 2, 3])
        .unwrap();
    request.extensions_mut().insert(7u8);
    let seen = now(router.call(request)).unwrap();
    assert_eq!(seen.method(), Method::PUT);
    assert_eq!(seen.uri(), "http://A.test:80/x?y=1");
    assert_eq!(seen.version(), Version::HTTP_2);
    assert_eq!(seen.headers().len(), 1);
    assert_eq!(seen.extensions().get::<u8>(), Some(&7));
    assert_eq!(seen.body(), &[1, 2, 3]);
}

#[tokio::test]
async fn the_readiness_of_the_hosts_service_is_waited_for() {
    let (service, mut handle) = mock::pair::<Request<()>, u8>();
    handle.allow(0);
    let mut router = HostRouter::new(move |_: &Origin| service.clone());
    let mut call = Task::new(router.call(get("http://a.test/")));
    assert!(call.poll().is_none());
    assert!(handle.poll_request().is_pending(), "called unready");

    handle.allow(1);
    assert!(call.poll().is_none());
    let (_request, respond) = handle.next_request().await.unwrap();
    respond.send_response(9);
    assert_eq!(call.poll().unwrap().unwrap(), 9);
}

#[tokio::test]
async fn an_error_of_readiness_and_one_of_the_call_come_through_unchanged() {
    let (service, mut handle) = mock::pair::<Request<()>, u8>();
    let mut router = HostRouter::new(move |_: &Origin| service.clone());
    let call = router.call(get("http://a.test/"));
    let (error, ()) = tokio::join!(call, async {
        let (_request, respond) = handle.next_request().await.unwrap();
        respond.send_error("from the call");
    });
    assert_eq!(error.unwrap_err().to_string(), "from the call");
    handle.send_error("from readiness");
    let error = router.call(get("http://a.test/")).await.unwrap_err();
    assert_eq!(error.to_string(), "from readiness");
}

/// RTR-10
#[tokio::test]
async fn a_host_that_is_not_ready_and_one_that_fails_do_not_touch_another() {
    let (stuck, mut stuck_handle) = mock::pair::<Request<()>, u8>();
    let (failing, mut failing_handle) = mock::pair::<Request<()>, u8>();
    let (healthy, mut handle) = mock::pair::<Request<()>, u8>();
    stuck_handle.allow(0);
    failing_handle.send_error("no such host");
    let mut router = HostRouter::new(move |origin: &Origin| match origin.host() {
        "stuck.test" => stuck.clone(),
        "failing.test" => failing.clone(),
        _ => healthy.clone(),
    });
    let mut stuck: Vec<_> = (0..100)
        .map(|_| Task::new(router.call(get("http://stuck.test/"))))
        .collect();
    assert!(stuck.iter_mut().all(|call| call.poll().is_none()));
    router.call(get("http://failing.test/")).await.unwrap_err();

    let call = router.call(get("http://healthy.test/"));
    let (answer, ()) = tokio::join!(call, async {
        answer_request(&mut handle, "http://healthy.test/", 1).await;
    });
    assert_eq!(answer.unwrap(), 1);
}

#[tokio::test]
async fn a_future_dropped_unpolled_or_unready_makes_no_call_and_leaves_the_host_usable() {
    let (service, mut handle) = mock::pair::<Request<()>, u8>();
    let mut router = HostRouter::new(move |_: &Origin| service.clone());
    handle.allow(0);
    drop(router.call(get("http://a.test/never-polled")));
    let mut waiting = Task::new(router.call(get("http://a.test/waiting")));
    assert!(waiting.poll().is_none());
    drop(waiting);

    handle.allow(1);
    let call = router.call(get("http://a.test/after"));
    let (answer, ()) = tokio::join!(call, async {
        answer_request(&mut handle, "http://a.test/after", 5).await;
    });
    assert_eq!(answer.unwrap(), 5);
    assert_eq!(router.len(), 1);
}

#[test]
fn a_dropped_future_drops_the_hosts_call() {
    let calls = Log::default();
    let log = calls.clone();
    let mut router = HostRouter::new(move |_: &Origin| {
        let log = log.clone();
        service_fn(move |_: Request<()>| {
            let (answer, answered) = oneshot::channel::<u8>();
            log.add(answer);
            async move { answered.await.map_err(BoxError::from) }
        })
    });
    let mut dropped = Task::new(router.call(get("http://a.test/")));
    assert!(dropped.poll().is_none());
    let answer = calls.take().remove(0);
    assert!(!answer.is_closed());
    drop(dropped);
    assert!(answer.is_closed());
}

#[test]
fn every_clone_under_the_router_is_called_ready_and_dropped_with_its_request() {
    let probe = Probe::ok(1u8);
    let handle = probe.handle();
    let mut router = HostRouter::new(move |_: &Origin| probe.clone());
    handle.pending_ready();
    let mut calls: Vec<_> = ["http://a.test/", "http://a.test/", "http://b.test/"]
        .map(|uri| Task::new(router.call(get(uri))))
        .into();
    assert!(calls.iter_mut().all(|call| call.poll().is_none()));
    assert_eq!(handle.calls(), 0);
    drop(calls.remove(0));
    handle.allow_ready();
    for call in &mut calls {
        assert_eq!(call.poll().unwrap().unwrap(), 1);
    }
    assert_eq!((handle.calls(), handle.in_flight()), (2, 0));
    assert_eq!(handle.clones(), 3, "the maker's and one for each host");
    router.retain(|_, _| false);
    assert_eq!(handle.clones(), 1);
}

#[test]
fn first_requests_that_meet_on_eight_threads_keep_exactly_one_service() {
    const THREADS: usize = 8;
    for _ in 0..50 {
        let (done, all_done) = mpsc::channel();
        // No maker ends before all have begun, so that all of them really meet.
        let barrier = Arc::new(std::sync::Barrier::new(THREADS));
        let counter = Counter::default();
        let make = counter.new_host();
        let router = HostRouter::new(move |origin: &Origin| {
            barrier.wait();
            make(origin)
        });
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                let (mut router, done) = (router.clone(), done.clone());
                scope.spawn(move || done.send(now(router.call(get("http://a.test/"))).unwrap()));
            }
        });
        drop(done);
        let numbers: Vec<_> = all_done.iter().collect();
        assert_eq!(counter.made(), THREADS);
        assert_eq!(numbers.len(), THREADS);
        assert!(
            numbers.iter().all(|number| *number == numbers[0]),
            "{numbers:?}"
        );
        let kept: Vec<Numbered> = router.hosts().into_iter().map(|(_, host)| host).collect();
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].number, numbers[0]);
        // The handles of `counter`, of its maker and of the one service: the others are gone.
        drop(kept);
        assert_eq!(Arc::strong_count(&counter.calls), 3);
    }
}

#[test]
fn a_panic_in_the_maker_harms_its_own_request_alone() {
    let tries = AtomicUsize::new(0);
    let counter = Counter::default();
    let make = counter.new_host();
    let mut router = HostRouter::new(move |origin: &Origin| {
        assert!(tries.fetch_add(1, Ordering::Relaxed) > 0, "the first try");
        make(origin)
    });
    let call = || now(router.call(get("http://a.test/")));
    catch_unwind(AssertUnwindSafe(call)).unwrap_err();
    assert!(router.is_empty());
    now(router.call(get("http://a.test/"))).unwrap();
    assert_eq!(router.len(), 1);
}

#[test]
fn the_maker_may_use_the_router_it_makes_for() {
    type Router = HostRouter<Box<dyn Fn(&Origin) -> Numbered + Send + Sync>, Numbered>;
    let slot = Arc::new(Mutex::new(None::<Router>));
    let counter = Counter::default();
    let (make, inside) = (counter.new_host(), Arc::clone(&slot));
    let mut router: Router = HostRouter::new(Box::new(move |origin: &Origin| {
        if origin.host() == "outer.test" {
            let router = inside.lock().clone();
            now(router.unwrap().call(get("http://inner.test/"))).unwrap();
        }
        make(origin)
    }));
    *slot.lock() = Some(router.clone());
    assert_eq!(now(router.call(get("http://outer.test/"))).unwrap(), 2);
    assert_eq!(router.len(), 2);
    slot.lock().take();
}

#[test]
fn the_router_and_its_future_can_be_sent_and_shared() {
    fn send_and_sync<T: Send + Sync + 'static>(_: &T) {}
    let mut router = HostRouter::new(Counter::default().new_host());
    send_and_sync(&router);
    send_and_sync(&router.call(get("http://a.test/")));
}

async fn answer_request(handle: &mut mock::Handle<Request<()>, u8>, uri: &str, answer: u8) {
    let (request, respond) = handle.next_request().await.unwrap();
    assert_eq!(request.uri(), uri);
    respond.send_response(answer);
}
