use super::*;
use standpipe_circuit_breaker::{Cause, Transition};
use standpipe_core::sync::Mutex;
use std::sync::Arc;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Transition>>>);

impl Log {
    fn listener(&self) -> impl Fn(&Transition) + Send + Sync + 'static {
        let log = self.clone();
        move |transition| log.0.lock().push(*transition)
    }

    fn steps(&self) -> Vec<(State, State, Cause)> {
        let log = self.0.lock();
        log.iter().map(|t| (t.from, t.to, t.cause)).collect()
    }
}

/// BRK-17
#[tokio::test(start_paused = true)]
async fn a_listener_hears_of_each_transition_once() {
    use State::{Closed, HalfOpen, Open};
    let log = Log::default();
    let rig = rig(config());
    rig.circuit.on_transition(log.listener());
    rig.trip_and_wait().await;
    let _ = rig.send(Do::Answer(500)).await;
    tokio::time::advance(60 * SECOND).await;
    rig.send(Do::Answer(200)).await.unwrap();
    rig.circuit.force_open();
    rig.circuit.force_open();
    rig.circuit.force_closed();
    rig.circuit.reset();
    assert_eq!(
        log.steps(),
        [
            (Closed, Open, Cause::ConsecutiveFailures),
            (Open, HalfOpen, Cause::ResetPeriodOver),
            (HalfOpen, Open, Cause::ProbeFailed),
            (Open, HalfOpen, Cause::ResetPeriodOver),
            (HalfOpen, Closed, Cause::ProbesSucceeded),
            (Closed, Open, Cause::ByHand),
            (Open, Closed, Cause::ByHand),
        ]
    );
    let open_for: Vec<_> = log.0.lock().iter().map(|t| t.open_for).collect();
    let (one, two) = (Some(30 * SECOND), Some(60 * SECOND));
    assert_eq!(open_for, [one, None, two, None, None, None, None]);
    assert_eq!(rig.circuit.counts().transitions, 7);
}

#[tokio::test(start_paused = true)]
async fn a_layers_listener_hears_of_every_circuit_it_makes_and_of_a_shared_one_once() {
    let log = Log::default();
    let layer = CircuitBreakerLayer::new(config().threshold(1)).unwrap();
    let layer = layer.on_transition(log.listener());
    for _ in 0..2 {
        let _ = layer.layer(inner()).oneshot(Do::Answer(500)).await;
    }
    assert_eq!(log.steps().len(), 2);

    let (log, circuit) = (Log::default(), Handle::new(&config().threshold(1)).unwrap());
    let layer = CircuitBreakerLayer::shared(circuit).on_transition(log.listener());
    let (_one, two) = (layer.layer(inner()), layer.layer(inner()));
    let _ = two.oneshot(Do::Answer(500)).await;
    assert_eq!(log.steps().len(), 1);
}

/// BRK-17, PAN-02: no lock is held, and the order is kept where a listener causes the next one.
#[tokio::test(start_paused = true)]
async fn a_listener_may_change_the_state_itself() {
    let log = Log::default();
    let rig = rig(config().threshold(1));
    let circuit = rig.circuit.clone();
    rig.circuit.on_transition(move |transition| {
        assert_eq!(circuit.counts().rejected, 0);
        if transition.to == State::Open {
            circuit.reset();
            circuit.on_transition(|_| {});
        }
    });
    rig.circuit.on_transition(log.listener());
    let _ = rig.send(Do::Answer(500)).await;
    assert_eq!(rig.circuit.state(), State::Closed);
    assert_eq!(
        log.steps(),
        [
            (State::Closed, State::Open, Cause::ConsecutiveFailures),
            (State::Open, State::Closed, Cause::ByHand),
        ]
    );
}

/// BRK-17
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn listeners_hear_of_transitions_in_order_whatever_thread_causes_them() {
    let log = Log::default();
    let config = config().threshold(1).reset_period(Duration::from_nanos(1));
    let rig = rig(config.reset_factor(1.0));
    rig.circuit.on_transition(log.listener());
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8_u32 {
        let breaker = rig.breaker.clone();
        tasks.spawn(async move {
            for n in 0..1_000 {
                let code = if (n + task) % 3 == 0 { 500 } else { 200 };
                let _ = send(&breaker, Do::Answer(code)).await;
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    let log = log.0.lock();
    assert!(log.len() > 10);
    assert_eq!(log.len() as u64, rig.circuit.counts().transitions);
    assert_eq!(log[0].from, State::Closed);
    for pair in log.windows(2) {
        assert_eq!(pair[0].to, pair[1].from);
        assert!(pair[0].generation < pair[1].generation);
    }
    assert_eq!(log.last().unwrap().to, rig.circuit.state());
}

#[tokio::test(start_paused = true)]
async fn the_state_can_be_waited_for() {
    let rig = rig(config().threshold(1));
    let mut watch = rig.circuit.watch();
    assert_eq!(*watch.borrow_and_update(), State::Closed);
    let waits = tokio::spawn({
        let mut watch = rig.circuit.watch();
        async move {
            watch
                .wait_for(|state| *state == State::HalfOpen)
                .await
                .map(|state| *state)
        }
    });
    rig.trip_and_wait().await;
    assert!(watch.has_changed().unwrap());
    assert_eq!(*watch.borrow_and_update(), State::Open);
    let (gate, probe) = rig.begin(200).await;
    assert_eq!(waits.await.unwrap().unwrap(), State::HalfOpen);
    // One that comes later begins with the state that is.
    assert_eq!(*rig.circuit.watch().borrow(), State::HalfOpen);
    gate.open();
    probe.await.unwrap().unwrap();
    assert_eq!(*watch.borrow_and_update(), State::Closed);
    drop(rig);
    assert!(watch.changed().await.is_err());
}
