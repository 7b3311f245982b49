//! Who goes, when, and what becomes of the requests in flight.

mod support;

use std::future::ready;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Request;
use standpipe_core::{BoxError, Origin};
use standpipe_router::{Eviction, HostRouter, HostRouterBuilder, NewHost};
use support::{Counter, Log, Numbered, Task, get, now};
use tokio::time::advance;
use tower::{Service, service_fn};
use tower_test::mock;

const TICK: Duration = Duration::from_secs(1);

fn logging(log: &Log<(String, Eviction)>) -> HostRouterBuilder {
    let log = log.clone();
    HostRouter::builder().on_evict(move |origin, why| log.add((origin.host().to_owned(), why)))
}

fn names<N, S: Clone>(router: &HostRouter<N, S>) -> Vec<String> {
    let hosts = router.hosts().into_iter();
    let mut names: Vec<_> = hosts.map(|(origin, _)| origin.host().to_owned()).collect();
    names.sort_unstable();
    names
}

fn use_host<N>(router: &mut HostRouter<N, Numbered>, host: &str) -> usize
where
    N: NewHost<Service = Numbered>,
{
    now(router.call(get(&format!("http://{host}/")))).unwrap()
}

#[tokio::test(start_paused = true)]
async fn over_the_bound_the_host_used_least_recently_goes() {
    let log = Log::default();
    let mut router = logging(&log)
        .max_hosts(3)
        .build(Counter::default().new_host());
    for host in ["a", "b", "c", "a"] {
        use_host(&mut router, host);
        advance(TICK).await;
    }
    use_host(&mut router, "d");
    assert_eq!(names(&router), ["a", "c", "d"]);
    assert_eq!(log.take(), [("b".to_owned(), Eviction::Bound)]);
    for host in ["a", "c", "e", "f"] {
        advance(TICK).await;
        use_host(&mut router, host);
    }
    assert_eq!(names(&router), ["c", "e", "f"]);
}

#[tokio::test(start_paused = true)]
async fn an_evicted_host_begins_anew_at_its_next_request() {
    let mut router = HostRouter::builder()
        .max_hosts(1)
        .build(Counter::default().new_host());
    let order: Vec<_> = ["a", "a", "b", "a"]
        .map(|host| use_host(&mut router, host))
        .into();
    assert_eq!(order, [1, 1, 2, 3]);
}

/// RTR-09
#[tokio::test(start_paused = true)]
async fn a_host_with_a_request_in_flight_stays_while_an_idle_one_can_go() {
    let (service, mut handle) = mock::pair::<Request<()>, u8>();
    let log = Log::default();
    let mut router = logging(&log)
        .max_hosts(2)
        .build(move |_: &Origin| service.clone());
    let mut oldest = Task::new(router.call(get("http://oldest/")));
    assert!(oldest.poll().is_none());
    advance(TICK).await;
    drop(router.call(get("http://idle/")));
    advance(TICK).await;

    drop(router.call(get("http://new/")));
    assert_eq!(names(&router), ["new", "oldest"]);
    assert_eq!(log.take(), [("idle".to_owned(), Eviction::Bound)]);
    let (_request, respond) = handle.next_request().await.unwrap();
    respond.send_response(1);
    assert_eq!(oldest.poll().unwrap().unwrap(), 1);
}

/// RTR-09
#[tokio::test(start_paused = true)]
async fn while_all_hosts_are_busy_the_bound_is_passed_and_later_calls_make_it_good() {
    let (service, mut handle) = mock::pair::<Request<()>, usize>();
    let mut router = HostRouter::builder()
        .max_hosts(2)
        .build(move |_: &Origin| service.clone());
    let mut busy: Vec<_> = (0..40)
        .map(|n| Task::new(router.call(get(&format!("http://host{n}/")))))
        .collect();
    assert!(busy.iter_mut().all(|call| call.poll().is_none()));
    assert_eq!(router.len(), 40, "none of them may go");

    for call in &mut busy {
        let (_request, respond) = handle.next_request().await.unwrap();
        respond.send_response(7);
        assert_eq!(call.poll().unwrap().unwrap(), 7);
    }
    // No new host comes: requests to a known one sweep.
    for _ in 0..2 {
        advance(TICK).await;
        drop(router.call(get("http://host39/")));
    }
    assert_eq!(router.len(), 2);
    assert!(names(&router).contains(&"host39".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_finished_request_no_longer_holds_its_host_though_its_future_is_kept() {
    let mut router = HostRouter::builder()
        .max_hosts(1)
        .build(Counter::default().new_host());
    let mut kept = Task::new(router.call(get("http://a/")));
    kept.poll().unwrap().unwrap();
    use_host(&mut router, "b");
    assert_eq!(names(&router), ["b"]);
    drop(kept);
}

#[tokio::test(start_paused = true)]
async fn an_idle_host_goes_after_the_timeout_by_the_traffic_of_others() {
    let log = Log::default();
    let idle = Duration::from_secs(80);
    let mut router = logging(&log)
        .idle_timeout(idle)
        .build(Counter::default().new_host());
    for host in ["quiet", "late", "busy"] {
        use_host(&mut router, host);
    }
    for _ in 0..7 {
        advance(Duration::from_secs(10)).await;
        use_host(&mut router, "busy");
    }
    use_host(&mut router, "late");
    advance(Duration::from_secs(9)).await;
    use_host(&mut router, "busy");
    use_host(&mut router, "busy");
    assert_eq!(names(&router), ["busy", "late", "quiet"], "79 s idle");

    // The timeout and an eighth of it: the end of one request finds the sweep due, the next runs it.
    advance(Duration::from_secs(11)).await;
    use_host(&mut router, "busy");
    use_host(&mut router, "busy");
    assert_eq!(names(&router), ["busy", "late"]);
    assert_eq!(log.take(), [("quiet".to_owned(), Eviction::Idle)]);
}

#[tokio::test(start_paused = true)]
async fn idle_time_counts_from_the_end_of_a_request_and_not_from_its_start() {
    let (service, mut handle) = mock::pair::<Request<()>, u8>();
    let idle = Duration::from_secs(80);
    let mut router = HostRouter::builder()
        .idle_timeout(idle)
        .build(move |_: &Origin| service.clone());
    let mut long = Task::new(router.call(get("http://long/")));
    assert!(long.poll().is_none());
    advance(idle * 3).await;
    drop(router.call(get("http://sweeps/")));
    assert_eq!(names(&router), ["long", "sweeps"], "in flight");

    let (_request, respond) = handle.next_request().await.unwrap();
    respond.send_response(1);
    long.poll().unwrap().unwrap();
    advance(idle / 2).await;
    drop(router.call(get("http://sweeps-again/")));
    assert!(
        names(&router).contains(&"long".to_owned()),
        "idle for half the time"
    );
    advance(idle / 2).await;
    drop(router.call(get("http://sweeps-last/")));
    assert!(!names(&router).contains(&"long".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn without_an_idle_timeout_hosts_stay() {
    let mut router = HostRouter::builder()
        .no_idle_timeout()
        .build(Counter::default().new_host());
    use_host(&mut router, "a");
    advance(Duration::from_secs(1_000_000)).await;
    use_host(&mut router, "b");
    assert_eq!(use_host(&mut router, "a"), 1);
}

#[tokio::test(start_paused = true)]
async fn removing_a_busy_host_lets_its_request_end_and_the_next_one_begin_anew() {
    let (service, mut handle) = mock::pair::<Request<()>, u8>();
    let made = Arc::new(AtomicUsize::new(0));
    let (log, count) = (Log::default(), Arc::clone(&made));
    let mut router = logging(&log).build(move |_: &Origin| {
        count.fetch_add(1, Ordering::Relaxed);
        service.clone()
    });
    let mut call = Task::new(router.call(get("http://a/")));
    assert!(call.poll().is_none());
    let origin = Origin::parse("http://a").unwrap();
    assert!(router.remove(&origin));
    assert!(!router.remove(&origin));
    assert!(router.is_empty());
    assert_eq!(log.take(), [("a".to_owned(), Eviction::Removed)]);

    drop(router.call(get("http://a/")));
    assert_eq!(made.load(Ordering::Relaxed), 2);
    let (_request, respond) = handle.next_request().await.unwrap();
    respond.send_response(3);
    assert_eq!(call.poll().unwrap().unwrap(), 3);
    assert_eq!(
        router.len(),
        1,
        "the end of the old request leaves the new host alone"
    );
}

#[test]
fn retain_keeps_what_it_is_told_to_and_asks_about_each_host_and_its_service() {
    let log = Log::default();
    let mut router = logging(&log)
        .max_hosts(4)
        .build(Counter::default().new_host());
    for host in ["a", "b", "c", "d"] {
        use_host(&mut router, host);
    }
    router.retain(|origin, service| origin.host() == "a" || service.number == 4);
    assert_eq!(names(&router), ["a", "d"]);
    assert_eq!(log.take().len(), 2);
    // The room is free again: none has to go for these.
    for host in ["e", "f"] {
        use_host(&mut router, host);
    }
    assert_eq!(names(&router), ["a", "d", "e", "f"]);
    assert!(log.take().is_empty());
}

#[test]
fn the_hook_and_the_drop_of_a_service_may_use_the_router() {
    type LookAround = Box<dyn Fn() -> usize + Send + Sync>;

    /// Looks around when it is dropped.
    struct OnDrop(Log<usize>, Arc<OnceLock<LookAround>>);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.add(self.1.get().unwrap()());
        }
    }

    let (lens, look) = (Log::default(), Arc::new(OnceLock::<LookAround>::new()));
    let (hook_lens, hook_look) = (lens.clone(), Arc::clone(&look));
    let (make_lens, make_look) = (lens.clone(), Arc::clone(&look));
    let mut router = HostRouter::builder()
        .max_hosts(1)
        .on_evict(move |_, _| hook_lens.add(hook_look.get().unwrap()()))
        .build(move |_: &Origin| {
            let held = Arc::new(OnDrop(make_lens.clone(), Arc::clone(&make_look)));
            service_fn(move |_: Request<()>| {
                let _held = &held;
                ready(Ok::<_, BoxError>(()))
            })
        });
    let handle = router.clone();
    let look_around = move || {
        // The write lock of the map and the lock of the queue.
        handle.retain(|_, _| true);
        handle.remove(&Origin::parse("http://unknown").unwrap());
        handle.len()
    };
    assert!(look.set(Box::new(look_around)).is_ok());
    now(router.call(get("http://a/"))).unwrap();
    now(router.call(get("http://b/"))).unwrap();
    assert_eq!(lens.take(), [1, 1], "one from the hook, one from the drop");
    assert!(router.remove(&Origin::parse("http://b").unwrap()));
    assert_eq!(lens.take(), [0, 0]);
}

#[test]
fn a_panic_in_the_hook_harms_its_own_request_alone() {
    let mut router = HostRouter::builder()
        .max_hosts(1)
        .on_evict(|_, _| panic!("in the hook"))
        .build(Counter::default().new_host());
    use_host(&mut router, "a");
    catch_unwind(AssertUnwindSafe(|| use_host(&mut router, "b"))).unwrap_err();
    assert_eq!(names(&router), ["b"]);
    assert_eq!(use_host(&mut router, "b"), 2);
}

#[test]
#[should_panic(expected = "max_hosts is 0")]
fn a_bound_of_zero_is_refused() {
    let _ = HostRouter::builder().max_hosts(0);
}

#[test]
fn threads_that_use_insert_and_remove_at_once_end_within_the_bound() {
    let counter = Counter::default();
    let router = HostRouter::builder()
        .max_hosts(16)
        .build(counter.new_host());
    std::thread::scope(|scope| {
        for thread in 0..4usize {
            let mut router = router.clone();
            scope.spawn(move || {
                for n in 0..2_000 {
                    let host = (n * (thread + 3)) % 64;
                    use_host(&mut router, &format!("host{host}"));
                    if n % 50 == 0 {
                        let origin = Origin::parse(&format!("http://host{host}")).unwrap();
                        router.remove(&origin);
                    }
                }
            });
        }
    });
    let mut router = router;
    use_host(&mut router, "last");
    assert!(router.len() <= 16, "{}", router.len());
    router.retain(|_, _| false);
    assert!(router.is_empty());
    // `counter`'s own handle and its maker's: no service is left anywhere.
    assert_eq!(Arc::strong_count(&counter.calls), 2);
}
