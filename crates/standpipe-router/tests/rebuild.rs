//! Hosts that are given another service in place.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use http::Request;
use standpipe_core::{BoxError, Origin};
use standpipe_router::{Eviction, HostRouter, NewHost};
use support::{Counter, Log, Numbered, Task, get, now, origin};
use tokio::time::advance;
use tower::{Service, service_fn};
use tower_test::mock;

const TICK: Duration = Duration::from_secs(1);

fn use_host<N>(router: &mut HostRouter<N, Numbered>, host: &str) -> usize
where
    N: NewHost<Service = Numbered>,
{
    now(router.call(get(&format!("http://{host}/")))).unwrap()
}

fn names<N, S: Clone>(router: &HostRouter<N, S>) -> Vec<String> {
    let hosts = router.hosts().into_iter();
    let mut names: Vec<_> = hosts.map(|(origin, _)| origin.host().to_owned()).collect();
    names.sort_unstable();
    names
}

/// The same service under a number of a hundred more.
fn a_hundred_more(service: &Numbered) -> Option<Numbered> {
    Some(Numbered {
        number: service.number + 100,
        ..service.clone()
    })
}

#[test]
fn every_spelling_meets_the_new_service_and_none_is_made() {
    let counter = Counter::default();
    let mut router = HostRouter::new(counter.new_host());
    let spellings = ["a.test", "A.test", "A.TEST:80", "a.test."];
    for spelling in spellings {
        assert_eq!(use_host(&mut router, spelling), 1);
    }
    assert_eq!(use_host(&mut router, "b.test"), 2);

    let mut asked = Vec::new();
    router.rebuild(|origin, service| {
        asked.push((origin.host().to_owned(), service.number));
        (origin.host() == "a.test").then(|| a_hundred_more(service))?
    });
    asked.sort_unstable();
    assert_eq!(asked, [("a.test".into(), 1), ("b.test".into(), 2)]);
    for spelling in spellings {
        assert_eq!(use_host(&mut router, spelling), 101, "{spelling}");
    }
    assert_eq!(router.get(&origin("http://a.test")).unwrap().number, 101);
    assert_eq!(use_host(&mut router, "b.test"), 2, "kept");
    assert_eq!((counter.made(), router.len()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn requests_in_flight_end_on_the_old_service_and_keep_the_host_from_eviction() {
    let (old, mut old_handle) = mock::pair::<Request<()>, u8>();
    let (new, mut new_handle) = mock::pair::<Request<()>, u8>();
    let log = Log::default();
    let evicted = log.clone();
    let mut router = HostRouter::builder()
        .max_hosts(1)
        .on_evict(move |origin, why| evicted.add((origin.host().to_owned(), why)))
        .build(move |_: &Origin| old.clone());
    let mut call = Task::new(router.call(get("http://a/")));
    assert!(call.poll().is_none());

    router.rebuild(|_, _| Some(new.clone()));
    let mut next = Task::new(router.call(get("http://a/")));
    assert!(next.poll().is_none());
    let (_request, respond) = new_handle.next_request().await.unwrap();
    respond.send_response(2);
    assert_eq!(next.poll().unwrap().unwrap(), 2);

    // Nobody uses the new service; the old one is in use still.
    advance(TICK).await;
    drop(router.call(get("http://b/")));
    assert!(names(&router).contains(&"a".to_owned()));
    assert!(!log.take().contains(&("a".to_owned(), Eviction::Bound)));

    let (_request, respond) = old_handle.next_request().await.unwrap();
    respond.send_response(1);
    assert_eq!(call.poll().unwrap().unwrap(), 1);
    drop((call, next));
    advance(TICK).await;
    drop(router.call(get("http://c/")));
    assert_eq!(names(&router), ["c"]);
    assert!(log.take().contains(&("a".to_owned(), Eviction::Bound)));
}

#[tokio::test(start_paused = true)]
async fn a_host_keeps_its_turn_to_go() {
    let mut router = HostRouter::builder()
        .max_hosts(3)
        .build(Counter::default().new_host());
    for host in ["a", "b", "c", "a"] {
        use_host(&mut router, host);
        advance(TICK).await;
    }
    router.rebuild(|_, service| a_hundred_more(service));
    use_host(&mut router, "d");
    assert_eq!(names(&router), ["a", "c", "d"], "b was used least recently");
    advance(TICK).await;
    router.rebuild(|_, service| a_hundred_more(service));
    use_host(&mut router, "e");
    assert_eq!(names(&router), ["a", "d", "e"]);
}

#[tokio::test(start_paused = true)]
async fn idle_time_goes_on_counting_and_counts_from_a_request_that_ended_on_the_old_service() {
    let (service, mut handle) = mock::pair::<Request<()>, u8>();
    let idle = Duration::from_secs(80);
    let again = service.clone();
    let mut router = HostRouter::builder()
        .idle_timeout(idle)
        .build(move |_: &Origin| service.clone());
    drop(router.call(get("http://quiet/")));
    let mut long = Task::new(router.call(get("http://long/")));
    assert!(long.poll().is_none());
    advance(idle / 2).await;
    router.rebuild(|_, _| Some(again.clone()));
    let (_request, respond) = handle.next_request().await.unwrap();
    respond.send_response(1);
    long.poll().unwrap().unwrap();
    drop(long);

    advance(idle / 2).await;
    drop(router.call(get("http://sweeps/")));
    assert_eq!(names(&router), ["long", "sweeps"]);
    advance(idle / 2).await;
    drop(router.call(get("http://sweeps-again/")));
    assert_eq!(names(&router), ["sweeps", "sweeps-again"]);
}

#[test]
fn a_host_that_is_being_made_meanwhile_is_made_anew_and_its_request_meets_that_one() {
    let (at_work, is_at_work) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let may_go_on = standpipe_core::sync::Mutex::new(Some(may_go_on));
    let settings = Arc::new(AtomicUsize::new(1));
    let (counter, read) = (Counter::default(), Arc::clone(&settings));
    let make = counter.new_host();
    let mut router = HostRouter::new(move |origin: &Origin| {
        let number = read.load(Ordering::Relaxed);
        let gate = may_go_on.lock().take();
        if let Some(gate) = gate {
            at_work.send(()).unwrap();
            gate.recv().unwrap();
        }
        Numbered {
            number,
            ..make(origin)
        }
    });
    let mut other = router.clone();
    let met = std::thread::scope(|scope| {
        let first = scope.spawn(move || use_host(&mut other, "a"));
        is_at_work.recv().unwrap();
        settings.store(2, Ordering::Relaxed);
        router.rebuild(|origin, _| unreachable!("{origin} is not known yet"));
        go_on.send(()).unwrap();
        first.join().unwrap()
    });
    assert_eq!(met, 2);
    assert_eq!(use_host(&mut router, "a"), 2);
    assert_eq!((counter.made(), router.len()), (2, 1));
}

#[test]
fn what_gives_the_services_may_use_the_router_and_a_host_it_removes_stays_away() {
    let counter = Counter::default();
    let mut router = HostRouter::new(counter.new_host());
    use_host(&mut router, "a");
    use_host(&mut router, "b");
    let handle = router.clone();
    router.rebuild(|origin, service| {
        let mut handle = handle.clone();
        if origin.host() == "a" {
            handle.remove(origin);
        }
        handle.retain(|_, _| true);
        use_host(&mut handle, "c");
        a_hundred_more(service)
    });
    assert_eq!(names(&router), ["b", "c"]);
    assert_eq!(use_host(&mut router, "b"), 102);
    assert_eq!(use_host(&mut router, "c"), 3, "it came meanwhile");
}

#[test]
fn where_another_call_was_first_a_host_is_asked_about_again() {
    let mut router = HostRouter::new(Counter::default().new_host());
    use_host(&mut router, "a");
    let inner = router.clone();
    let mut asked = Vec::new();
    router.rebuild(|_, service| {
        asked.push(service.number);
        if asked.len() == 1 {
            inner.rebuild(|_, service| a_hundred_more(service));
        }
        a_hundred_more(service)
    });
    assert_eq!(asked, [1, 101]);
    assert_eq!(use_host(&mut router, "a"), 201);
}

#[test]
fn a_removal_finds_the_host_though_its_service_is_replaced_meanwhile() {
    let mut router = HostRouter::new(Counter::default().new_host());
    for host in ["a", "b"] {
        use_host(&mut router, host);
    }
    let handle = router.clone();
    router.retain(|_, _| {
        handle.rebuild(|_, service| a_hundred_more(service));
        false
    });
    assert!(router.is_empty());
}

#[test]
fn a_service_that_is_replaced_is_dropped_under_no_lock() {
    type LookAround = Box<dyn Fn() -> usize + Send + Sync>;

    struct OnDrop(Log<usize>, Arc<OnceLock<LookAround>>);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.add(self.1.get().unwrap()());
        }
    }

    let (lens, look) = (Log::default(), Arc::new(OnceLock::<LookAround>::new()));
    let (make_lens, make_look) = (lens.clone(), Arc::clone(&look));
    let make = move || {
        let held = Arc::new(OnDrop(make_lens.clone(), Arc::clone(&make_look)));
        service_fn(move |_: Request<()>| {
            let _held = &held;
            std::future::ready(Ok::<_, BoxError>(()))
        })
    };
    let make_again = make.clone();
    let mut router = HostRouter::new(move |_: &Origin| make());
    let handle = router.clone();
    let look_around = move || {
        handle.retain(|_, _| true);
        handle.len()
    };
    assert!(look.set(Box::new(look_around)).is_ok());
    for host in ["http://a/", "http://A/"] {
        now(router.call(get(host))).unwrap();
    }
    router.rebuild(|_, _| Some(make_again()));
    assert_eq!(lens.take(), [1]);
}

#[test]
fn a_panic_in_what_gives_the_services_leaves_the_router_whole() {
    let mut router = HostRouter::new(Counter::default().new_host());
    use_host(&mut router, "a");
    let call = || router.rebuild(|_, _| panic!("in the closure"));
    catch_unwind(AssertUnwindSafe(call)).unwrap_err();
    router.rebuild(|_, service| a_hundred_more(service));
    assert_eq!(use_host(&mut router, "a"), 101);
}

#[test]
fn threads_that_use_replace_and_remove_at_once_end_within_the_bound_and_keep_no_service() {
    const ROUNDS: usize = 1_000;
    let counter = Counter::default();
    let router = HostRouter::builder()
        .max_hosts(16)
        .build(counter.new_host());
    std::thread::scope(|scope| {
        for thread in 0..3usize {
            let mut router = router.clone();
            scope.spawn(move || {
                for n in 0..ROUNDS {
                    let host = (n * (thread + 3)) % 48;
                    use_host(&mut router, &format!("host{host}"));
                    if n % 50 == 0 {
                        router.remove(&origin(&format!("http://host{host}")));
                    }
                    if n % 20 == thread {
                        router.rebuild(|_, service| a_hundred_more(service));
                    }
                }
            });
        }
    });
    let mut router = router;
    use_host(&mut router, "last");
    assert!(router.len() <= 16, "{}", router.len());
    router.retain(|_, _| false);
    // `counter`'s own handle and its maker's: no service is left anywhere.
    assert_eq!(Arc::strong_count(&counter.calls), 2);
}
