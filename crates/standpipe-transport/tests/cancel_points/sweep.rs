//! The sweep: each scenario once for each number of polls after which it is dropped.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use standpipe_core::Error;
use tokio::task::yield_now;

use crate::support::{answer_to, get, head_of, read, send, until};
use crate::world::{Before, LIMIT, Scenario, World, scenarios};

/// More polls than any scenario takes.
const MANY: usize = 400;

/// Runs the scenario, drops its request after `polls`, and says whether it came to its end before.
async fn drop_after(scenario: Scenario, polls: usize, patient: bool) -> bool {
    let mut world = World::new(scenario);
    world.prepare(scenario.before).await;
    let held: Vec<_> = match scenario.before {
        Before::Busy => (0..LIMIT)
            .map(|_| send(&world.transport, get(&world.url("/held"))))
            .map(|sent| tokio::spawn(answer_to(sent)))
            .collect(),
        _ => Vec::new(),
    };
    if scenario.before == Before::Busy {
        until(|| world.gate.waiting() == LIMIT).await;
    }
    let request = world.request(scenario.upload, "/it/");
    let expected = if scenario.upload { "/it/body" } else { "/it/" };
    let mut ended = false;
    {
        let exchange = async {
            let response = head_of(&world.transport, request).await?;
            read(response).await
        };
        let mut exchange = pin!(exchange);
        for n in 0..polls {
            if n == 2 {
                world.gate.open();
            }
            // A patient one is polled once, and meanwhile it is granted what it never collects.
            if n == 0 || !patient {
                let polled = poll_fn(|cx| Poll::Ready(exchange.as_mut().poll(cx))).await;
                if let Poll::Ready(body) = polled {
                    let body: Result<_, Error> = body;
                    match body {
                        Ok(body) => assert_eq!(body, expected),
                        // Written before the close was seen: the caller's to send again.
                        Err(error) => {
                            assert_eq!(scenario.before, Before::Stale, "{error:?}");
                            assert!(error.calls_for_resend(), "{error:?}");
                        }
                    }
                    ended = true;
                    break;
                }
            }
            yield_now().await;
        }
    }
    world.gate.open();
    for held in held {
        assert_eq!(held.await.unwrap().unwrap(), "/held");
    }
    world
        .check(&format!("{scenario:?} after {polls} polls"))
        .await;
    ended
}

async fn sweep(which: impl Fn(&Scenario) -> bool) {
    for scenario in scenarios().into_iter().filter(which) {
        let mut ended = false;
        for polls in 0..MANY {
            if drop_after(scenario, polls, false).await {
                ended = true;
                break;
            }
        }
        assert!(ended, "{scenario:?} takes more than {MANY} polls");
        for turns in (1..40).step_by(3) {
            drop_after(scenario, turns, true).await;
        }
    }
}

/// CAN-01, CAN-03, CAN-06, CAN-07, CAN-08, CAN-09
#[tokio::test(start_paused = true)]
async fn over_http1_a_request_may_be_dropped_after_any_number_of_polls() {
    sweep(|scenario| !scenario.http2 && !scenario.tls).await;
}

/// CAN-01, CAN-03, CAN-06, CAN-08, CAN-09
#[tokio::test(start_paused = true)]
async fn over_http2_a_request_may_be_dropped_after_any_number_of_polls() {
    sweep(|scenario| scenario.http2 && !scenario.tls).await;
}

/// CAN-03
#[tokio::test(start_paused = true)]
async fn over_tls_a_request_may_be_dropped_after_any_number_of_polls() {
    sweep(|scenario| !scenario.http2 && scenario.tls).await;
}

/// CAN-03
#[tokio::test(start_paused = true)]
async fn over_http2_and_tls_a_request_may_be_dropped_after_any_number_of_polls() {
    sweep(|scenario| scenario.http2 && scenario.tls).await;
}
