use super::*;
use standpipe_core::RetryInfo;

fn stale(sent: RequestSent) -> MockAnswer {
    failing(closed(sent).with_resend())
}

fn refused() -> MockAnswer {
    failing(
        Error::new(ErrorKind::StreamReset)
            .with_request_sent(RequestSent::No)
            .with_resend(),
    )
}

/// A layer that has no budget to give.
fn poor() -> RetryLayer {
    RetryLayer::new(plain()).budget(Nothing)
}

struct Nothing;

impl standpipe_retry::Budget for Nothing {
    fn deposit(&self) {}
    fn withdraw(&self) -> bool {
        false
    }
}

/// STALE-01, STALE-04, STALE-09
#[tokio::test(start_paused = true)]
async fn what_a_stale_connection_lost_goes_out_again_at_once_and_without_charge() {
    let mut keyed = post();
    keyed
        .headers_mut()
        .insert("idempotency-key", "\"k\"".parse().unwrap());
    for (request, sent) in [
        (post(), RequestSent::No),
        (get(), RequestSent::Maybe),
        (keyed, RequestSent::Maybe),
    ] {
        let script = Script::new([stale(sent), status_of(200)]);
        let response = send(&poor(), &script, request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(script.waits(), [Duration::ZERO]);
        let info = response.extensions().get::<RetryInfo>();
        assert_eq!(info, Some(&RetryInfo::new(2, Duration::ZERO)));
        let seen = script.seen();
        assert_eq!(seen[0].headers, seen[1].headers);
        assert_eq!(
            (&seen[0].method, &seen[0].body),
            (&seen[1].method, &seen[1].body)
        );
    }
}

/// STALE-03, deno #32566
#[tokio::test(start_paused = true)]
async fn a_post_that_a_stale_connection_may_have_delivered_is_not_sent_again() {
    let script = Script::new([stale(RequestSent::Maybe), status_of(200)]);
    let last = error(send(&poor(), &script, post()).await);
    assert_eq!(
        (script.calls(), last.request_sent()),
        (1, RequestSent::Maybe)
    );
}

/// STALE-05, hyper-util PR #150: what does not call for it is not sent again at once.
#[tokio::test(start_paused = true)]
async fn a_fresh_connection_that_closes_is_a_failure_with_backoff_and_charge() {
    let script = Script::new([failing(closed(RequestSent::No))]);
    let last = error(send(&RetryLayer::new(plain()), &script, get()).await);
    assert_eq!(script.waits(), [secs(1), secs(2), secs(4)]);
    assert_eq!(last.attempts(), 4);
    let script = Script::new([failing(closed(RequestSent::No))]);
    assert!(send(&poor(), &script, get()).await.is_err());
    assert_eq!(script.calls(), 1);
}

/// STALE-08
#[tokio::test(start_paused = true)]
async fn stale_connections_are_gone_through_up_to_a_cap() {
    let script = Script::new([stale(RequestSent::No)]);
    let last = error(send(&poor(), &script, get()).await);
    assert_eq!(script.calls(), 9, "the first and eight more");
    assert!(last.retry_info().unwrap().gave_up);
    // After the cap it is a failure like any other.
    let script = Script::new([stale(RequestSent::No)]);
    error(send(&RetryLayer::new(plain()), &script, get()).await);
    assert_eq!(
        script.waits()[7..],
        [Duration::ZERO, secs(1), secs(2), secs(4)]
    );
}

/// Who refuses streams would otherwise be hammered.
#[tokio::test(start_paused = true)]
async fn a_refused_stream_is_sent_again_at_once_only_once() {
    let script = Script::new([refused(), refused(), status_of(200)]);
    let got = send(&RetryLayer::new(plain()), &script, post()).await;
    assert_eq!(status(&got), 200);
    assert_eq!(script.waits(), [Duration::ZERO, secs(1)]);
}

#[tokio::test(start_paused = true)]
async fn resends_are_counted_and_shown_apart() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = seen.clone();
    let layer = RetryLayer::new(plain()).on_retry(move |retry| {
        keep.lock()
            .push((retry.attempts(), retry.is_resend(), retry.delay()))
    });
    let script = Script::new([stale(RequestSent::No), status_of(503), status_of(200)]);
    let service = layer.layer(script.service());
    let handle = service.handle();
    service.oneshot(get()).await.unwrap();
    let stats = handle.stats();
    assert_eq!((stats.resends, stats.retries, stats.given_up), (1, 1, 0));
    assert_eq!(
        *seen.lock(),
        [(1, true, Duration::ZERO), (2, false, secs(1))]
    );
}

/// STALE-07
#[tokio::test(start_paused = true)]
async fn what_cannot_be_sent_again_is_not() {
    let script = Script::new([stale(RequestSent::No), status_of(200)]);
    let long = Body::from_stream(bodies::Chunks::of(&[b'x'; 70_000], 1000));
    let request = Request::put("http://a/").body(long).unwrap();
    let last = error(send(&poor(), &script, request).await);
    assert_eq!(
        (script.calls(), last.kind()),
        (1, ErrorKind::ConnectionClosed)
    );
}
