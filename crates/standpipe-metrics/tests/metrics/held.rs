//! What the facade holds back of a busy host, and for how long.

use super::facade::{histogram, number, parsed, registry_of, with_bounds};
use super::*;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};
use metrics_exporter_prometheus::{PrometheusHandle, PrometheusRecorder};
use prometheus_parse::Scrape;
use standpipe_metrics::MetricsFacade;
use standpipe_test::Gate;

/// More than a host sees before its threads are given counters of their own.
const BUSY: usize = 1_100;

const URL: &str = "https://a.b/200";

const HOST: [(&str, &str); 1] = [("server_address", "a.b")];

fn scraped(handle: &PrometheusHandle) -> Scrape {
    parsed(&handle.render())
}

fn active(scrape: &Scrape) -> f64 {
    number(scrape, "http_client_active_requests", &HOST)
}

/// How many requests with that status or error are exported.
fn durations(scrape: &Scrape, label: (&str, &str)) -> f64 {
    let labels = [HOST[0], label];
    histogram(scrape, "http_client_request_duration", &labels).0
}

const OK: (&str, &str) = ("http_response_status_code", "200");

/// A service that answers once its gate is open, under the layer, for a host that is busy already.
async fn busy() -> (PrometheusHandle, Metrics<impl Answers>, Gate) {
    let (registry, handle) = registry_of(with_bounds().build_recorder());
    let gate = Gate::new();
    gate.open();
    let opened = gate.clone();
    let service = attempts(
        &registry,
        tower::service_fn(move |_: Request<Body>| {
            let gate = opened.clone();
            Box::pin(async move {
                gate.wait().await;
                answer(200, "hello")
            }) as Answering
        }),
    );
    for _ in 0..BUSY {
        ask(&service, "https://a.b/").await.unwrap();
    }
    (handle, service, gate)
}

/// What `busy` puts under the layer.
trait Answers:
    Service<Request<Body>, Response = Response<Body>, Error = BoxError, Future = Answering> + Clone
{
}

impl<S> Answers for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = BoxError, Future = Answering>
        + Clone
{
}

#[tokio::test(start_paused = true)]
async fn nothing_is_held_once_nothing_is_under_way() {
    let (handle, service, gate) = busy().await;
    let scrape = scraped(&handle);
    assert_eq!(durations(&scrape, OK), BUSY as f64);
    assert_eq!(active(&scrape), 0.0);

    gate.close();
    let mut calls: Vec<_> = (0..100).map(|_| call(&service, "https://a.b/")).collect();
    for call in &mut calls {
        assert!(poll(call).is_pending());
    }
    gate.open();
    for call in calls {
        call.await.unwrap();
    }
    let scrape = scraped(&handle);
    assert_eq!(durations(&scrape, OK), (BUSY + 100) as f64);
    assert_eq!(active(&scrape), 0.0);
}

#[tokio::test(start_paused = true)]
async fn no_more_is_held_than_of_twice_what_is_under_way_and_the_gauge_is_right_within_an_eighth() {
    let (handle, service, gate) = busy().await;
    gate.close();
    let mut calls = Vec::new();
    for n in 1..=200u32 {
        calls.push(call(&service, "https://a.b/"));
        let behind = f64::from(n) - active(&scraped(&handle));
        assert!(behind.abs() <= f64::from(n / 8), "{behind} of {n}");
    }
    gate.open();
    for n in 1..=200u32 {
        calls.pop().unwrap().await.unwrap();
        let left = f64::from(200 - n);
        let scrape = scraped(&handle);
        let held = BUSY as f64 + f64::from(n) - durations(&scrape, OK);
        assert!(held >= 0.0 && held <= 2.0 * left, "{held} with {left} left");
        let ahead = (active(&scrape) - left).abs();
        assert!(ahead <= f64::from((200 - n) / 8), "{ahead} with {left}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_slow_request_measures_is_told_at_once() {
    let _one = NUMBERS.read().await;
    let (handle, service, gate) = busy().await;
    gate.close();
    let mut calls: Vec<_> = (0..100).map(|_| call(&service, "https://a.b/")).collect();
    gate.open();
    for n in 1..10 {
        calls.pop().unwrap().await.unwrap();
        assert!(durations(&scraped(&handle), OK) < (BUSY + n) as f64);
    }
    tokio::time::advance(Duration::from_millis(100)).await;
    calls.pop().unwrap().await.unwrap();
    assert_eq!(durations(&scraped(&handle), OK), (BUSY + 10) as f64);
}

/// A stream of events may go on for an hour after its head.
#[tokio::test(start_paused = true)]
async fn bodies_that_are_being_read_hold_nothing_back() {
    let (registry, handle) = registry_of(with_bounds().build_recorder());
    let service = attempts(
        &registry,
        tower::service_fn(|request: Request<Body>| {
            let stream = request.uri().path() == "/stream";
            std::future::ready(match stream {
                true => answer(200, Body::from_reader(Silent)),
                false => answer(200, "hello"),
            })
        }),
    );
    for _ in 0..BUSY {
        ask(&service, "https://a.b/").await.unwrap();
    }
    let mut streams = Vec::new();
    for _ in 0..50 {
        streams.push(ask(&service, "https://a.b/stream").await.unwrap());
    }
    for n in 1..10 {
        ask(&service, "https://a.b/").await.unwrap();
        let scrape = scraped(&handle);
        assert_eq!(durations(&scrape, OK), (BUSY + 50 + n) as f64);
        assert_eq!(active(&scrape), 0.0);
    }
}

/// It has nothing to read yet.
struct Silent;

impl tokio::io::AsyncRead for Silent {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_dropped_leave_nothing_behind() {
    let (handle, service, gate) = busy().await;
    gate.close();
    let calls: Vec<_> = (0..100).map(|_| call(&service, "https://a.b/")).collect();
    drop(calls);
    let scrape = scraped(&handle);
    assert_eq!(active(&scrape), 0.0);
    assert_eq!(durations(&scrape, ("error_type", "cancelled")), 100.0);
}

/// An exporter that panics now and then.
struct Picky {
    to: PrometheusRecorder,
    over: Over,
    panicked: AtomicBool,
}

#[derive(Clone, Copy, PartialEq)]
enum Over {
    /// When it is to make a gauge for the first time.
    Gauges,
    /// When it is to make a histogram of requests that have failed with 503.
    Histograms,
    /// When it is to take a value into such a histogram.
    Values,
}

struct Broken;

impl metrics::HistogramFn for Broken {
    fn record(&self, _: f64) {
        panic!("over a value");
    }
}

impl metrics::Recorder for Picky {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        self.to.register_counter(key, metadata)
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        let over_gauges = self.over == Over::Gauges;
        let again = self.panicked.swap(true, Ordering::Relaxed);
        assert!(!over_gauges || again, "over a gauge");
        self.to.register_gauge(key, metadata)
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        let failed = key.labels().any(|label| label.value() == "503");
        assert!(!failed || self.over != Over::Histograms, "over a histogram");
        if failed && self.over == Over::Values {
            return Histogram::from_arc(Arc::new(Broken));
        }
        self.to.register_histogram(key, metadata)
    }
}

/// For a host that is busy already with requests to `url`.
async fn with_picky(over: Over, url: &str) -> (Registry, PrometheusHandle, Metrics<MockService>) {
    let to = with_bounds().build_recorder();
    let handle = to.handle();
    let facade = MetricsFacade::with(Picky {
        to,
        over,
        panicked: AtomicBool::new(false),
    });
    let registry = Registry::builder().recorder(facade).build();
    let service = attempts(&registry, by_path());
    for _ in 0..BUSY {
        ask(&service, url).await.unwrap();
    }
    (registry, handle, service)
}

#[tokio::test(start_paused = true)]
async fn an_exporter_that_panics_over_a_series_leaves_no_request_under_way() {
    let (registry, handle, service) = with_picky(Over::Histograms, URL).await;
    for _ in 0..20 {
        ask(&service, "https://a.b/503").await.unwrap();
    }
    assert_eq!(registry.metrics().recorder_panics, 20);
    assert_eq!(active(&scraped(&handle)), 0.0);
    ask(&service, "https://a.b/200").await.unwrap();
    let count = durations(&scraped(&handle), OK);
    assert_eq!(count, (BUSY + 1) as f64, "nothing is under way");
}

#[tokio::test(start_paused = true)]
async fn an_exporter_that_panics_over_a_value_loses_those_of_that_kind_alone() {
    // So that it is known, and handed on, before the other kind.
    let failing = "https://a.b/503";
    let (registry, handle, service) = with_picky(Over::Values, failing).await;
    let panics = registry.metrics().recorder_panics;
    let mut calls: Vec<_> = (0..100)
        .flat_map(|_| [failing, URL])
        .map(|url| call(&service, url))
        .collect();
    while let Some(call) = calls.pop() {
        call.await.unwrap();
    }
    // What was left by the last panic goes out with the next.
    ask(&service, URL).await.unwrap();
    assert!(registry.metrics().recorder_panics > panics);
    let scrape = scraped(&handle);
    assert_eq!(durations(&scrape, OK), 101.0);
    assert_eq!(active(&scrape), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_gauge_that_the_exporter_panics_over_is_not_shifted_one_way_alone() {
    let (registry, handle, service) = with_picky(Over::Gauges, URL).await;
    ask(&service, "https://a.b/503").await.unwrap();
    assert_eq!(registry.metrics().recorder_panics, 1, "asked for it once");
    let scrape = scraped(&handle);
    assert_eq!(durations(&scrape, OK), BUSY as f64);
    let gauge = "http_client_active_requests";
    assert!(!scrape.samples.iter().any(|found| found.metric == gauge));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_many_threads_measure_is_told_in_full() {
    let (registry, handle) = registry_of(with_bounds().build_recorder());
    let service = attempts(
        &registry,
        tower::service_fn(|_: Request<Body>| {
            Box::pin(async {
                tokio::task::yield_now().await;
                answer(200, "hello")
            }) as Answering
        }),
    );
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let service = service.clone();
            tokio::spawn(async move {
                let mut service = service;
                for _ in 0..BUSY {
                    let ready = ServiceExt::<Request<Body>>::ready(&mut service).await;
                    ready.unwrap().call(get("https://a.b/")).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let scrape = scraped(&handle);
    assert_eq!(durations(&scrape, OK), (64 * BUSY) as f64);
    assert_eq!(active(&scrape), 0.0);
}
