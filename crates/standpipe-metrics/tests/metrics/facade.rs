use super::*;
use std::collections::HashMap;

use http_body_util::BodyExt;
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use prometheus_parse::{Sample, Scrape, Value};
use standpipe_core::ErrorKind;
use standpipe_metrics::{
    BreakerState, ConnectionState, MetricsFacade, SERIES, SeriesKind, UrlTemplate,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(super) fn with_bounds() -> PrometheusBuilder {
    let mut builder = PrometheusBuilder::new();
    for series in SERIES
        .iter()
        .filter(|series| series.kind == SeriesKind::Histogram)
    {
        let name = Matcher::Full(series.name.to_owned());
        builder = builder
            .set_buckets_for_metric(name, series.buckets)
            .unwrap();
    }
    builder
}

pub(super) fn registry_of(recorder: PrometheusRecorder) -> (Registry, PrometheusHandle) {
    let handle = recorder.handle();
    let facade = MetricsFacade::with(recorder);
    (
        Registry::builder().recorder(facade).max_hosts(3).build(),
        handle,
    )
}

pub(super) fn parsed(text: &str) -> Scrape {
    Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap()
}

/// The sample of that name with those labels, which must be one.
#[track_caller]
fn sample<'a>(scrape: &'a Scrape, name: &str, labels: &[(&str, &str)]) -> &'a Sample {
    let has = |sample: &Sample| {
        labels
            .iter()
            .all(|(key, value)| sample.labels.get(key) == Some(*value))
    };
    let found: Vec<_> = scrape
        .samples
        .iter()
        .filter(|sample| sample.metric == name && has(sample))
        .collect();
    match found[..] {
        [one] => one,
        _ => panic!("{name} {labels:?}: {found:#?} of {:#?}", scrape.samples),
    }
}

#[track_caller]
pub(super) fn number(scrape: &Scrape, name: &str, labels: &[(&str, &str)]) -> f64 {
    match &sample(scrape, name, labels).value {
        Value::Counter(n) | Value::Gauge(n) | Value::Untyped(n) => *n,
        other => panic!("{name}: {other:?}"),
    }
}

/// A histogram's count, and the bounds of the bucket in which its last value lies.
#[track_caller]
pub(super) fn histogram(scrape: &Scrape, name: &str, labels: &[(&str, &str)]) -> (f64, f64) {
    let Value::Histogram(buckets) = &sample(scrape, name, labels).value else {
        panic!("{name} is no histogram");
    };
    let all = buckets.last().unwrap().count;
    let upper = buckets.iter().find(|bucket| bucket.count == all).unwrap();
    (all, upper.less_than)
}

/// A load with everything in it.
async fn mixed_load(registry: &Registry) {
    let service = counted(registry, attempts(registry, by_path()));
    for path in ["200/1", "200/2", "404", "503/4", "error", "refused", "999"] {
        if let Ok(response) = ask(&service, &format!("https://a.b/{path}")).await {
            response.into_body().collect().await.unwrap();
        }
    }
    let mut post = Request::post("https://a.b/200")
        .body(Body::from("x".repeat(1_000)))
        .unwrap();
    post.extensions_mut().insert(UrlTemplate("/:status"));
    service.clone().oneshot(post).await.unwrap();
    drop(call(&service, "https://a.b/never"));
    for n in 0..5 {
        ask(&service, &format!("http://host{n}.test:8080/200"))
            .await
            .unwrap();
    }
    let host = registry.host(&origin("https://a.b"));
    let second = Duration::from_secs(1);
    host.retried(1, second);
    host.retry_given_up("budget");
    host.retry_budget(7.5);
    host.breaker_transition(BreakerState::Closed, BreakerState::Open);
    host.breaker_replaced(BreakerState::HalfOpen);
    host.limiter_waited(second);
    host.limiter_rejected();
    host.limiter_paused(second);
    host.dial_failed(ErrorKind::DnsTimeout);
    host.acquire_waited(second);
    for _ in 0..3 {
        host.connection_opened(ConnectionState::Active);
    }
    host.connection_moved(ConnectionState::Active, ConnectionState::Idle);
    host.connection_closed(ConnectionState::Active, "error", 40 * second);
}

#[track_caller]
fn check(scrape: &Scrape) {
    let host = [("server_address", "a.b"), ("server_port", "443")];
    let with = |more: &[(&'static str, &'static str)]| [&host[..], more].concat();
    for scope in ["http_client_request_duration", "http_client_call_duration"] {
        let ok = with(&[
            ("http_request_method", "GET"),
            ("http_response_status_code", "200"),
        ]);
        assert_eq!(histogram(scrape, scope, &ok), (2.0, 2.5), "{scope}");
        assert!(!sample(scrape, scope, &ok).labels.contains_key("error_type"));
        for (label, value, bound) in [
            ("http_response_status_code", "503", 5.0),
            ("error_type", "404", 0.005),
            ("error_type", "503", 5.0),
            ("error_type", "connection_closed", 0.005),
            ("error_type", "rate_limited", 0.005),
            ("error_type", "cancelled", 0.005),
            ("error_type", "_OTHER", 0.005),
            ("url_template", "/:status", 0.005),
        ] {
            let found = histogram(scrape, scope, &with(&[(label, value)]));
            assert_eq!(found, (1.0, bound), "{scope} {label} {value}");
        }
    }
    let ok = with(&[
        ("http_request_method", "GET"),
        ("http_response_status_code", "200"),
    ]);
    let post = with(&[("http_request_method", "POST")]);
    for name in [
        "http_client_response_duration",
        "http_client_call_response_duration",
    ] {
        assert_eq!(histogram(scrape, name, &ok), (2.0, 2.5), "{name}");
    }
    assert_eq!(
        histogram(scrape, "http_client_response_body_size", &ok),
        (2.0, 256.0)
    );
    assert_eq!(
        histogram(scrape, "http_client_request_body_size", &post),
        (1.0, 1024.0)
    );
    for name in ["http_client_active_requests", "http_client_active_calls"] {
        let active = with(&[("http_request_method", "GET")]);
        assert_eq!(number(scrape, name, &active), 0.0);
    }
    for (name, label, value, n) in [
        (
            "http_client_open_connections",
            "http_connection_state",
            "active",
            1.0,
        ),
        (
            "http_client_open_connections",
            "http_connection_state",
            "idle",
            1.0,
        ),
        (
            "http_client_connections_closed",
            "http_connection_close_reason",
            "error",
            1.0,
        ),
        (
            "http_client_connection_failures",
            "error_type",
            "dns_timeout",
            1.0,
        ),
        ("http_client_retries", "server_port", "443", 1.0),
        (
            "http_client_retries_given_up",
            "http_retry_reason",
            "budget",
            1.0,
        ),
        ("http_client_retry_budget", "server_port", "443", 7.5),
        (
            "http_client_circuit_breaker_state",
            "http_circuit_breaker_state",
            "half_open",
            1.0,
        ),
        (
            "http_client_circuit_breaker_state",
            "http_circuit_breaker_state",
            "open",
            0.0,
        ),
        (
            "http_client_circuit_breaker_transitions",
            "http_circuit_breaker_state",
            "open",
            1.0,
        ),
        (
            "http_client_rate_limit_rejections",
            "server_port",
            "443",
            1.0,
        ),
        ("http_client_rate_limit_pauses", "server_port", "443", 1.0),
    ] {
        assert_eq!(
            number(scrape, name, &with(&[(label, value)])),
            n,
            "{name} {value}"
        );
    }
    let connection = histogram(scrape, "http_client_connection_duration", &host);
    assert_eq!(connection, (1.0, 60.0));
    for name in [
        "http_client_request_time_in_queue",
        "http_client_rate_limit_wait_duration",
    ] {
        assert_eq!(histogram(scrape, name, &host), (1.0, 1.0));
    }
    // Three hosts have series of their own, the other three are one.
    let other = [("server_address", "_OTHER")];
    assert_eq!(
        histogram(scrape, "http_client_call_duration", &other).0,
        3.0
    );
    assert!(
        !sample(scrape, "http_client_call_duration", &other)
            .labels
            .contains_key("server_port")
    );
    let every: Vec<_> = SERIES
        .iter()
        .map(|series| series.name.replace('.', "_"))
        .collect();
    for name in every {
        assert!(
            scrape.samples.iter().any(|sample| sample.metric == name),
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_mixed_load_is_found_in_every_series() {
    let (registry, handle) = registry_of(with_bounds().build_recorder());
    mixed_load(&registry).await;
    check(&parsed(&handle.render()));
    assert_eq!(registry.metrics().recorder_panics, 0);
}

/// The exporter serves on a socket, so time is real here.
#[tokio::test]
async fn the_exporter_serves_it_over_http() {
    let port = {
        let free = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap();
        free.local_addr().unwrap().port()
    };
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let (recorder, exporter) = with_bounds().with_http_listener(address).build().unwrap();
    let exporter = tokio::spawn(exporter);
    let (registry, _handle) = registry_of(recorder);
    let service = attempts(&registry, by_path());
    for _ in 0..3 {
        ask(&service, "https://a.b/200").await.unwrap();
    }
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    socket.write_all(request).await.unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).await.unwrap();
    exporter.abort();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let scrape = parsed(body);
    let labels = [
        ("server_address", "a.b"),
        ("http_response_status_code", "200"),
    ];
    let (count, _) = histogram(&scrape, "http_client_request_duration", &labels);
    assert_eq!(count, 3.0);
}

/// RTR-08
#[tokio::test(start_paused = true)]
async fn ten_thousand_hosts_do_not_grow_the_series_over_the_bound() {
    let (registry, handle) = registry_of(with_bounds().build_recorder());
    let service = attempts(&registry, by_path());
    for n in 0..10_000 {
        ask(&service, &format!("https://host{n}.test/200"))
            .await
            .unwrap();
    }
    let scrape = parsed(&handle.render());
    let mut series = HashMap::<&str, usize>::new();
    for sample in &scrape.samples {
        *series.entry(&sample.metric).or_default() += 1;
    }
    assert_eq!(series["http_client_request_duration"], 4);
    assert!(series.values().all(|n| *n <= 4), "{series:?}");
}
