use super::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

const THREADS: usize = 4;
const EACH: u64 = 20_000;

type Answer = std::future::Ready<Result<Response<Body>, BoxError>>;

fn at_once()
-> impl Service<Request<Body>, Response = Response<Body>, Error = BoxError, Future = Answer>
+ Clone
+ Send {
    tower::service_fn(|request: Request<Body>| {
        std::future::ready(match request.uri().path() {
            "/200" => answer(200, "hello"),
            "/500" => answer(500, Body::empty()),
            _ => Err("boom".into()),
        })
    })
}

/// Requests begin on one thread and end, or are dropped, on another, while their counts are read.
#[test]
fn counts_are_consistent_at_every_moment_and_exact_in_the_end() {
    let registry = Registry::new();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (mut senders, receivers): (Vec<_>, Vec<_>) =
            (0..THREADS).map(|_| mpsc::sync_channel(64)).unzip();
        senders.rotate_left(1);
        let reader = scope.spawn(|| {
            let mut last = 0;
            while !done.load(Ordering::Acquire) {
                let metrics = registry.metrics();
                assert_consistent(&metrics.requests);
                assert!(metrics.requests.total >= last, "what was counted is lost");
                last = metrics.requests.total;
                std::thread::yield_now();
            }
        });
        let workers: Vec<_> = senders
            .into_iter()
            .zip(receivers)
            .map(|(sender, receiver)| {
                let registry = registry.clone();
                scope.spawn(move || {
                    let mut service = counted(&registry, at_once());
                    for n in 0..EACH {
                        let path = ["200", "500", "boom", "200"][(n % 4) as usize];
                        let mut call = service.call(get(&format!("http://a.b/{path}")));
                        if n % 3 == 0 {
                            assert!(poll(&mut call).is_ready());
                        }
                        // A thread that waits to hand on still takes what is handed to it.
                        let mut call = Some(call);
                        while let Some(this) = call.take() {
                            match sender.try_send(this) {
                                Err(mpsc::TrySendError::Full(back)) => call = Some(back),
                                Ok(()) | Err(mpsc::TrySendError::Disconnected(_)) => {}
                            }
                            finish(&receiver, n);
                        }
                    }
                    drop(sender);
                    while let Ok(call) = receiver.recv() {
                        drop(call);
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.join().unwrap();
        }
        done.store(true, Ordering::Release);
        reader.join().unwrap();
    });
    let metrics = registry.metrics().requests.clone();
    assert_consistent(&metrics);
    assert_eq!(metrics.total, THREADS as u64 * EACH);
    assert_eq!((metrics.in_flight, metrics.bodies.open), (0, 0));
    assert_eq!(metrics.latency.count, metrics.successful + metrics.failed);
    assert!(metrics.cancelled > 0 && metrics.errors > 0 && metrics.statuses.server_error > 0);
    assert_eq!(metrics.errors_by_kind["_OTHER"], metrics.errors);
    assert_eq!(metrics.bytes_in, 5 * metrics.statuses.success);
}

/// Ends what another thread has begun: by its answer, or by dropping it.
fn finish<F: Future + Unpin>(receiver: &mpsc::Receiver<F>, n: u64) {
    while let Ok(mut call) = receiver.try_recv() {
        if n % 3 == 1 {
            // Those that have been polled to their end before are not polled again.
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| poll(&mut call)));
            drop(ended);
        }
    }
}

/// A registry's hosts may be counted on by more threads than have counters of their own.
#[test]
fn threads_beyond_those_with_counters_of_their_own_are_counted_too() {
    let registry = Registry::new();
    let barrier = std::sync::Barrier::new(80);
    let _all = NUMBERS.blocking_write();
    std::thread::scope(|scope| {
        for _ in 0..80 {
            scope.spawn(|| {
                let mut service = counted(&registry, at_once());
                barrier.wait();
                for _ in 0..200 {
                    let mut call = service.call(get("http://a.b/200"));
                    assert!(poll(&mut call).is_ready());
                }
                // All of them are alive at once.
                barrier.wait();
            });
        }
    });
    let metrics = registry.metrics().requests.clone();
    assert_consistent(&metrics);
    assert_eq!((metrics.total, metrics.successful), (16_000, 16_000));
}

/// RTR-08
#[test]
fn threads_that_meet_do_not_pass_the_bound_together() {
    const MEETING: usize = 8;
    for round in 0..1_000 {
        let registry = Registry::builder().max_hosts(2).build();
        let barrier = std::sync::Barrier::new(MEETING);
        std::thread::scope(|scope| {
            for thread in 0..MEETING {
                let (registry, barrier) = (&registry, &barrier);
                scope.spawn(move || {
                    let mut service = counted(registry, at_once());
                    let host = get(&format!("http://host{thread}.test/200"));
                    barrier.wait();
                    assert!(poll(&mut service.call(host)).is_ready());
                });
            }
        });
        let metrics = registry.metrics();
        let expected = (2, MEETING as u64);
        assert_eq!((metrics.hosts, metrics.requests.total), expected, "{round}");
    }
}

/// What a thread remembers of its busy hosts tells apart all that a host is known by.
#[test]
fn busy_hosts_of_one_name_are_not_mixed_up() {
    let registries = [Registry::new(), Registry::new()];
    let mut services = registries
        .each_ref()
        .map(|registry| counted(registry, at_once()));
    let urls = ["http://a.b/200", "https://a.b/200", "http://b.b/200"];
    for _ in 0..3_000 {
        for service in &mut services {
            for url in urls {
                assert!(poll(&mut service.call(get(url))).is_ready());
            }
        }
    }
    drop(services);
    for registry in registries {
        for url in urls {
            assert_eq!(
                registry.host_metrics(url).unwrap().requests.total,
                3_000,
                "{url}"
            );
        }
    }
}
