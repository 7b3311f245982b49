//! Errors and clones.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tower_service::Service;

use super::{FRESH, Inner, Req, assert_broken, call, made, ready};

#[tokio::test(start_paused = true)]
async fn an_error_that_is_swallowed() {
    assert_broken(
        "errors",
        "a call whose inner call fails was answered",
        |inner| {
            made(inner, ready, |inner, request| {
                let answer = inner.call(request);
                Box::pin(async move { Ok(answer.await.unwrap_or_default()) })
            })
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_error_that_becomes_a_text() {
    assert_broken(
        "errors",
        "a call whose inner call fails has another error",
        |inner| {
            made(inner, ready, |inner, request| {
                let answer = inner.call(request);
                Box::pin(async move { answer.await.map_err(|error| error.to_string().into()) })
            })
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_error_of_readiness_that_becomes_a_text() {
    let text = |inner: &mut Inner, cx: &mut Context<'_>| {
        let ready = inner.poll_ready(cx);
        ready.map_err(|error| error.to_string().into())
    };
    let why = "fails to become ready has another error";
    assert_broken("errors", why, |inner| made(inner, text, call)).await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_for_ever_after_one_failure() {
    assert_broken("errors", "the call after one that failed", |inner| {
        let failed = Arc::new(AtomicBool::new(false));
        made(
            (inner, failed),
            |(inner, _), cx| inner.poll_ready(cx),
            |(inner, failed), request| {
                let (answer, failed) = (inner.call(request), failed.clone());
                Box::pin(async move {
                    if failed.load(Ordering::Relaxed) {
                        return Err("it has failed before".into());
                    }
                    let answer = answer.await;
                    failed.store(answer.is_err(), Ordering::Relaxed);
                    answer
                })
            },
        )
    })
    .await;
}

/// Readiness in one flag for all clones.
#[derive(Clone)]
struct Flagged(Inner, Arc<AtomicBool>);

#[tokio::test(start_paused = true)]
async fn a_clone_that_is_ready_because_its_original_was() {
    let flagged = |Flagged(inner, is_ready): &mut Flagged, cx: &mut Context<'_>| {
        if !is_ready.load(Ordering::Relaxed) {
            std::task::ready!(inner.poll_ready(cx))?;
            is_ready.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    };
    let call = |Flagged(inner, is_ready): &mut Flagged, request: Req| {
        is_ready.store(false, Ordering::Relaxed);
        call(inner, request)
    };
    assert_broken("clones", FRESH, |inner| {
        made(Flagged(inner, Arc::default()), flagged, call)
    })
    .await;
}

/// A service that closes for all of its clones once it is dropped.
struct Closing(Inner, Arc<AtomicBool>);

impl Clone for Closing {
    fn clone(&self) -> Self {
        Self(self.0.clone(), self.1.clone())
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.1.store(true, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_clone_that_ends_with_another() {
    let open = |Closing(inner, closed): &mut Closing, cx: &mut Context<'_>| match closed
        .load(Ordering::Relaxed)
    {
        true => Poll::Ready(Err("closed".into())),
        false => inner.poll_ready(cx),
    };
    let call = |Closing(inner, _): &mut Closing, request: Req| call(inner, request);
    assert_broken("clones", "was not ready: closed", |inner| {
        made(Closing(inner, Arc::default()), open, call)
    })
    .await;
}
