use super::recorder::Seen;
use super::*;
use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use standpipe_core::{Error, ErrorKind};
use standpipe_metrics::MetricsBody;

type Streamed = Channel<Bytes, BoxError>;

/// A response under the layer whose body is sent by hand.
async fn streaming(registry: &Registry) -> (Sender<Bytes, BoxError>, MetricsBody<Streamed>) {
    let (sender, body) = Channel::new(8);
    let mut body = Some(body);
    let service = tower::service_fn(move |_: Request<Body>| {
        let body = body.take().expect("one request");
        async move { Ok::<_, BoxError>(Response::new(body)) }
    });
    let response = counted(registry, service).oneshot(get(URL)).await.unwrap();
    (sender, response.into_body())
}

#[tokio::test(start_paused = true)]
async fn the_head_and_the_end_of_the_body_are_two_series() {
    let registry = Registry::new();
    let (mut sender, body) = streaming(&registry).await;
    let open = registry.metrics().requests.clone();
    assert_eq!(
        (open.successful, open.bodies.open, open.in_flight),
        (1, 1, 0)
    );
    let reader = tokio::spawn(body.collect());
    tokio::time::advance(Duration::from_secs(4)).await;
    sender.send_data(Bytes::from("hello")).await.unwrap();
    sender.send_data(Bytes::from("you")).await.unwrap();
    drop(sender);
    assert_eq!(reader.await.unwrap().unwrap().to_bytes(), "helloyou");
    let metrics = registry.metrics().requests.clone();
    assert_consistent(&metrics);
    assert_eq!((metrics.bodies.complete, metrics.bytes_in), (1, 8));
    assert_eq!(metrics.latency.total, Duration::ZERO);
    assert_eq!(metrics.latency_to_end.total, Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_counted_as_failed_with_what_came() {
    let seen = Seen::default();
    let registry = Registry::builder().recorder(seen.clone()).build();
    let (mut sender, mut body) = streaming(&registry).await;
    sender.send_data(Bytes::from("half")).await.unwrap();
    body.frame().await.unwrap().unwrap();
    sender.abort(Error::new(ErrorKind::StreamReset).into());
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(
        Error::find(error.as_ref()).unwrap().kind(),
        ErrorKind::StreamReset
    );
    drop(body);
    let told = seen.all().pop().unwrap();
    assert_eq!(told, r#"body Request Some("stream_reset") 4"#);
    let metrics = registry.metrics().requests.clone();
    assert_consistent(&metrics);
    assert_eq!((metrics.bodies.failed, metrics.bodies.abandoned), (1, 0));
    assert_eq!((metrics.bytes_in, metrics.latency_to_end.count), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn a_body_dropped_early_is_counted_as_abandoned_once() {
    let registry = Registry::new();
    let (mut sender, mut body) = streaming(&registry).await;
    sender.send_data(Bytes::from("half")).await.unwrap();
    body.frame().await.unwrap().unwrap();
    assert!(body.is_watched());
    drop(body);
    let metrics = registry.metrics().requests.clone();
    assert_consistent(&metrics);
    assert_eq!((metrics.bodies.abandoned, metrics.bytes_in), (1, 4));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_came_with_its_head_needs_no_watch() {
    let registry = Registry::new();
    let service = counted(&registry, by_path());
    let body = ask(&service, "https://a.b/200").await.unwrap().into_body();
    assert!(!body.is_watched());
    drop(body);
    let metrics = registry.metrics().requests.clone();
    assert_consistent(&metrics);
    assert_eq!((metrics.bodies.complete, metrics.bytes_in), (1, 5));
}

#[tokio::test(start_paused = true)]
async fn whoever_reads_by_the_length_need_not_ask_for_the_end() {
    let registry = Registry::new();
    let service = tower::service_fn(|_: Request<Body>| async {
        let body = http_body_util::Full::new(Bytes::from("12345"));
        Ok::<_, BoxError>(Response::new(body))
    });
    let response = counted(&registry, service).oneshot(get(URL)).await;
    let mut body = response.unwrap().into_body();
    assert_eq!(body.size_hint().exact(), Some(5));
    assert!(!body.is_end_stream());
    body.frame().await.unwrap().unwrap();
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert_eq!(registry.metrics().requests.bodies.complete, 1);
    assert!(body.frame().await.is_none());
    drop(body);
    assert_consistent(&registry.metrics().requests);
}

#[tokio::test]
async fn a_body_that_came_with_its_head_is_watched_by_neither_of_two_layers() {
    let registry = Registry::new();
    let service = counted(&registry, attempts(&registry, by_path()));
    let response = ask(&service, "https://a.b/200").await.unwrap();
    let body = response.into_body();
    assert!(!body.is_watched() && !body.get_ref().is_watched());
    let metrics = registry.metrics();
    assert_eq!(metrics.requests.bodies.complete, 1);
    assert_eq!(metrics.attempts.bodies.complete, 1);
}
