use super::*;
use standpipe_core::RetryInfo;
use standpipe_retry::Methods;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Sent {
    /// Any method.
    Any,
    /// Idempotent methods, and requests with a key.
    Idempotent,
    Never,
}

/// RTY-13, STALE-02, STALE-03, STALE-04, STALE-06, deno #32566: the table of the crate's page.
#[tokio::test(start_paused = true)]
async fn an_error_is_retried_by_the_table() {
    let acquire = ErrorKind::AcquireTimeout {
        waited: secs(1),
        in_use: 1,
        limit: 1,
    };
    let (no, maybe, yes) = (RequestSent::No, RequestSent::Maybe, RequestSent::Yes);
    for (kind, sent, expected) in [
        (ErrorKind::Dns, no, Sent::Any),
        (ErrorKind::DnsTimeout, no, Sent::Any),
        (ErrorKind::Connect, no, Sent::Any),
        (ErrorKind::ConnectTimeout, no, Sent::Any),
        (ErrorKind::Proxy, no, Sent::Any),
        (ErrorKind::Tls, no, Sent::Any),
        (ErrorKind::TlsTimeout, no, Sent::Any),
        (ErrorKind::ConnectionClosed, no, Sent::Any),
        (ErrorKind::StreamReset, no, Sent::Any),
        (ErrorKind::AttemptTimeout, no, Sent::Any),
        (ErrorKind::WriteTimeout, maybe, Sent::Idempotent),
        (ErrorKind::ResponseTimeout, maybe, Sent::Idempotent),
        (ErrorKind::AttemptTimeout, maybe, Sent::Idempotent),
        (ErrorKind::ConnectionClosed, maybe, Sent::Idempotent),
        (ErrorKind::StreamReset, maybe, Sent::Idempotent),
        (ErrorKind::Other, maybe, Sent::Idempotent),
        (ErrorKind::ConnectionClosed, yes, Sent::Never),
        (ErrorKind::ResponseTimeout, yes, Sent::Never),
        (ErrorKind::DeadlineExceeded, no, Sent::Never),
        (ErrorKind::DeadlineExceeded, maybe, Sent::Never),
        (ErrorKind::CircuitOpen, no, Sent::Never),
        (ErrorKind::RateLimited, no, Sent::Never),
        (ErrorKind::Shutdown, no, Sent::Never),
        (ErrorKind::Runtime, no, Sent::Never),
        (acquire, no, Sent::Never),
        (ErrorKind::QueueFull, no, Sent::Never),
        (ErrorKind::Config, no, Sent::Never),
        (ErrorKind::InvalidRequest, no, Sent::Never),
        (ErrorKind::UnsupportedScheme, no, Sent::Never),
        (ErrorKind::RequestBody, maybe, Sent::Never),
        (ErrorKind::BodyTooLarge { limit: 1 }, maybe, Sent::Never),
        (ErrorKind::Decode, maybe, Sent::Never),
        (ErrorKind::Redirect, maybe, Sent::Never),
        (ErrorKind::TooManyRedirects { limit: 1 }, maybe, Sent::Never),
        (ErrorKind::Protocol, maybe, Sent::Never),
    ] {
        for (request, when) in [
            (get(), &[Sent::Any, Sent::Idempotent][..]),
            (put(), &[Sent::Any, Sent::Idempotent]),
            (keyed(), &[Sent::Any, Sent::Idempotent]),
            (post(), &[Sent::Any]),
        ] {
            let what = format!("{kind:?} {sent:?} {}", request.method());
            let script = Script::new([
                failing(Error::new(kind).with_request_sent(sent)),
                status_of(200),
            ]);
            let got = send(&RetryLayer::default(), &script, request).await;
            let retried = when.contains(&expected);
            assert_eq!(script.calls(), 1 + usize::from(retried), "{what}");
            assert_eq!(got.is_ok(), retried, "{what}");
        }
    }
}

fn put() -> Request<Body> {
    let mut request = post();
    *request.method_mut() = Method::PUT;
    request
}

fn keyed() -> Request<Body> {
    let mut request = post();
    request
        .headers_mut()
        .insert("idempotency-key", "\"k\"".parse().unwrap());
    request
}

#[tokio::test(start_paused = true)]
async fn a_tls_peer_that_hung_up_is_tried_again_and_a_refused_certificate_is_not() {
    use std::io::{Error as IoError, ErrorKind as IoKind};
    for (io, calls) in [
        (IoKind::UnexpectedEof, 2),
        (IoKind::ConnectionReset, 2),
        (IoKind::InvalidData, 1),
    ] {
        let error = Error::new(ErrorKind::Tls).with_source(IoError::new(io, "handshake"));
        let script = Script::new([failing(error), status_of(200)]);
        let _ = send(&RetryLayer::default(), &script, post()).await;
        assert_eq!(script.calls(), calls, "{io:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_post_that_may_have_arrived_is_sent_again_only_where_that_was_asked_for() {
    let layer = RetryLayer::new(plain().unanswered(Methods::Any));
    let script = Script::new([failing(closed(RequestSent::Maybe)), status_of(200)]);
    assert_eq!(status(&send(&layer, &script, post()).await), 200);
}

#[tokio::test(start_paused = true)]
async fn an_error_says_how_many_attempts_were_made_and_how_long_was_waited() {
    let script = Script::new([failing(Error::new(ErrorKind::Connect))]);
    let last = error(send(&RetryLayer::new(plain()), &script, post()).await);
    assert_eq!(
        last.retry_info(),
        Some(RetryInfo::new(4, secs(7)).given_up())
    );
    assert!(last.to_string().ends_with("after 4 attempts"), "{last}");
    // Also where nothing was tried again, and where nothing could be.
    for policy in [plain(), RetryPolicy::none()] {
        let script = Script::new([failing(Error::new(ErrorKind::CircuitOpen))]);
        let only = error(send(&RetryLayer::new(policy), &script, get()).await);
        assert_eq!(only.retry_info(), Some(RetryInfo::new(1, Duration::ZERO)));
    }
}

#[tokio::test(start_paused = true)]
async fn whether_a_foreign_error_was_sent_can_be_told() {
    let refused = MockAnswer::from_fn(|| Err("refused".into()));
    let script = Script::new([refused.clone(), status_of(200)]);
    let layer = RetryLayer::new(plain());
    let only = error(send(&layer, &script, post()).await);
    assert_eq!((only.kind(), only.attempts()), (ErrorKind::Other, 1));
    let script = Script::new([refused, status_of(200)]);
    let layer = layer.foreign_errors(|error| match error.to_string().as_str() {
        "refused" => RequestSent::No,
        _ => RequestSent::Maybe,
    });
    assert_eq!(status(&send(&layer, &script, post()).await), 200);
}

/// RTY-21
#[tokio::test(start_paused = true)]
async fn a_key_is_the_same_on_each_attempt_and_new_for_each_request() {
    let made = Arc::new(Mutex::new(0));
    let layer = RetryLayer::new(plain()).idempotency_key(move || {
        let mut made = made.lock();
        *made += 1;
        format!("\"key-{}\"", *made).parse().unwrap()
    });
    let keys = |script: &Script| -> Vec<_> {
        let key = |seen: &MockRequest| seen.headers.get("idempotency-key").cloned();
        script.seen().iter().map(key).collect()
    };
    for expected in ["\"key-1\"", "\"key-2\""] {
        // With a key, what may have been sent is sent again.
        let script = Script::new([
            failing(closed(RequestSent::Maybe)),
            status_of(503),
            status_of(200),
        ]);
        send(&layer, &script, post()).await.unwrap();
        assert_eq!(keys(&script), vec![Some(expected.parse().unwrap()); 3]);
    }
    let script = Script::statuses(&[503, 200]);
    send(&layer, &script, keyed()).await.unwrap();
    assert_eq!(
        keys(&script),
        [
            Some("\"k\"".parse().unwrap()),
            Some("\"k\"".parse().unwrap())
        ]
    );
    let script = Script::statuses(&[503, 200]);
    send(&layer, &script, get()).await.unwrap();
    assert_eq!(keys(&script), [None, None]);
}
