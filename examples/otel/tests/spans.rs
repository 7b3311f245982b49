//! What OpenTelemetry's SDK gets.

use std::collections::HashMap;

use http::Request;
use opentelemetry::Value;
use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;
use standpipe_core::Body;
use standpipe_example_otel::{client, subscriber};
use standpipe_metrics::{Registry, ResendCount, UrlTemplate};
use tower::ServiceExt;

fn attributes(span: &SpanData) -> HashMap<&str, Value> {
    let all = span.attributes.iter();
    all.map(|one| (one.key.as_str(), one.value.clone()))
        .collect()
}

#[tokio::test]
async fn an_attempt_is_a_client_span_with_the_stable_attributes() {
    let (subscriber, provider, exporter) = subscriber();
    let _listening = tracing::subscriber::set_default(subscriber);
    let client = client(&Registry::new());
    let get = |url: &str| Request::get(url).body(Body::empty()).unwrap();
    let mut template = get("https://u:hunter2@api.example.com:8443/200?q=1&sig=hunter2");
    template.extensions_mut().insert(UrlTemplate("/{status}"));
    let mut resent = get("http://api.example.com/503");
    resent.extensions_mut().insert(ResendCount(1));
    for request in [template, resent, get("http://api.example.com/error")] {
        let _ = client.clone().oneshot(request).await;
    }
    provider.force_flush().unwrap();
    let spans = exporter.get_finished_spans().unwrap();
    // One for each attempt, and none for the logical request.
    assert_eq!(spans.len(), 3);
    assert!(spans.iter().all(|span| span.span_kind == SpanKind::Client));
    assert!(!format!("{spans:?}").contains("hunter2"));

    let ok = attributes(&spans[0]);
    assert_eq!(spans[0].name, "GET /{status}");
    assert_eq!(spans[0].status, Status::Unset);
    let url = "https://REDACTED:REDACTED@api.example.com:8443/200?q=1&sig=REDACTED";
    assert_eq!(ok["url.full"], Value::from(url));
    assert_eq!(ok["http.request.method"], Value::from("GET"));
    assert_eq!(ok["server.address"], Value::from("api.example.com"));
    assert_eq!(ok["server.port"], Value::I64(8443));
    assert_eq!(ok["http.response.status_code"], Value::I64(200));
    assert_eq!(ok["network.protocol.version"], Value::from("1.1"));
    assert!(!ok.contains_key("error.type") && !ok.contains_key("http.request.resend_count"));

    let failed = attributes(&spans[1]);
    assert_eq!(spans[1].name, "GET");
    assert!(matches!(spans[1].status, Status::Error { .. }));
    assert_eq!(failed["http.response.status_code"], Value::I64(503));
    assert_eq!(failed["http.request.resend_count"], Value::I64(1));
    assert_eq!(failed["error.type"], Value::from("503"));
    assert_eq!(failed["server.port"], Value::I64(80));

    let error = attributes(&spans[2]);
    assert!(matches!(spans[2].status, Status::Error { .. }));
    assert_eq!(error["error.type"], Value::from("connection_closed"));
    assert!(!error.contains_key("http.response.status_code"));
}
