use super::*;
use standpipe_core::{Closing, Deadline, RetryInfo};
use standpipe_retry::{GiveUpReason, Peek, Peeked, Verdict};

/// What the providers' errors say that have no more money (PROVIDERS: codes in data).
const MONEY: [&str; 6] = [
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "enforced_spend_limit_reached",
];

fn money(peeked: &Peeked<'_>) -> Verdict {
    let text = String::from_utf8_lossy(peeked.body);
    match MONEY.iter().any(|code| text.contains(code)) {
        true => Verdict::Final,
        false => Verdict::Retry,
    }
}

fn layer() -> RetryLayer<Peek> {
    RetryLayer::new(plain()).peek(Peek::new(money))
}

fn saying(status: u16, text: String) -> MockAnswer {
    MockResponse {
        status,
        body: text.into(),
        ..Default::default()
    }
    .into()
}

#[tokio::test(start_paused = true)]
async fn a_429_that_means_money_is_final_and_one_that_means_pace_is_not() {
    for code in MONEY {
        let text = format!(r#"{{"error":{{"type":"{code}"}}}}"#);
        let script = Script::new([saying(429, text.clone()), status_of(200)]);
        let response = layer()
            .layer(script.service())
            .oneshot(post())
            .await
            .unwrap();
        assert_eq!(
            (response.status().as_u16(), script.calls()),
            (429, 1),
            "{code}"
        );
        let info = response.extensions().get::<RetryInfo>();
        assert_eq!(info, Some(&RetryInfo::new(1, Duration::ZERO).given_up()));
        assert_eq!(
            response.into_body().collect().await.unwrap().to_bytes(),
            text
        );
    }
    for code in ["slow_down", "rate_limit_exceeded"] {
        let script = Script::new([saying(429, code.to_owned()), status_of(200)]);
        let got = layer().layer(script.service()).oneshot(post()).await;
        assert_eq!(status(&got), 200);
        assert_eq!(script.waits(), [secs(1)]);
    }
}

/// The bytes are those that came, however they came.
#[tokio::test(start_paused = true)]
async fn a_body_looked_into_is_handed_on_whole() {
    let sent: Vec<u8> = b"insufficient_quota"
        .iter()
        .copied()
        .cycle()
        .take(30_000)
        .collect();
    for size in [1, 700, 8192, 8193, 30_000] {
        let copy = sent.clone();
        let failed = MockAnswer::from_fn(move || {
            let body = Body::from_stream(bodies::Chunks::of(&copy, size));
            Ok(Response::builder().status(429).body(body).unwrap())
        });
        let script = Script::new([failed, status_of(200)]);
        let response = layer()
            .layer(script.service())
            .oneshot(post())
            .await
            .unwrap();
        assert_eq!(
            (response.status().as_u16(), script.calls()),
            (429, 1),
            "{size}"
        );
        assert_eq!(
            response.into_body().collect().await.unwrap().to_bytes(),
            sent,
            "{size}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_first_8_kib_are_looked_at() {
    let longest = Arc::new(Mutex::new(0));
    let keep = longest.clone();
    let peek = Peek::new(move |peeked| {
        *keep.lock() = peeked.body.len();
        Verdict::Retry
    });
    let script = Script::new([saying(429, "x".repeat(20_000)), status_of(200)]);
    let layer = RetryLayer::new(plain()).peek(peek);
    layer.layer(script.service()).oneshot(post()).await.unwrap();
    assert_eq!(*longest.lock(), 8192);
}

/// A body that stalls, or fails, is judged by what came of it.
#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_waited_for_a_second() {
    let begun = Instant::now();
    let begin = MockBody::stream().chunk("insufficient_quota");
    let saying = |body: MockBody| MockResponse {
        status: 429,
        body,
        ..Default::default()
    };
    let stalled = saying(begin.clone().hang()).into();
    let script = Script::new([stalled, status_of(200)]);
    let response = layer()
        .layer(script.service())
        .oneshot(post())
        .await
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), begun.elapsed()),
        (429, secs(1))
    );

    let broken = saying(begin.fail(ErrorKind::ConnectionClosed)).into();
    let script = Script::new([broken, status_of(200)]);
    let response = layer()
        .layer(script.service())
        .oneshot(post())
        .await
        .unwrap();
    let mut body = response.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "insufficient_quota");
    let failed = body.frame().await.unwrap().unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::ConnectionClosed);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_looked_into_that_would_not_be_retried_or_that_the_server_decides() {
    let never = || RetryLayer::new(plain()).peek(Peek::new(|_| panic!("looked into")));
    for failed in [
        status_of(200),
        status_of(404),
        status_of(503),
        with_headers(429, &[("x-should-retry", "true")]),
        with_headers(429, &[("x-should-retry", "false")]),
    ] {
        let script = Script::new([failed, status_of(200)]);
        never()
            .layer(script.service())
            .oneshot(post())
            .await
            .unwrap();
    }
    // The default classifier looks into nothing.
    let script = Script::new([saying(429, "insufficient_quota".into()), status_of(200)]);
    let plain = RetryLayer::new(plain()).peek(Peek::default());
    assert_eq!(
        status(&plain.layer(script.service()).oneshot(post()).await),
        200
    );
}

#[tokio::test(start_paused = true)]
async fn the_end_is_told_with_its_reason() {
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let keep = reasons.clone();
    let layer = layer().on_give_up(move |event| keep.lock().push(event.reason()));
    let script = Script::new([saying(429, "insufficient_quota".into())]);
    layer.layer(script.service()).oneshot(post()).await.unwrap();
    assert_eq!(*reasons.lock(), [GiveUpReason::Peeked]);
}

/// A layer that tells why it gave up, and a script whose 429 stalls for an hour in the middle of its
/// body.
fn stalling() -> (RetryLayer<Peek>, Arc<Mutex<Vec<GiveUpReason>>>, Script) {
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let keep = reasons.clone();
    let layer = layer().on_give_up(move |event| keep.lock().push(event.reason()));
    let stalled = MockResponse {
        status: 429,
        body: MockBody::stream()
            .chunk("slow")
            .wait(secs(3600))
            .chunk("_down"),
        ..Default::default()
    };
    (
        layer,
        reasons,
        Script::new([stalled.into(), status_of(200)]),
    )
}

/// The wait would be 1 s: from then on there is nothing to decide.
#[tokio::test(start_paused = true)]
async fn a_look_ends_when_the_answer_cannot_be_tried_again_in_time() {
    for (total, looked) in [(1500, 500), (1999, 999), (1001, 1)] {
        let (layer, reasons, script) = stalling();
        let mut request = post();
        Deadline::after(millis(total)).attach(&mut request);
        let begun = Instant::now();
        let got = layer.layer(script.service()).oneshot(request).await;
        assert_eq!(
            (status(&got).as_u16(), begun.elapsed()),
            (429, millis(looked))
        );
        assert_eq!(*reasons.lock(), [GiveUpReason::Deadline], "{total}");
        let body = got.unwrap().into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "slow_down");
        assert_eq!(script.calls(), 1);
    }
    let (layer, reasons, script) = stalling();
    let mut request = post();
    Deadline::after(secs(3)).attach(&mut request);
    let got = layer.layer(script.service()).oneshot(request).await;
    assert_eq!(
        (status(&got).as_u16(), script.waits()),
        (200, vec![secs(2)])
    );
    assert!(reasons.lock().is_empty());
}

/// RTY-10
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_tried_again_in_any_case_is_not_looked_into() {
    let never = |policy| RetryLayer::new(policy).peek(Peek::new(|_| panic!("looked into")));
    let closing = Closing::new();
    closing.close();
    let begun = Instant::now();
    for (total, layer) in [
        (secs(1), never(plain())),
        (secs(60), never(plain().max_retries(0))),
        (secs(60), never(plain()).closing(closing)),
    ] {
        let (_, _, script) = stalling();
        let mut request = post();
        Deadline::after(total).attach(&mut request);
        let got = layer.layer(script.service()).oneshot(request).await;
        assert_eq!((status(&got).as_u16(), script.calls()), (429, 1));
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
    // The last of its attempts.
    let retries = plain().max_retries(1);
    let layer = RetryLayer::new(retries).peek(Peek::new(|_| Verdict::Retry));
    let (_, _, stalls) = stalling();
    let script = Script::new([status_of(503)]);
    let (first, then) = (script.clone(), stalls.clone());
    let service = tower::service_fn(move |request: Request<Body>| {
        let script = match first.calls() {
            0 => first.clone(),
            _ => then.clone(),
        };
        async move { script.answer(request).await }
    });
    let got = layer.layer(service).oneshot(get()).await;
    assert_eq!((status(&got).as_u16(), begun.elapsed()), (429, secs(1)));
}

#[tokio::test(start_paused = true)]
async fn a_look_ends_when_the_client_closes_and_the_answer_is_handed_on_whole() {
    let (layer, reasons, script) = stalling();
    let closing = Closing::new();
    let layer = layer.closing(closing.clone());
    let begun = Instant::now();
    let sent = tokio::spawn(layer.layer(script.service()).oneshot(post()));
    tokio::time::sleep(millis(300)).await;
    assert!(!sent.is_finished());
    closing.close();
    let got = sent.await.unwrap();
    assert_eq!((status(&got).as_u16(), begun.elapsed()), (429, millis(300)));
    assert_eq!(*reasons.lock(), [GiveUpReason::Closing]);
    let info = RetryInfo::new(1, Duration::ZERO).given_up();
    let response = got.unwrap();
    assert_eq!(response.extensions().get::<RetryInfo>(), Some(&info));
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "slow_down");
    assert_eq!(script.calls(), 1);
}
