//! What a request costs under the layers of standpipe-metrics, over a service that answers at the second poll.
//!
//! `benches/metrics/run` builds this, runs it and prints the table.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};

use http_body_util::Full;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use standpipe_core::{Body, Origin};
use standpipe_metrics::{
    AttemptMetricsLayer, MetricsFacade, MetricsLayer, Registry, SERIES, SeriesKind,
};
use tokio::runtime::Builder;
use tower_layer::Layer;
use tower_service::Service;

const TASKS: usize = 64;

/// One run, as the command line has it.
#[derive(Clone, Debug)]
pub struct Run {
    layer: String,
    prometheus: bool,
    requests: usize,
    threads: usize,
}

impl Run {
    /// From `LAYER none|prometheus REQUESTS THREADS`, where the layer is `none`, `request`,
    /// `attempt`, `both`, or one of them with `-full` for a body that is read after the head.
    pub fn from_args() -> Result<Self, &'static str> {
        let usage = "LAYER none|prometheus REQUESTS THREADS";
        let mut args = std::env::args().skip(1);
        let mut next = || args.next().ok_or(usage);
        Ok(Self {
            layer: next()?,
            prometheus: next()? == "prometheus",
            requests: next()?.parse().map_err(|_| usage)?,
            threads: next()?.parse().map_err(|_| usage)?,
        })
    }

    /// Runs it; `meter` is read before and after. Gives the time, and by how much it rose.
    pub fn run(&self, meter: impl Fn() -> usize) -> (Duration, usize) {
        let (registry, handle) = registry(self.prometheus);
        let origin = Origin::parse("https://api.example.com").expect("an origin");
        let request = MetricsLayer::new(registry.clone());
        let attempt = AttemptMetricsLayer::for_origin(registry.clone(), &origin);
        let measured = match self.layer.as_str() {
            "none" => self.drive(Echo(Body::from), &meter, &handle),
            "none-full" => self.drive(Echo(Full::new), &meter, &handle),
            "request" => self.drive(request.layer(Echo(Body::from)), &meter, &handle),
            "request-full" => self.drive(request.layer(Echo(Full::new)), &meter, &handle),
            "attempt" => self.drive(attempt.layer(Echo(Body::from)), &meter, &handle),
            "attempt-full" => self.drive(attempt.layer(Echo(Full::new)), &meter, &handle),
            "both" => self.drive(
                request.layer(attempt.layer(Echo(Body::from))),
                &meter,
                &handle,
            ),
            other => panic!("no layer {other}"),
        };
        let counted = registry.metrics();
        assert!(
            self.layer.starts_with("none") || counted.requests.total + counted.attempts.total > 0
        );
        measured
    }

    fn drive<S, R>(
        &self,
        service: S,
        meter: &impl Fn() -> usize,
        handle: &Option<PrometheusHandle>,
    ) -> (Duration, usize)
    where
        S: Service<Request<Body>, Response = Response<R>, Future: Send> + Clone + Send + 'static,
        S::Error: std::fmt::Debug,
        R: http_body::Body + Send + Unpin,
    {
        let mut builder = match self.threads {
            1 => Builder::new_current_thread(),
            threads => {
                let mut builder = Builder::new_multi_thread();
                builder.worker_threads(threads);
                builder
            }
        };
        let runtime = builder.build().expect("a runtime");
        let each = self.requests / TASKS;
        // Once without the clock, so that all handles are there.
        runtime.block_on(load(&service, 200));
        if let Some(handle) = handle {
            handle.run_upkeep();
        }
        let before = meter();
        let start = Instant::now();
        runtime.block_on(load(&service, each));
        (start.elapsed(), meter() - before)
    }
}

async fn load<S, R>(service: &S, each: usize)
where
    S: Service<Request<Body>, Response = Response<R>, Future: Send> + Clone + Send + 'static,
    S::Error: std::fmt::Debug,
    R: http_body::Body + Send + Unpin,
{
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let mut service = service.clone();
            tokio::spawn(async move {
                let uri = http::Uri::from_static("https://api.example.com/v1/messages");
                for _ in 0..each {
                    let mut request = Request::new(Body::empty());
                    *request.uri_mut() = uri.clone();
                    std::future::poll_fn(|cx| service.poll_ready(cx))
                        .await
                        .expect("ready");
                    let response = service.call(request).await.expect("an answer");
                    let mut body = response.into_body();
                    while !body.is_end_stream() {
                        let frame =
                            std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx));
                        if frame.await.is_none() {
                            break;
                        }
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a task");
    }
}

fn registry(prometheus: bool) -> (Registry, Option<PrometheusHandle>) {
    if !prometheus {
        return (Registry::new(), None);
    }
    let mut builder = PrometheusBuilder::new();
    for series in SERIES.iter().filter(|s| s.kind == SeriesKind::Histogram) {
        builder = builder
            .set_buckets_for_metric(Matcher::Full(series.name.to_owned()), series.buckets)
            .expect("bounds");
    }
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    let facade = MetricsFacade::with(recorder);
    (Registry::builder().recorder(facade).build(), Some(handle))
}

/// Answers with the same few bytes, at the second poll: all tasks' requests are under way together.
#[derive(Clone)]
struct Echo<F>(F);

/// An answer on its way.
struct Answer<F> {
    body: F,
    polled: bool,
}

impl<F, R> Service<Request<Body>> for Echo<F>
where
    F: Fn(Bytes) -> R + Copy + Unpin,
{
    type Response = Response<R>;
    type Error = Infallible;
    type Future = Answer<F>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        Answer {
            body: self.0,
            polled: false,
        }
    }
}

impl<F, R> Future for Answer<F>
where
    F: Fn(Bytes) -> R + Unpin,
{
    type Output = Result<Response<R>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !std::mem::replace(&mut self.polled, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let body = (self.body)(Bytes::from_static(b"hello"));
        Poll::Ready(Ok(Response::new(body)))
    }
}
