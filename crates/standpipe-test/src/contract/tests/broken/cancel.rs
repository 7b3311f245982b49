//! Cancel safety, unused readiness and panics.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use http::Response;
use standpipe_core::sync::Mutex;
use tokio::sync::Semaphore;
use tower_service::Service;

use super::{Inner, assert_broken, call, made, ready};

#[tokio::test(start_paused = true)]
async fn a_call_that_goes_on_in_a_task_when_it_was_dropped() {
    assert_broken(
        "cancel safety",
        "is still in flight in the inner service",
        |inner| {
            made(inner, ready, |inner, request| {
                let task = tokio::spawn(inner.call(request));
                Box::pin(async move { task.await? })
            })
        },
    )
    .await;
}

/// A limit on what is under way, of one.
type Limited = (Inner, Arc<Semaphore>);

fn limited(inner: Inner) -> Limited {
    (inner, Arc::new(Semaphore::new(1)))
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_comes_back_by_code_after_an_await() {
    assert_broken(
        "cancel safety",
        "the call after a call that was dropped",
        |inner| {
            made(
                limited(inner),
                |(inner, _), cx| inner.poll_ready(cx),
                |(inner, limit), request| {
                    let (mut inner, limit) =
                        (std::mem::replace(inner, inner.clone()), limit.clone());
                    Box::pin(async move {
                        limit.acquire().await?.forget();
                        let answer = inner.call(request).await;
                        limit.add_permits(1);
                        answer
                    })
                },
            )
        },
    )
    .await;
}

/// A limit of one with a line of wakers, of which an end wakes the first: though that be gone.
#[derive(Default)]
struct Line(Mutex<(bool, VecDeque<Waker>)>);

impl Line {
    fn poll(self: &Arc<Self>, cx: &Context<'_>) -> Poll<Under> {
        let mut state = self.0.lock();
        let (busy, line) = &mut *state;
        if *busy {
            line.push_back(cx.waker().clone());
            return Poll::Pending;
        }
        *busy = true;
        Poll::Ready(Under(self.clone()))
    }
}

struct Under(Arc<Line>);

impl Drop for Under {
    fn drop(&mut self) {
        let first = {
            let mut state = self.0.0.lock();
            state.0 = false;
            state.1.pop_front()
        };
        if let Some(first) = first {
            first.wake();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_whose_turn_goes_to_one_that_has_left() {
    let why = "a call that waited for one that was dropped did not end in 60s";
    assert_broken("cancel safety", why, |inner| {
        let line = Arc::new(Line::default());
        made(
            (inner, line),
            |(inner, _), cx| inner.poll_ready(cx),
            |(inner, line), request| {
                let (mut inner, line) = (std::mem::replace(inner, inner.clone()), line.clone());
                Box::pin(async move {
                    let _under = std::future::poll_fn(|cx| line.poll(cx)).await;
                    inner.call(request).await
                })
            },
        )
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_readiness_took_and_a_drop_does_not_give_back() {
    let take = |(inner, limit): &mut Limited, cx: &mut Context<'_>| {
        std::task::ready!(inner.poll_ready(cx))?;
        match limit.try_acquire() {
            Ok(permit) => {
                permit.forget();
                Poll::Ready(Ok(()))
            }
            Err(_) => Poll::Ready(Err("no permit is left".into())),
        }
    };
    assert_broken("unused readiness", "no permit is left", |inner| {
        let limited = (inner, Arc::new(Semaphore::new(8)));
        made(limited, take, |(inner, limit), request| {
            let (answer, limit) = (inner.call(request), limit.clone());
            let back = Back(limit);
            Box::pin(async move {
                let answer = answer.await;
                drop(back);
                answer
            })
        })
    })
    .await;
}

/// Gives a permit back.
struct Back(Arc<Semaphore>);

impl Drop for Back {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_that_a_panic_leaves_behind() {
    assert_broken("panics", "it is busy", |inner| {
        let busy = Arc::new(AtomicBool::new(false));
        made(
            (inner, busy),
            |(inner, _), cx| inner.poll_ready(cx),
            |(inner, busy), request| {
                if busy.swap(true, Ordering::Relaxed) {
                    return Box::pin(async { Err("it is busy".into()) });
                }
                let answer = call(inner, request);
                busy.store(false, Ordering::Relaxed);
                answer
            },
        )
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_that_becomes_an_answer() {
    assert_broken(
        "panics",
        "a call whose inner future panics was answered",
        |inner| {
            made(inner, ready, |inner, request| {
                let mut answer = Box::pin(inner.call(request));
                Box::pin(std::future::poll_fn(move |cx| {
                    let poll =
                        std::panic::catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(cx)));
                    poll.unwrap_or_else(|_| Poll::Ready(Ok(Response::default())))
                }))
            })
        },
    )
    .await;
}
