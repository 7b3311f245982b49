use super::*;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use standpipe_test::Probe;

#[tokio::test(start_paused = true)]
async fn each_request_counts_once_by_how_it_ended() {
    let registry = Registry::new();
    let service = counted(&registry, by_path());
    for path in [
        "/200", "/204", "/301", "/404", "/429", "/500", "/503", "/799",
    ] {
        let response = ask(&service, &format!("https://a.b{path}")).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
    for path in ["/error", "/foreign", "/refused", "/refused"] {
        ask(&service, &format!("https://a.b{path}"))
            .await
            .unwrap_err();
    }
    let metrics = registry.metrics().requests.clone();
    assert_consistent(&metrics);
    assert_eq!(
        (metrics.total, metrics.successful, metrics.failed),
        (12, 5, 7)
    );
    assert_eq!(
        (metrics.errors, metrics.rejected, metrics.responses),
        (4, 2, 8)
    );
    assert_eq!((metrics.cancelled, metrics.in_flight), (0, 0));
    let statuses = metrics.statuses;
    assert_eq!((statuses.success, statuses.redirection), (2, 1));
    assert_eq!((statuses.client_error, statuses.too_many_requests), (1, 1));
    assert_eq!(statuses.server_error, 3);
    let kinds = [("_OTHER", 1), ("connection_closed", 1), ("rate_limited", 2)];
    assert_eq!(metrics.errors_by_kind, kinds.into());
    assert_eq!(registry.metrics().attempts, RequestMetrics::default());
}

#[tokio::test(start_paused = true)]
async fn a_request_dropped_before_its_head_is_cancelled_exactly_once() {
    let registry = Registry::new();
    let service = counted(&registry, by_path());
    // Never polled, polled once, and polled to its end.
    drop(call(&service, "https://a.b/never"));
    let mut polled = call(&service, "https://a.b/never");
    assert!(poll(&mut polled).is_pending());
    let metrics = registry.metrics().requests.clone();
    assert_eq!((metrics.cancelled, metrics.in_flight), (1, 1));
    drop(polled);
    let mut done = call(&service, "https://a.b/200");
    assert!(poll(&mut done).is_ready());
    drop(done);
    let metrics = registry.metrics().requests.clone();
    assert_consistent(&metrics);
    assert_eq!(
        (metrics.total, metrics.cancelled, metrics.successful),
        (3, 2, 1)
    );
}

/// PAN-01
#[tokio::test(start_paused = true)]
async fn a_request_whose_service_panics_is_cancelled() {
    let registry = Registry::new();
    let in_call = counted(
        &registry,
        tower::service_fn(|_: Request<Body>| -> Answering { panic!("in call") }),
    );
    let in_poll = counted(
        &registry,
        tower::service_fn(|_: Request<Body>| -> Answering {
            Box::pin(async { panic!("in poll") })
        }),
    );
    tokio::spawn(in_call.oneshot(get(URL))).await.unwrap_err();
    tokio::spawn(in_poll.oneshot(get(URL))).await.unwrap_err();
    let metrics = registry.metrics().requests.clone();
    assert_consistent(&metrics);
    assert_eq!((metrics.total, metrics.cancelled), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn latency_is_the_time_to_the_head_of_what_was_not_cancelled() {
    let registry = Registry::new();
    let service = counted(&registry, by_path());
    for path in ["/200/1", "/500/3", "/error/2"] {
        let _ = ask(&service, &format!("https://a.b{path}")).await;
    }
    let wait = Duration::from_secs(60);
    let cancelled = ask(&service, "https://a.b/never");
    tokio::time::timeout(wait, cancelled).await.unwrap_err();
    let latency = registry.metrics().requests.latency;
    assert_eq!((latency.count, latency.total.as_secs()), (3, 6));
    assert_eq!(latency.average.as_secs(), 2);
    for (got, exact) in [(latency.p50, 2.0), (latency.p99, 3.0), (latency.p999, 3.0)] {
        assert!((got.as_secs_f64() / exact - 1.0).abs() <= 0.125, "{got:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn logical_requests_and_attempts_are_told_apart() {
    let registry = Registry::new();
    let inner = attempts(&registry, by_path());
    // A retry of the simplest kind: asks twice more.
    let retry = tower::service_fn(move |request: Request<Body>| {
        let inner = inner.clone();
        async move {
            let url = request.uri().to_string();
            for _ in 0..2 {
                ask(&inner, &url).await?;
            }
            ask(&inner, &url).await
        }
    });
    let service = counted(&registry, retry);
    let response = ask(&service, "https://a.b/503").await.unwrap();
    response.into_body().collect().await.unwrap();
    let metrics = registry.metrics();
    assert_eq!((metrics.requests.total, metrics.attempts.total), (1, 3));
    assert_eq!((metrics.requests.failed, metrics.attempts.failed), (1, 3));
    let host = registry.host_metrics("a.b").unwrap();
    assert_eq!(host.figures, metrics.figures);
}

#[tokio::test(start_paused = true)]
async fn bytes_out_are_those_of_known_length_that_were_answered() {
    let registry = Registry::new();
    let service = counted(&registry, by_path());
    let post = |path: &str, body: Body| {
        Request::post(format!("https://a.b{path}"))
            .body(body)
            .unwrap()
    };
    let stream = Body::from_stream(futures_util::stream::iter([Ok::<_, BoxError>(
        Bytes::from("unknown"),
    )]));
    for request in [
        post("/200", Body::from("seven..")),
        post("/error", Body::from("lost")),
        post("/200", stream),
    ] {
        let _ = service.clone().oneshot(request).await;
    }
    assert_eq!(registry.metrics().requests.bytes_out, 7);
}

#[tokio::test(start_paused = true)]
async fn it_is_ready_when_the_inner_service_is_and_calls_the_ready_one() {
    let registry = Registry::new();
    let probe = Probe::new(|_: Request<Full<Bytes>>| async {
        Ok::<_, BoxError>(Response::new(Full::new(Bytes::from("x"))))
    });
    let mut service = counted(&registry, attempts(&registry, probe));
    for _ in 0..3 {
        let request = Request::get(URL).body(Full::default()).unwrap();
        service.ready().await.unwrap().call(request).await.unwrap();
    }
    // A ready clone that is never called holds nothing.
    let mut idle = service.clone();
    idle.ready().await.unwrap();
    drop(idle);
    assert_eq!(registry.metrics().requests.total, 3);
}

/// Of a host that is busy, each thread counts for itself, and a head with which all of its body came in one
/// place.
#[tokio::test(start_paused = true)]
async fn the_times_of_a_busy_host_are_those_to_the_head_and_to_the_end() {
    let registry = Registry::new();
    let service = counted(&registry, by_path());
    for _ in 0..1_100 {
        ask(&service, "https://a.b/200").await.unwrap();
    }
    for _ in 0..3_300 {
        ask(&service, "https://a.b/200/2").await.unwrap();
    }
    let requests = registry.metrics().requests.clone();
    for latency in [requests.latency, requests.latency_to_end] {
        assert_eq!(latency.count, 4_400);
        assert_eq!(latency.average, Duration::from_millis(1_500));
        let p50 = latency.p50.as_secs_f64();
        assert!((1.75..=2.25).contains(&p50), "{p50}");
    }
    assert_eq!(
        (requests.bodies.complete, requests.bytes_in),
        (4_400, 22_000)
    );
}

#[tokio::test(start_paused = true)]
async fn a_url_without_a_host_counts_for_the_others() {
    let registry = Registry::new();
    let service = counted(&registry, by_path());
    for url in ["/200", "ftp://a.b/200", "https://u:hunter2@a.b/200"] {
        ask(&service, url).await.unwrap();
    }
    assert_eq!(registry.host_metrics("_OTHER").unwrap().requests.total, 3);
    assert_eq!(registry.metrics().hosts, 0);

    // Nor when a thread knows the host of that name well.
    for _ in 0..1_100 {
        ask(&service, "http://a.b/200").await.unwrap();
    }
    ask(&service, "ftp://a.b/200").await.unwrap();
    assert_eq!(registry.host_metrics("_OTHER").unwrap().requests.total, 4);
    assert_eq!(registry.host_metrics("a.b").unwrap().requests.total, 1_100);
}
