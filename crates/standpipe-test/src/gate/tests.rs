use std::pin::pin;
use std::task::{Context, Waker};

use super::Gate;

#[tokio::test]
async fn those_who_wait_go_on_when_the_gate_opens() {
    let gate = Gate::new();
    let waiters: Vec<_> = (0..3)
        .map(|_| {
            let gate = gate.clone();
            tokio::spawn(async move { gate.wait().await })
        })
        .collect();
    gate.arrived(3).await;
    assert_eq!(gate.waiting(), 3);
    assert!(waiters.iter().all(|waiter| !waiter.is_finished()));
    gate.open();
    for waiter in waiters {
        waiter.await.unwrap();
    }
    assert_eq!(gate.waiting(), 0);
}

#[tokio::test]
async fn an_open_gate_is_passed_at_once_and_a_closed_one_is_not() {
    let gate = Gate::new();
    gate.open();
    gate.wait().await;
    gate.close();
    let mut wait = pin!(gate.wait());
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(wait.as_mut().poll(cx).is_pending());
    assert!(!gate.is_open());
}

#[tokio::test]
async fn who_gives_up_no_longer_waits() {
    let gate = Gate::new();
    {
        let mut wait = pin!(gate.wait());
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(wait.as_mut().poll(cx).is_pending());
        assert_eq!(gate.waiting(), 1);
    }
    assert_eq!(gate.waiting(), 0);
}
