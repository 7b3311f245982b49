//! Sends a few requests and prints the spans that OpenTelemetry's SDK got.

use http::Request;
use standpipe_core::{Body, BoxError};
use standpipe_example_otel::{client, subscriber};
use standpipe_metrics::Registry;
use tower::ServiceExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let (subscriber, provider, exporter) = subscriber();
    let _listening = tracing::subscriber::set_default(subscriber);
    let client = client(&Registry::new());
    for path in ["200?q=1&sig=secret", "404", "error"] {
        let request = Request::get(format!("https://api.example.com/{path}")).body(Body::empty())?;
        let _ = client.clone().oneshot(request).await;
    }
    provider.force_flush()?;
    for span in exporter.get_finished_spans()? {
        println!("{} {:?} {:?}", span.name, span.span_kind, span.status);
        for attribute in span.attributes {
            println!("    {} = {}", attribute.key, attribute.value);
        }
    }
    Ok(())
}
