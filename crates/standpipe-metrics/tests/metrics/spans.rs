use super::*;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use standpipe_core::sync::Mutex;
use standpipe_metrics::{BreakerState, ConnectionState, ResendCount, UrlTemplate};
use tracing_subscriber::layer::{Context as LayerContext, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

type Fields = BTreeMap<&'static str, String>;

/// Keeps what the spans and events hold.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    spans: BTreeMap<u64, Fields>,
    closed: Vec<Fields>,
    entered: usize,
    events: Vec<Fields>,
}

struct Visit<'a>(&'a mut Fields);

impl tracing::field::Visit for Visit<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl<S> tracing_subscriber::Layer<S> for Log
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(
        &self,
        attributes: &tracing::span::Attributes<'_>,
        id: &tracing::Id,
        _: LayerContext<'_, S>,
    ) {
        let mut fields = Fields::new();
        attributes.record(&mut Visit(&mut fields));
        self.0.lock().spans.insert(id.into_u64(), fields);
    }

    fn on_record(
        &self,
        id: &tracing::Id,
        values: &tracing::span::Record<'_>,
        _: LayerContext<'_, S>,
    ) {
        let mut kept = self.0.lock();
        let fields = kept.spans.get_mut(&id.into_u64()).unwrap();
        values.record(&mut Visit(fields));
    }

    fn on_enter(&self, _: &tracing::Id, _: LayerContext<'_, S>) {
        self.0.lock().entered += 1;
    }

    fn on_close(&self, id: tracing::Id, _: LayerContext<'_, S>) {
        let mut kept = self.0.lock();
        let fields = kept.spans.remove(&id.into_u64()).unwrap();
        kept.closed.push(fields);
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: LayerContext<'_, S>) {
        let mut fields = Fields::new();
        event.record(&mut Visit(&mut fields));
        self.0.lock().events.push(fields);
    }
}

/// A subscriber for as long as the test runs. One that stays keeps other tests' threads, which have none,
/// from settling that nobody will ever want a span.
fn listening() -> (Log, tracing::subscriber::DefaultGuard) {
    static STAYS: std::sync::Once = std::sync::Once::new();
    STAYS.call_once(|| {
        let stays = tracing::subscriber::set_global_default(tracing_subscriber::registry());
        assert!(stays.is_ok());
    });
    let log = Log::default();
    let subscriber = tracing_subscriber::registry().with(log.clone());
    (log, tracing::subscriber::set_default(subscriber))
}

impl Log {
    /// The spans that have ended.
    fn closed(&self) -> Vec<Fields> {
        let kept = self.0.lock();
        assert!(kept.spans.is_empty(), "{:?}", kept.spans);
        kept.closed.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_one_client_span_with_the_stable_attributes() {
    let (log, _guard) = listening();
    let registry = Registry::new();
    let service = counted(&registry, attempts(&registry, by_path()));
    let mut request = get("https://api.example.com:8443/404/1?q=1&sig=hunter2");
    request.extensions_mut().insert(UrlTemplate("/{status}"));
    request.extensions_mut().insert(ResendCount(2));
    request
        .headers_mut()
        .insert("authorization", "Bearer hunter2".parse().unwrap());
    let response = service.clone().oneshot(request).await.unwrap();
    // The span ends with the head: what reads the body is not in it.
    let closed = log.closed();
    drop(response);
    assert_eq!(closed.len(), 1);
    let span = &closed[0];
    for (name, value) in [
        ("otel.name", "GET /{status}"),
        ("otel.kind", "client"),
        ("otel.status_code", "ERROR"),
        ("http.request.method", "GET"),
        ("http.request.resend_count", "2"),
        ("http.response.status_code", "404"),
        ("network.protocol.version", "1.1"),
        ("server.address", "api.example.com"),
        ("server.port", "8443"),
        (
            "url.full",
            "https://api.example.com:8443/404/1?q=1&sig=REDACTED",
        ),
        ("url.template", "/{status}"),
        ("error.type", "404"),
    ] {
        assert_eq!(span.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(!span.contains_key("http.request.method_original"));
    assert!(!format!("{closed:?}").contains("hunter2"));
    assert!(log.0.lock().entered >= 2);
}

#[tokio::test(start_paused = true)]
async fn a_first_attempt_that_succeeds_has_neither_error_nor_resend_count() {
    let (log, _guard) = listening();
    let registry = Registry::new();
    let service = attempts(&registry, by_path());
    ask(&service, "http://[::1]/200").await.unwrap();
    let closed = log.closed();
    let span = &closed[0];
    for missing in [
        "error.type",
        "otel.status_code",
        "http.request.resend_count",
        "url.template",
    ] {
        assert!(!span.contains_key(missing), "{missing}");
    }
    assert_eq!(
        (&*span["server.address"], &*span["server.port"]),
        ("::1", "80")
    );
    assert_eq!(span["otel.name"], "GET");
}

#[tokio::test(start_paused = true)]
async fn errors_and_cancellations_are_said_in_the_span() {
    let (log, _guard) = listening();
    let registry = Registry::new();
    let service = attempts(&registry, by_path());
    ask(&service, "https://a.b/error").await.unwrap_err();
    drop(call(&service, "https://a.b/never"));
    let mut brew = get("https://a.b/200");
    *brew.method_mut() = "BREW".parse().unwrap();
    service.clone().oneshot(brew).await.unwrap();
    let closed = log.closed();
    let errors: Vec<_> = closed
        .iter()
        .map(|span| span.get("error.type").cloned())
        .collect();
    let of = |text: &str| Some(text.to_owned());
    assert_eq!(errors, [of("connection_closed"), of("cancelled"), None]);
    assert_eq!(closed[2]["otel.name"], "HTTP");
    assert_eq!(closed[2]["http.request.method"], "_OTHER");
    assert_eq!(closed[2]["http.request.method_original"], "BREW");
}

/// SMG-06
#[tokio::test(start_paused = true)]
async fn the_secret_keys_can_be_set() {
    let (log, _guard) = listening();
    let registry = Registry::builder().secret_query_keys(["pin"]).build();
    let service = attempts(&registry, by_path());
    ask(&service, "https://u:hunter2@a.b/200?PIN=hunter2&sig=shown")
        .await
        .unwrap();
    let shown = "https://REDACTED:REDACTED@a.b/200?PIN=REDACTED&sig=shown";
    assert_eq!(log.closed()[0]["url.full"], shown);
}

#[test]
fn what_the_other_layers_tell_is_an_event() {
    let (log, _guard) = listening();
    let registry = Registry::new();
    let host = registry.host(&origin("https://a.b"));
    let second = Duration::from_secs(1);
    host.retried(1, second);
    host.retry_given_up("budget");
    host.breaker_transition(BreakerState::Closed, BreakerState::Open);
    for _ in 0..2 {
        host.breaker_replaced(BreakerState::Closed);
    }
    host.limiter_paused(second);
    host.connection_opened(ConnectionState::Active);
    host.connection_closed(ConnectionState::Active, "idle", second);
    let events = log.0.lock().events.clone();
    let messages: Vec<_> = events.iter().map(|event| &*event["message"]).collect();
    let all = [
        "retry",
        "retry given up",
        "circuit breaker changed",
        "circuit breaker replaced",
        "rate limit paused",
        "connection opened",
        "connection closed",
    ];
    assert_eq!(messages, all);
    assert!(events.iter().all(|event| event["server.address"] == "a.b"));
    assert!(events.iter().all(|event| event["server.port"] == "443"));
    assert_eq!(events[0]["http.request.resend_count"], "1");
    assert_eq!((&*events[2]["from"], &*events[2]["to"]), ("closed", "open"));
}
