//! A pool's metrics for Prometheus: serves `/metrics` while a mixed load is sent, and goes on serving
//! until it is ended.
//!
//! `cargo run --example prometheus`

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusRecorder};
use standpipe::metrics::{MetricsFacade, SERIES, SeriesKind};
use standpipe::{BoxError, Error, Pool, RequestBuilder};
use standpipe_test::Server;
use tokio::net::TcpListener;
use tokio::sync::Notify;

const ROUNDS: usize = 50;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let recorder = recorder()?;
    let handle = recorder.handle();
    // For a whole process: `install_recorder()`, and then a pool needs no `recorder`.
    let pool = Pool::builder()
        .recorder(MetricsFacade::with(recorder))
        .initial_retry_delay(Duration::from_millis(5))
        .build()?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("metrics at http://{}/metrics", listener.local_addr()?);
    let scraped = get(move || std::future::ready(handle.render()));
    let metrics = Router::new().route("/metrics", scraped);
    let serving = tokio::spawn(async move { axum::serve(listener, metrics).await });

    let site = Arc::new(Site::default());
    let server = Server::builder()
        .handler({
            let site = Arc::clone(&site);
            move |request| answer(Arc::clone(&site), request)
        })
        .start()
        .await;
    let sent = send(&pool, &server.url(""), &site).await;
    println!("{sent} requests were sent; ctrl-c ends this");
    tokio::select! {
        ended = serving => Ok(ended??),
        ctrl_c = tokio::signal::ctrl_c() => Ok(ctrl_c?),
    }
}

/// The exporter, with the bounds that OpenTelemetry gives each histogram.
fn recorder() -> Result<PrometheusRecorder, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for series in SERIES {
        if series.kind == SeriesKind::Histogram {
            let name = Matcher::Full(series.name.to_owned());
            builder = builder.set_buckets_for_metric(name, series.buckets)?;
        }
    }
    Ok(builder.build_recorder())
}

/// Answers, pages that are missing, failures that a retry gets over, a host that is down, and callers
/// who do not wait. Says how many there were.
async fn send(pool: &Pool, base: &str, site: &Site) -> usize {
    for _ in 0..ROUNDS {
        for path in ["/", "/missing", "/flaky"] {
            let _answer = read(pool.get(format!("{base}{path}"))).await;
        }
        let _answer = read(pool.post(format!("{base}/")).body("some data")).await;
        // Given up once the server has it.
        tokio::select! {
            _answer = read(pool.get(format!("{base}/never"))) => {}
            () = site.kept_waiting.notified() => {}
        }
        // Nobody listens there: after five failures the circuit is open.
        let _refused = read(pool.get("http://127.0.0.1:1/")).await;
    }
    6 * ROUNDS
}

async fn read(request: RequestBuilder) -> Result<Bytes, Error> {
    request.send().await?.bytes().await
}

#[derive(Default)]
struct Site {
    flaky: AtomicUsize,
    kept_waiting: Notify,
}

/// Every other answer to `/flaky` is a 503, and `/never` has none.
async fn answer(site: Arc<Site>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let _upload = body.collect().await;
    let mut response = Response::new(Full::from("hello"));
    *response.status_mut() = match head.uri.path() {
        "/missing" => StatusCode::NOT_FOUND,
        "/flaky" if site.flaky.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        "/never" => {
            site.kept_waiting.notify_one();
            std::future::pending().await
        }
        _ => StatusCode::OK,
    };
    response
}
