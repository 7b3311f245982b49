use super::*;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt, Full};
use standpipe_circuit_breaker::{AtBodyEnd, CircuitBody};
use std::task::{Context, Poll};
use tower::service_fn;

type Stream = Channel<Bytes, BoxError>;

fn layer(threshold: u32) -> CircuitBreakerLayer<AtBodyEnd> {
    layer_of(config().threshold(threshold))
}

fn layer_of(config: CircuitBreakerConfig) -> CircuitBreakerLayer<AtBodyEnd> {
    CircuitBreakerLayer::new(config).unwrap().at_body_end()
}

/// A response that streams what the test sends, and the circuit it belongs to.
async fn streaming(
    layer: &CircuitBreakerLayer<AtBodyEnd>,
) -> (Sender<Bytes, BoxError>, CircuitBody<Stream>, Handle) {
    let (sender, body) = Channel::new(4);
    let slot = standpipe_core::sync::Mutex::new(Some(body));
    let breaker = layer.layer(service_fn(move |()| {
        let body = slot.lock().take().unwrap();
        async { Ok::<_, BoxError>(Response::new(body)) }
    }));
    let circuit = breaker.handle();
    let response = breaker.oneshot(()).await.unwrap();
    (sender, response.into_body(), circuit)
}

/// BRK-14
#[tokio::test]
async fn a_stream_that_dies_half_way_is_a_failure() {
    let (mut sender, mut body, circuit) = streaming(&layer(1)).await;
    sender.send_data("half".into()).await.unwrap();
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "half"
    );
    assert_eq!(circuit.state(), State::Closed);
    sender.abort(Error::new(ErrorKind::ConnectionClosed).into());
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(Error::from_boxed(error).kind(), ErrorKind::ConnectionClosed);
    assert_eq!(
        (circuit.state(), circuit.counts().failures),
        (State::Open, 1)
    );
}

/// BRK-14: judged at the head, it is none.
#[tokio::test]
async fn judged_at_the_head_a_stream_may_die() {
    let (sender, body) = Channel::<Bytes, BoxError>::new(1);
    let slot = standpipe_core::sync::Mutex::new(Some(body));
    let layer = CircuitBreakerLayer::new(config().threshold(1)).unwrap();
    let breaker = layer.layer(service_fn(move |()| {
        let body = slot.lock().take().unwrap();
        async { Ok::<_, BoxError>(Response::new(body)) }
    }));
    let circuit = breaker.handle();
    let response = breaker.oneshot(()).await.unwrap();
    sender.abort("gone".into());
    assert!(response.into_body().collect().await.is_err());
    assert_eq!(circuit.state(), State::Closed);
}

/// BRK-14
#[tokio::test(start_paused = true)]
async fn a_probe_ends_with_its_body() {
    let layer =
        CircuitBreakerLayer::shared(Handle::new(&config().threshold(1)).unwrap()).at_body_end();
    let (sender, body, circuit) = streaming(&layer).await;
    sender.abort("gone".into());
    assert!(body.collect().await.is_err());
    tokio::time::advance(30 * SECOND).await;

    let (mut sender, mut body, _) = streaming(&layer).await;
    assert_eq!(circuit.state(), State::HalfOpen);
    let next = layer.layer(inner_with_body()).oneshot(()).await;
    assert!(Error::from_boxed(next.err().unwrap()).is_circuit_open());
    sender.send_data("all".into()).await.unwrap();
    body.frame().await.unwrap().unwrap();
    assert_eq!(circuit.state(), State::HalfOpen);
    drop(sender);
    assert!(body.frame().await.is_none());
    assert_eq!(circuit.state(), State::Closed);
}

fn inner_with_body() -> impl tower::Service<(), Response = Response<Full<Bytes>>, Error = BoxError>
{
    service_fn(|()| async { Ok(Response::new(Full::from("all"))) })
}

/// Who has the last frame need not ask for another one.
#[tokio::test(start_paused = true)]
async fn the_frame_that_is_said_to_be_the_last_ends_the_call() {
    let config = config().threshold(1).count_successes(true);
    let breaker = layer_of(config).layer(inner_with_body());
    let circuit = breaker.handle();
    let mut body = breaker.oneshot(()).await.unwrap().into_body();
    assert_eq!(circuit.counts().successes, Some(0));
    assert_eq!(
        (body.size_hint().exact(), body.is_end_stream()),
        (Some(3), false)
    );
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "all"
    );
    assert!(body.is_end_stream());
    assert_eq!(circuit.counts().successes, Some(1));
    drop(body);
    assert_eq!(
        (circuit.counts().successes, circuit.counts().ignored),
        (Some(1), 0)
    );
}

#[tokio::test(start_paused = true)]
async fn an_empty_body_ends_with_its_head_and_a_failed_head_decides_at_once() {
    let answer = |code: u16| {
        let config = config().threshold(1).count_successes(true);
        let breaker = layer_of(config).layer(service_fn(move |()| async move {
            let body = if code == 200 { "" } else { "the reason" };
            let mut response = Response::new(Full::<Bytes>::from(body));
            *response.status_mut() = StatusCode::from_u16(code).unwrap();
            Ok::<_, BoxError>(response)
        }));
        async move {
            let circuit = breaker.handle();
            let response = breaker.oneshot(()).await.unwrap();
            let counts = circuit.counts();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            (counts.successes, counts.failures, counts.ignored, body)
        }
    };
    assert_eq!(answer(200).await, (Some(1), 0, 0, "".into()));
    assert_eq!(answer(500).await, (Some(0), 1, 0, "the reason".into()));
    assert_eq!(answer(429).await, (Some(0), 0, 1, "the reason".into()));
}

#[tokio::test(start_paused = true)]
async fn a_body_dropped_before_its_end_is_a_dropped_call() {
    let (_sender, body, circuit) = streaming(&layer(1)).await;
    drop(body);
    assert_eq!(
        (circuit.state(), circuit.counts().ignored),
        (State::Closed, 1)
    );

    let layer = layer_of(config().threshold(1).dropped_after(Some(SECOND)));
    let (_sender, body, circuit) = streaming(&layer).await;
    tokio::time::advance(SECOND).await;
    drop(body);
    assert_eq!(circuit.state(), State::Open);
}

/// A body as rare as they come: trailers, a length of its own, and a panic.
struct Odd {
    frames: Vec<Option<Frame<Bytes>>>,
}

impl Body for Odd {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.frames.pop() {
            Some(Some(frame)) => Poll::Ready(Some(Ok(frame))),
            Some(None) => panic!("the body panics"),
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        hint.set_lower(17);
        hint.set_upper(42);
        hint
    }
}

fn odd(frames: impl IntoIterator<Item = Option<Frame<Bytes>>>) -> Odd {
    let mut frames: Vec<_> = frames.into_iter().collect();
    frames.reverse();
    Odd { frames }
}

async fn answer_with(body: Odd) -> (CircuitBody<Odd>, Handle) {
    let slot = standpipe_core::sync::Mutex::new(Some(body));
    let breaker = layer(1).layer(service_fn(move |()| {
        let body = slot.lock().take().unwrap();
        async { Ok::<_, BoxError>(Response::new(body)) }
    }));
    let circuit = breaker.handle();
    (breaker.oneshot(()).await.unwrap().into_body(), circuit)
}

#[tokio::test]
async fn the_body_hands_on_trailers_and_what_is_known_of_the_length() {
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    let frames = [
        Some(Frame::data("x".into())),
        Some(Frame::trailers(trailers.clone())),
    ];
    let (body, _) = answer_with(odd(frames)).await;
    assert_eq!(
        (body.size_hint().lower(), body.size_hint().upper()),
        (17, Some(42))
    );
    let collected = body.collect().await.unwrap();
    assert_eq!(collected.trailers(), Some(&trailers));
    assert_eq!(collected.to_bytes(), "x");
}

/// BRK-15, PAN-01
#[tokio::test]
async fn a_body_that_panics_is_a_failure() {
    use futures_util::FutureExt;
    let (mut body, circuit) = answer_with(odd([Some(Frame::data("x".into())), None])).await;
    body.frame().await.unwrap().unwrap();
    assert!(
        std::panic::AssertUnwindSafe(body.frame())
            .catch_unwind()
            .await
            .is_err()
    );
    assert_eq!(circuit.state(), State::Open);
}
