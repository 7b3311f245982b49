//! `examples/prometheus.rs`, run as a user runs it, and scraped.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use prometheus_parse::{Sample, Scrape, Value};
use standpipe::Pool;
use standpipe::metrics::{SERIES, SeriesKind};
use tokio::time::timeout;

/// Ends the example with the test, whichever way that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn what_prometheus_scrapes_is_what_was_sent() {
    let run = Command::new(example("prometheus"))
        .stdout(Stdio::piped())
        .spawn();
    let mut running = Running(run.unwrap());
    let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let url = first.strip_prefix("metrics at ").unwrap();
    let second = lines.next().unwrap().unwrap();
    assert_eq!(second, "300 requests were sent; ctrl-c ends this");

    let pool = Pool::new();
    let scrape = timeout(Duration::from_secs(60), at_rest(&pool, url)).await;
    let scrape = scrape.expect("50 connections closed, and each was waited for");
    let all = Series::of(&scrape);

    // 50 each of /, /missing, POST and two of /flaky; and 50 that were cancelled.
    let answered = |status: &str, method: &str| {
        all.count("http_client_request_duration", |sample| {
            server(sample)
                && sample.labels.get("http_response_status_code") == Some(status)
                && sample.labels.get("http_request_method") == Some(method)
        })
    };
    assert_eq!(answered("200", "GET"), 100);
    assert_eq!(answered("200", "POST"), 50);
    assert_eq!(answered("404", "GET"), 50);
    assert_eq!(answered("503", "GET"), 50);
    let of_type = |name: &str, error: &str| {
        all.count(name, |sample| {
            sample.labels.get("error_type") == Some(error)
        })
    };
    assert_eq!(of_type("http_client_request_duration", "cancelled"), 50);
    assert_eq!(of_type("http_client_request_duration", "connect"), 5);
    assert_eq!(of_type("http_client_call_duration", "cancelled"), 50);
    assert_eq!(of_type("http_client_call_duration", "circuit_open"), 49);
    assert_eq!(all.count("http_client_call_duration", |_| true), 300);
    assert_eq!(all.count("http_client_call_response_duration", server), 200);
    assert_eq!(all.count("http_client_response_duration", server), 250);
    assert_eq!(all.sum("http_client_request_body_size", server), 50.0 * 9.0);
    assert_eq!(
        all.sum("http_client_response_body_size", server),
        250.0 * 5.0
    );
    assert_eq!(all.value("http_client_active_requests", |_| true), 0.0);
    assert_eq!(all.value("http_client_active_calls", |_| true), 0.0);
    assert_eq!(all.value("http_client_retries", server), 50.0);
    assert_eq!(all.value("http_client_retries", |s| !server(s)), 4.0);
    assert_eq!(all.value("http_client_retries_given_up", |_| true), 1.0);
    let open = |sample: &Sample| {
        sample.labels.get("http_circuit_breaker_state") == Some("open") && !server(sample)
    };
    assert_eq!(all.value("http_client_circuit_breaker_state", open), 1.0);
    assert_eq!(
        all.value("http_client_circuit_breaker_transitions", open),
        1.0
    );

    // The peer of port 1 refused each of the five dials.
    let refused = |sample: &Sample| sample.labels.get("error_type") == Some("connect");
    assert_eq!(all.value("http_client_connection_failures", refused), 5.0);
    let budget = all.value("http_client_retry_budget", server);
    assert!((1.0..=110.0).contains(&budget), "{budget}");

    // A response came within the second, and no name is one that the crate does not list.
    assert!(all.sum("http_client_request_duration", server) < 60.0);
    for name in all.0.keys() {
        let known = |known: &str| known.replace('.', "_") == *name;
        let listed = SERIES.iter().any(|series| {
            known(series.name)
                || (series.kind == SeriesKind::Counter && known(name.trim_end_matches("_total")))
        });
        assert!(listed, "{name}");
    }
}

/// What is scraped once the example's connections are at rest. A request that is dropped takes its HTTP/1.1
/// connection along, and each of the 50 rounds ends with one; what else was opened is open. Nothing is opened that no
/// request waited for.
async fn at_rest(pool: &Pool, url: &str) -> Scrape {
    loop {
        let text = pool.get(url).send().await.unwrap().text().await.unwrap();
        let lines = text.lines().map(|line| Ok(line.to_owned()));
        let scrape = Scrape::parse(lines).unwrap();
        let all = Series::of(&scrape);
        let open = all.value("http_client_open_connections", server);
        let closed = all.value("http_client_connections_closed", server);
        let lived = all.count("http_client_connection_duration", server);
        let waited = all.count("http_client_request_time_in_queue", server);
        let opened = open + closed;
        if (closed, lived) == (50.0, 50) && (50.0..=waited as f64).contains(&opened) {
            return scrape;
        }
    }
}

/// Of the host that answers, not of the one that is down.
fn server(sample: &Sample) -> bool {
    sample.labels.get("server_port") != Some("1")
}

/// The samples by their name.
struct Series<'a>(BTreeMap<String, Vec<&'a Sample>>);

impl<'a> Series<'a> {
    fn of(scrape: &'a Scrape) -> Self {
        let mut all = BTreeMap::<_, Vec<_>>::new();
        for sample in &scrape.samples {
            let name = sample.metric.clone();
            let name = name.strip_suffix("_sum").or(name.strip_suffix("_count"));
            let name = name.unwrap_or(&sample.metric).to_owned();
            all.entry(name).or_default().push(sample);
        }
        Self(all)
    }

    fn matching(
        &self,
        name: &str,
        wanted: impl Fn(&Sample) -> bool,
    ) -> impl Iterator<Item = &'a Sample> {
        let found = self.0.get(name);
        let found = found.unwrap_or_else(|| panic!("no {name} in {:?}", self.0.keys()));
        let found: Vec<_> = found.iter().copied().filter(|one| wanted(one)).collect();
        found.into_iter()
    }

    /// Of a histogram, how many were measured: its last bucket.
    fn count(&self, name: &str, wanted: impl Fn(&Sample) -> bool) -> u64 {
        let most = |sample: &Sample| match &sample.value {
            Value::Histogram(buckets) => buckets.iter().map(|one| one.count).fold(0.0, f64::max),
            _ => 0.0,
        };
        self.matching(name, wanted).map(most).sum::<f64>() as u64
    }

    /// Of a histogram, the sum of what was measured.
    fn sum(&self, name: &str, wanted: impl Fn(&Sample) -> bool) -> f64 {
        let sums = self.matching(name, wanted);
        let sums = sums.filter(|sample| sample.metric.ends_with("_sum"));
        sums.map(number).sum()
    }

    /// Of counters and gauges.
    fn value(&self, name: &str, wanted: impl Fn(&Sample) -> bool) -> f64 {
        self.matching(name, wanted).map(number).sum()
    }
}

fn number(sample: &Sample) -> f64 {
    match sample.value {
        Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => value,
        Value::Histogram(_) | Value::Summary(_) => 0.0,
    }
}

/// Where cargo puts an example; `cargo test` builds them all.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    profile.join("examples").join(file)
}
