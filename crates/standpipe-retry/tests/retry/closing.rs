//! What becomes of retries when the client closes.

use super::*;
use standpipe_core::{Closing, RetryInfo};
use standpipe_retry::GiveUpReason;
use standpipe_test::Gate;

fn layer(closing: &Closing) -> RetryLayer {
    RetryLayer::new(plain()).closing(closing.clone())
}

/// Closes after `delay` while a request is sent; gives the outcome, and when it came.
async fn closed_after(delay: Duration, script: &Script) -> (Answer, Duration) {
    let closing = Closing::new();
    let begin = Instant::now();
    let sent = tokio::spawn(layer(&closing).layer(script.service()).oneshot(get()));
    tokio::time::sleep(delay).await;
    closing.close();
    (sent.await.unwrap(), begin.elapsed())
}

#[tokio::test(start_paused = true)]
async fn one_that_backs_off_ends_at_once_and_says_how_far_it_came() {
    for (answers, sent) in [
        (vec![status_of(503)], RequestSent::Yes),
        (
            vec![failing(closed(RequestSent::Maybe))],
            RequestSent::Maybe,
        ),
        (vec![failing(closed(RequestSent::No))], RequestSent::No),
    ] {
        let script = Script::new(answers);
        let (answer, at) = closed_after(millis(400), &script).await;
        let error = error(answer);
        assert_eq!((error.kind(), at), (ErrorKind::Shutdown, millis(400)));
        assert_eq!(error.request_sent(), sent);
        let info = RetryInfo::new(1, secs(1));
        assert_eq!(error.retry_info(), Some(info));
        assert_eq!(script.calls(), 1);
    }
    // A later attempt that surely did not arrive does not undo an earlier one that did.
    let script = Script::new([status_of(503), failing(closed(RequestSent::No))]);
    let (answer, _) = closed_after(secs(2), &script).await;
    assert_eq!(error(answer).request_sent(), RequestSent::Yes);
    assert_eq!(script.calls(), 2);
}

/// The rest of a failed answer is not read, nor a service waited for.
#[tokio::test(start_paused = true)]
async fn one_that_drains_an_answer_ends_at_once() {
    let slow: Make = Arc::new(|| {
        let body = futures_util::stream::pending::<Result<Bytes, BoxError>>();
        let answer = Response::builder().status(503);
        Ok(answer.body(Body::from_stream(body)).unwrap())
    });
    let (answer, at) = closed_after(millis(50), &Script::new([slow])).await;
    assert_eq!(
        (error(answer).kind(), at),
        (ErrorKind::Shutdown, millis(50))
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_for_the_inner_service_ends_at_once() {
    let closing = Closing::new();
    let limit = tower::limit::ConcurrencyLimitLayer::new(1);
    let script = Script::statuses(&[503]);
    let inner = limit.layer(script.service());
    let other = inner.clone();
    let sent = tokio::spawn(layer(&closing).layer(inner).oneshot(get()));
    tokio::time::sleep(millis(500)).await;
    // Another one has the only place when the wait is over.
    let mut other = other;
    other.ready().await.unwrap();
    tokio::time::sleep(secs(5)).await;
    assert!(!sent.is_finished());
    closing.close();
    assert_eq!(error(sent.await.unwrap()).kind(), ErrorKind::Shutdown);
    assert_eq!(script.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_under_way_goes_on_and_its_outcome_is_the_callers() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let closing = Closing::new();
    let keep = told.clone();
    let layer = layer(&closing).on_give_up(move |event| keep.lock().push(event.reason()));
    let gate = Gate::new();
    let refused = closed(RequestSent::No).with_resend();
    let script = Script::new([status_of(200), status_of(503), failing(refused.clone())]);
    let (inner, wait) = (script.clone(), gate.clone());
    let service = tower::service_fn(move |request: Request<Body>| {
        let (inner, wait) = (inner.clone(), wait.clone());
        async move {
            wait.wait().await;
            inner.answer(request).await
        }
    });
    let service = layer.layer(service);
    let sent: Vec<_> = (0..3)
        .map(|_| tokio::spawn(service.clone().oneshot(get())))
        .collect();
    gate.arrived(3).await;
    closing.close();
    gate.open();
    let mut answers = Vec::new();
    for sent in sent {
        answers.push(sent.await.unwrap());
    }
    // They pass the gate in any order: 200, 503, the error.
    answers.sort_by_key(|answer| {
        answer
            .as_ref()
            .map_or(999, |answer| answer.status().as_u16())
    });
    assert_eq!(status(&answers[0]), 200);
    assert_eq!(status(&answers[1]), 503);
    let info = answers[1].as_ref().unwrap().extensions().get::<RetryInfo>();
    assert_eq!(info, Some(&RetryInfo::new(1, Duration::ZERO).given_up()));
    let error = error(answers.pop().unwrap());
    assert_eq!(error.kind(), refused.kind());
    assert_eq!(script.calls(), 3);
    assert_eq!(*told.lock(), [GiveUpReason::Closing; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_signal_that_is_not_closed_changes_nothing() {
    let closing = Closing::new();
    let script = Script::statuses(&[503, 503, 200]);
    let answer = send(&layer(&closing), &script, get()).await;
    assert_eq!(status(&answer), 200);
    assert_eq!(script.waits(), [secs(1), secs(2)]);
}
