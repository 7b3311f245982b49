use standpipe_core::BoxError;
use tower::{Service, ServiceExt};

use super::Probe;
use crate::Gate;

#[tokio::test]
#[should_panic(expected = "called without having been polled ready")]
async fn a_call_of_an_unready_probe_panics() {
    let _ = Probe::ok("yes").call(()).await;
}

#[tokio::test]
#[should_panic(expected = "called without having been polled ready")]
async fn readiness_serves_one_call() {
    let mut probe = Probe::ok("yes");
    let _ = probe.ready().await.unwrap().call(()).await;
    let _ = probe.call(()).await;
}

#[tokio::test]
#[should_panic(expected = "called without having been polled ready")]
async fn a_clone_of_a_ready_probe_is_not_ready() {
    let mut probe = Probe::ok("yes");
    Service::<()>::poll_ready(&mut probe, &mut noop()).is_ready();
    let _ = probe.clone().call(()).await;
}

#[tokio::test]
async fn it_answers_by_its_function_and_passes_errors_on() {
    let mut probe = Probe::new(async |n: u32| match n {
        0 => Err(BoxError::from("nought")),
        n => Ok(100 / n),
    });
    assert_eq!(probe.ready().await.unwrap().call(5).await.unwrap(), 20);
    let error = probe.ready().await.unwrap().call(0).await.unwrap_err();
    assert_eq!(error.to_string(), "nought");
}

#[tokio::test]
async fn it_counts_its_calls_and_its_clones() {
    let probe = Probe::ok("yes");
    let handle = probe.handle();
    let clone = probe.clone();
    assert_eq!((handle.calls(), handle.clones()), (0, 2));
    clone.oneshot(()).await.unwrap();
    assert_eq!((handle.calls(), handle.clones()), (1, 1));
    probe.oneshot(()).await.unwrap();
    assert_eq!((handle.calls(), handle.clones()), (2, 0));
}

#[tokio::test]
async fn a_request_is_in_flight_until_it_is_answered_or_dropped() {
    let gate = Gate::new();
    let at_gate = gate.clone();
    let mut probe = Probe::new(move |()| {
        let gate = at_gate.clone();
        async move {
            gate.wait().await;
            Ok::<_, BoxError>(())
        }
    });
    let handle = probe.handle();
    let dropped = probe.ready().await.unwrap().call(());
    let answered = tokio::spawn(probe.ready().await.unwrap().call(()));
    handle.called(2).await;
    assert_eq!(handle.in_flight(), 2);
    drop(dropped);
    assert_eq!(handle.in_flight(), 1);
    gate.arrived(1).await;
    gate.open();
    answered.await.unwrap().unwrap();
    assert_eq!(handle.in_flight(), 0);
}

#[tokio::test]
async fn readiness_can_be_withheld_and_what_was_ready_stays_so() {
    let mut was_ready = Probe::ok("yes");
    let handle = was_ready.handle();
    let mut waits = was_ready.clone();
    assert!(Service::<()>::poll_ready(&mut was_ready, &mut noop()).is_ready());

    handle.pending_ready();
    assert!(Service::<()>::poll_ready(&mut was_ready, &mut noop()).is_ready());
    assert!(Service::<()>::poll_ready(&mut waits, &mut noop()).is_pending());
    let waits = tokio::spawn(waits.oneshot(()));
    tokio::task::yield_now().await;
    assert_eq!(handle.calls(), 0);
    handle.allow_ready();
    waits.await.unwrap().unwrap();
    assert_eq!(handle.calls(), 1);
}

fn noop() -> std::task::Context<'static> {
    std::task::Context::from_waker(std::task::Waker::noop())
}
