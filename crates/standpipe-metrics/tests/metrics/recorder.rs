use super::*;
use std::sync::Arc;

use http_body_util::BodyExt;
use standpipe_core::sync::Mutex;
use standpipe_metrics::{
    BreakerState, ErrorType, Event, HostLabels, HostRecord, Recorder, Scope, UrlTemplate,
};

/// A recorder that remembers what it was told, as text.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    pub(super) fn all(&self) -> Vec<String> {
        self.0.lock().clone()
    }

    /// The methods of the requests that began.
    pub(super) fn started(&self) -> Vec<String> {
        let all = self.all().into_iter();
        all.filter_map(|line| line.strip_prefix("started ").map(str::to_owned))
            .collect()
    }
}

impl Recorder for Seen {
    fn host(&self, host: &HostLabels<'_>) -> Option<Arc<dyn HostRecord>> {
        let line = format!("host {} {:?}", host.address(), host.port());
        self.0.lock().push(line);
        Some(Arc::new(self.clone()))
    }
}

impl HostRecord for Seen {
    fn record(&self, event: &Event<'_>) {
        let line = match event {
            Event::Started(exchange) => format!("started {}", exchange.method),
            Event::Ended {
                exchange, elapsed, ..
            } => format!(
                "ended {:?} {:?} {:?} {elapsed:?}",
                exchange.status.map(|status| status.as_u16()),
                exchange.error.map(ErrorType::as_str),
                exchange.template,
            ),
            Event::BodyEnded {
                exchange, bytes, ..
            } => format!(
                "body {:?} {:?} {bytes}",
                exchange.scope,
                exchange.error.map(ErrorType::as_str),
            ),
            other => format!("{other:?}"),
        };
        self.0.lock().push(line);
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_asked_once_for_a_host_and_told_in_order() {
    let seen = Seen::default();
    let registry = Registry::builder().recorder(seen.clone()).build();
    let service = counted(&registry, by_path());
    let mut request = get("https://a.b:8443/200/2");
    request.extensions_mut().insert(UrlTemplate("/{status}"));
    service.clone().oneshot(request).await.unwrap();
    ask(&service, "https://a.b:8443/refused").await.unwrap_err();
    drop(call(&service, "https://a.b:8443/never"));
    let all = [
        r#"host a.b Some(8443)"#,
        r#"started GET"#,
        r#"ended Some(200) None Some("/{status}") 2s"#,
        r#"body Request None 5"#,
        r#"started GET"#,
        r#"ended None Some("rate_limited") None 0ns"#,
        r#"started GET"#,
        r#"ended None Some("cancelled") None 0ns"#,
    ];
    assert_eq!(seen.all(), all);
}

/// Panics at everything.
struct Panicking;

impl Recorder for Panicking {
    fn host(&self, host: &HostLabels<'_>) -> Option<Arc<dyn HostRecord>> {
        assert!(host.address() != "worst.test", "the host's own record");
        Some(Arc::new(Self))
    }
}

impl HostRecord for Panicking {
    fn record(&self, _: &Event<'_>) {
        panic!("a recorder that panics");
    }
}

/// PAN-01
#[tokio::test(start_paused = true)]
async fn a_recorder_that_panics_harms_neither_request_nor_count() {
    let registry = Registry::builder().recorder(Panicking).build();
    let service = counted(&registry, by_path());
    for host in ["a.b", "worst.test"] {
        let response = ask(&service, &format!("https://{host}/200")).await.unwrap();
        response.into_body().collect().await.unwrap();
        ask(&service, &format!("https://{host}/error"))
            .await
            .unwrap_err();
        drop(call(&service, &format!("https://{host}/never")));
        let metrics = registry.host_metrics(host).unwrap().requests.clone();
        assert_consistent(&metrics);
        assert_eq!((metrics.total, metrics.successful), (3, 1));
        assert_eq!((metrics.errors, metrics.cancelled), (1, 1));
    }
    // Six at the one host, where an end was told together with that of its body; at the other it was
    // asked once and then left alone.
    assert_eq!(registry.metrics().recorder_panics, 7);
}

/// A request cancelled while its task unwinds must not abort the process.
#[tokio::test(start_paused = true)]
async fn a_recorder_may_panic_while_its_thread_does() {
    let registry = Registry::builder().recorder(Panicking).build();
    let service = counted(&registry, by_path());
    let task = tokio::spawn(async move {
        let _under_way = call(&service, "https://a.b/never");
        panic!("the caller");
    });
    task.await.unwrap_err();
    assert_eq!(registry.metrics().requests.cancelled, 1);
}

/// Calls into the registry, and sends a request of its own, whenever a breaker opens.
#[derive(Clone, Default)]
struct Reentrant(Arc<std::sync::OnceLock<Registry>>);

impl Recorder for Reentrant {
    fn host(&self, host: &HostLabels<'_>) -> Option<Arc<dyn HostRecord>> {
        let registry = self.0.get().unwrap();
        registry.hosts();
        let origin = host.origin().unwrap();
        assert!(registry.host_metrics(origin.as_str()).is_some());
        Some(Arc::new(self.clone()))
    }
}

impl HostRecord for Reentrant {
    fn record(&self, event: &Event<'_>) {
        let registry = self.0.get().unwrap();
        registry.metrics();
        if let Event::BreakerTransition {
            to: BreakerState::Open,
            ..
        } = event
        {
            let alarm = counted(registry, by_path());
            drop(call(&alarm, "https://alarm.test/never"));
            registry
                .host(&origin("https://a.b"))
                .retried(1, Duration::ZERO);
        }
    }
}

/// PAN-02
#[test]
fn a_recorder_may_call_back() {
    let recorder = Reentrant::default();
    let registry = Registry::builder().recorder(recorder.clone()).build();
    recorder.0.set(registry.clone()).unwrap();
    let host = registry.host(&origin("https://a.b"));
    host.breaker_transition(BreakerState::Closed, BreakerState::Open);
    let metrics = registry.metrics();
    assert_eq!(metrics.recorder_panics, 0);
    assert_eq!(
        (metrics.requests.cancelled, metrics.retries.retried),
        (1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn attempts_are_told_apart_from_requests() {
    let seen = Seen::default();
    let registry = Registry::builder().recorder(seen.clone()).build();
    let service = counted(&registry, attempts(&registry, by_path()));
    let response = ask(&service, "https://a.b/200").await.unwrap();
    response.into_body().collect().await.unwrap();
    let told = seen.all();
    let of = |scope: Scope| format!("body {scope:?} None 5");
    assert!(told.contains(&of(Scope::Request)) && told.contains(&of(Scope::Attempt)));
}
