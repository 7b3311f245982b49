//! The spans of standpipe-metrics in OpenTelemetry's SDK: how the two are put together, with an exporter
//! that keeps what it gets in memory in place of one that sends it.

use http::{Request, Response, StatusCode};
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use standpipe_core::{Body, BoxError, Error, ErrorKind};
use standpipe_metrics::{AttemptMetricsLayer, MetricsLayer, Registry};
use tower::{Layer, Service};
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt;

/// A subscriber that hands each span to OpenTelemetry, and where they arrive.
pub fn subscriber() -> (
    impl Subscriber + Send + Sync,
    SdkTracerProvider,
    InMemorySpanExporter,
) {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("standpipe"));
    (
        tracing_subscriber::registry().with(layer),
        provider,
        exporter,
    )
}

/// A client under both layers, which answers with the status that the path names, and by an error
/// otherwise.
pub fn client(
    registry: &Registry,
) -> impl Service<Request<Body>, Response: Send, Error = BoxError, Future: Send> + Clone + use<> {
    let answer = tower::service_fn(|request: Request<Body>| async move {
        match request.uri().path()[1..].parse::<StatusCode>() {
            Ok(status) => {
                let mut response = Response::new(Body::from("hello"));
                *response.status_mut() = status;
                Ok(response)
            }
            Err(_) => Err::<_, BoxError>(Error::new(ErrorKind::ConnectionClosed).into()),
        }
    });
    let attempts = AttemptMetricsLayer::new(registry.clone()).layer(answer);
    MetricsLayer::new(registry.clone()).layer(attempts)
}
