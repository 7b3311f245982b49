use std::num::NonZeroUsize;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt, Full};
use standpipe_core::{BoxError, Deadline, ErrorKind};
use standpipe_rate_limit::ConcurrencyLimitLayer;
use standpipe_test::{Gate, Probe};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};

use crate::{Record, error, ms, ready, request};

fn limit(limit: usize) -> ConcurrencyLimitLayer {
    ConcurrencyLimitLayer::new(NonZeroUsize::new(limit).unwrap())
}

type Streaming = Channel<Bytes>;

type Answered = std::future::Ready<Result<Response<Streaming>, BoxError>>;

/// Answers with bodies whose writers are sent to the test.
fn streaming(
    bodies: UnboundedSender<Sender<Bytes>>,
) -> impl Service<
    Request<crate::Empty>,
    Response = Response<Streaming>,
    Error = BoxError,
    Future = Answered,
> + Clone {
    tower::service_fn(move |_: Request<crate::Empty>| {
        let (writer, body) = Channel::new(4);
        let _ = bodies.send(writer);
        std::future::ready(Ok(Response::new(body)))
    })
}

#[tokio::test(start_paused = true)]
async fn a_permit_is_held_to_the_end_of_the_body() {
    let (bodies, mut writers) = unbounded_channel();
    let inner = streaming(bodies);
    let mut service = limit(1).layer(inner);
    let handle = service.handle();
    let mut response = ready(&mut service).call(request()).await.unwrap();
    let mut waiting = Box::pin(ready(&mut service).call(request()));
    assert!(futures_util::poll!(waiting.as_mut()).is_pending());
    assert_eq!((handle.in_flight(), handle.waiting()), (1, 1));
    let mut writer = writers.recv().await.unwrap();
    writer.send_data(Bytes::from("a")).await.unwrap();
    response.body_mut().frame().await.unwrap().unwrap();
    assert!(futures_util::poll!(waiting.as_mut()).is_pending());
    drop(writer);
    assert!(response.body_mut().frame().await.is_none());
    // The body is still there; its permit is not.
    let next = waiting.await.unwrap();
    assert_eq!((handle.in_flight(), handle.waiting()), (1, 0));
    drop(next);
    assert_eq!(handle.in_flight(), 0);
    drop(response);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_has_ended_at_the_head_holds_nothing_and_hints_pass() {
    let inner = tower::service_fn(|length: Request<usize>| async move {
        let body = Full::new(Bytes::from(vec![0; *length.body()]));
        Ok::<_, BoxError>(Response::new(body))
    });
    let mut service = limit(1).reject().layer(inner);
    let ended = service.call(Request::new(0)).await.unwrap();
    let full = service.call(Request::new(3)).await.unwrap();
    assert!(ended.body().is_end_stream() && !full.body().is_end_stream());
    assert_eq!(full.body().size_hint().exact(), Some(3));
    let refused = error(service.call(Request::new(1)).await);
    assert_eq!(
        (refused.kind(), refused.retry_after()),
        (ErrorKind::RateLimited, None)
    );
    full.into_body().collect().await.unwrap();
    service.call(Request::new(1)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_failed_body_and_a_failed_call_give_their_permits_back() {
    let (bodies, mut writers) = unbounded_channel();
    let inner = streaming(bodies);
    let mut service = limit(1).reject().layer(inner);
    let mut response = ready(&mut service).call(request()).await.unwrap();
    drop(writers.recv().await.unwrap());
    let _ = response.body_mut().frame().await;
    assert_eq!(service.handle().in_flight(), 0);

    let failing =
        tower::service_fn(|_| async { Err::<Response<Streaming>, BoxError>("no".into()) });
    let mut service = limit(1).reject().layer(failing);
    error(ready(&mut service).call(request()).await);
    assert_eq!(
        error(ready(&mut service).call(request()).await).kind(),
        ErrorKind::Other
    );
}

#[tokio::test(start_paused = true)]
async fn waiters_are_served_in_order_and_one_that_leaves_passes_its_place_on() {
    let gate = Gate::new();
    let inner = Probe::new({
        let gate = gate.clone();
        move |_: Request<crate::Empty>| {
            let gate = gate.clone();
            async move {
                gate.wait().await;
                Ok::<_, BoxError>(Response::new(crate::Empty::new()))
            }
        }
    });
    let probe = inner.handle();
    let service = limit(1).layer(inner);
    let first = tokio::spawn(service.clone().oneshot(request()));
    tokio::task::yield_now().await;
    let mut dropped = Box::pin(service.clone().oneshot(request()));
    let mut last = Box::pin(service.clone().oneshot(request()));
    assert!(futures_util::poll!(dropped.as_mut()).is_pending());
    assert!(futures_util::poll!(last.as_mut()).is_pending());
    gate.open();
    first.await.unwrap().unwrap();
    // It was given the permit, and never polled again.
    drop(dropped);
    last.await.unwrap();
    assert_eq!(probe.calls(), 2);
    assert_eq!(service.handle().waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_a_permit_ends_with_max_wait_and_with_the_deadline() {
    let (bodies, _writers) = unbounded_channel();
    let inner = streaming(bodies);
    let mut service = limit(1).max_wait(ms(300)).layer(inner);
    let _held = ready(&mut service).call(request()).await.unwrap();
    let begin = Instant::now();
    assert_eq!(
        error(ready(&mut service).call(request()).await).kind(),
        ErrorKind::RateLimited
    );
    assert_eq!(begin.elapsed(), ms(300));
    let mut late = request();
    Deadline::after(ms(100)).attach(&mut late);
    assert_eq!(
        error(ready(&mut service).call(late).await).kind(),
        ErrorKind::RateLimited
    );
    assert_eq!(begin.elapsed(), ms(400));
    let mut over = request();
    Deadline::after(Duration::ZERO).attach(&mut over);
    assert!(error(ready(&mut service).call(over).await).is_rate_limited());
    assert_eq!(begin.elapsed(), ms(400));
}

/// linkerd2-proxy #751
#[tokio::test(start_paused = true)]
async fn readiness_takes_no_permit_and_a_handle_shares_the_limit() {
    let (bodies, _writers) = unbounded_channel();
    let inner = streaming(bodies);
    let service = limit(1).reject().layer(inner.clone());
    let mut reserved = service.clone();
    reserved.ready().await.unwrap();
    let _held = service.clone().oneshot(request()).await.unwrap();
    let shared = ConcurrencyLimitLayer::shared(&service.handle()).reject();
    let mut shared = shared.layer(inner);
    assert!(error(ready(&mut shared).call(request()).await).is_rate_limited());
    assert_eq!(shared.handle().limit(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_raised_under_those_who_wait_and_lowered_under_those_under_way() {
    let mut service = limit(3).layer(Record::new().service());
    let handle = service.handle();
    let to = |limit| NonZeroUsize::new(limit).unwrap();
    let mut under_way: Vec<_> = (0..3)
        .map(|_| ready(&mut service).call(request()))
        .collect();
    let mut fourth = Box::pin(ready(&mut service).call(request()));
    assert!(futures_util::poll!(fourth.as_mut()).is_pending());

    handle.set_limit(to(1));
    assert_eq!((handle.limit(), handle.in_flight()), (1, 3));
    under_way.truncate(1);
    assert!(futures_util::poll!(fourth.as_mut()).is_pending());
    assert_eq!(handle.in_flight(), 1);

    handle.set_limit(to(2));
    fourth.await.unwrap();
    assert_eq!((handle.limit(), handle.in_flight()), (2, 1));

    // Lower and higher again while all are out: what is owed is paid first.
    under_way.push(ready(&mut service).call(request()));
    handle.set_limit(to(1));
    handle.set_limit(to(4));
    assert_eq!((handle.in_flight(), handle.waiting()), (2, 0));
    under_way.extend((0..2).map(|_| ready(&mut service).call(request())));
    let mut fifth = Box::pin(ready(&mut service).call(request()));
    assert!(futures_util::poll!(fifth.as_mut()).is_pending());
    drop(under_way);
    fifth.await.unwrap();
    assert_eq!((handle.in_flight(), handle.waiting()), (0, 0));
}
