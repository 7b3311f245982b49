//! Readiness and backpressure.

use std::task::{Context, Poll, Waker};

use tower_service::Service;

use super::{FRESH, Inner, Req, assert_broken, call, made, ready};

#[tokio::test(start_paused = true)]
async fn a_fresh_clone_that_is_called() {
    assert_broken("readiness", FRESH, |inner| {
        made(inner, ready, |inner, request| {
            let mut clone = inner.clone();
            Box::pin(async move { clone.call(request).await })
        })
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn readiness_that_is_not_asked_for() {
    let always = |_: &mut Inner, _: &mut Context<'_>| Poll::Ready(Ok(()));
    assert_broken("readiness", FRESH, |inner| made(inner, always, call)).await;
}

#[tokio::test(start_paused = true)]
async fn a_second_call_on_the_same_readiness() {
    assert_broken("readiness", FRESH, |inner| {
        made(inner, ready, |inner, request| {
            let twice = (inner.call(request), inner.call(Req::default()));
            Box::pin(async move {
                twice.0.await?;
                twice.1.await
            })
        })
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn readiness_that_is_asked_for_once_and_for_all() {
    let once = |(inner, was): &mut (Inner, bool), cx: &mut Context<'_>| {
        if !*was {
            std::task::ready!(inner.poll_ready(cx))?;
            *was = true;
        }
        Poll::Ready(Ok(()))
    };
    assert_broken("readiness", FRESH, |inner| {
        made((inner, false), once, |(inner, _), request| {
            call(inner, request)
        })
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_call_while_the_inner_service_is_not_ready() {
    let hasty = |inner: &mut Inner, cx: &mut Context<'_>| {
        let _ = inner.poll_ready(cx)?;
        Poll::Ready(Ok(()))
    };
    assert_broken("backpressure", FRESH, |inner| made(inner, hasty, call)).await;
}

#[tokio::test(start_paused = true)]
async fn a_waker_that_is_lost() {
    let deaf = |inner: &mut Inner, _: &mut Context<'_>| {
        inner.poll_ready(&mut Context::from_waker(Waker::noop()))
    };
    assert_broken("backpressure", "did not end in 60s", |inner| {
        made(inner, deaf, call)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_waker_that_is_lost_in_the_future() {
    let always = |_: &mut Inner, _: &mut Context<'_>| Poll::Ready(Ok(()));
    let layer = |inner| {
        made(inner, always, |inner, request| {
            let mut inner = inner.clone();
            let mut request = Some(request);
            let ready = std::future::poll_fn(move |_| {
                let mut deaf = Context::from_waker(Waker::noop());
                let ready = std::task::ready!(inner.poll_ready(&mut deaf));
                Poll::Ready(ready.map(|()| inner.call(request.take().unwrap())))
            });
            Box::pin(async move { ready.await?.await })
        })
    };
    assert_broken("backpressure", "did not end in 60s", layer).await;
}
