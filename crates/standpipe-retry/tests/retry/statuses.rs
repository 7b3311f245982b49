use super::*;
use standpipe_core::RetryInfo;
use standpipe_retry::{Attempt, Decision, Methods, Policy};

/// RTY-12, RTY-13: the table of the crate's page.
#[tokio::test(start_paused = true)]
async fn an_answer_is_retried_by_the_table() {
    type Headers = &'static [(&'static str, &'static str)];
    let rows: &[(u16, Headers, bool)] = &[
        (200, &[], false),
        (204, &[], false),
        (301, &[], false),
        (400, &[], false),
        (401, &[], false),
        (404, &[], false),
        (408, &[], false),
        (409, &[], false),
        (422, &[], false),
        (429, &[], true),
        (500, &[], false),
        (501, &[], false),
        (502, &[], true),
        (503, &[], true),
        (504, &[], true),
        (505, &[], false),
        (529, &[], false),
        // RTY-11: what the server says outright goes before all else.
        (503, &[("x-should-retry", "false")], false),
        (
            429,
            &[("x-should-retry", "false"), ("retry-after", "1")],
            false,
        ),
        (500, &[("x-should-retry", "true")], true),
        (404, &[("x-should-retry", "True")], true),
        (404, &[("x-should-retry", "perhaps")], false),
        (200, &[("x-should-retry", "true")], false),
    ];
    for method in [Method::GET, Method::POST, Method::PATCH, Method::DELETE] {
        for (status, headers, retried) in rows {
            let (status, headers) = (*status, *headers);
            let script = Script::new([with_headers(status, headers), status_of(200)]);
            let mut request = post();
            *request.method_mut() = method.clone();
            let got = send(&RetryLayer::default(), &script, request).await;
            let calls = if *retried { 2 } else { 1 };
            assert_eq!(script.calls(), calls, "{method} {status} {headers:?}");
            let expected = if *retried { 200 } else { status };
            assert_eq!(super::status(&got), expected);
        }
    }
}

/// RTY-12
#[tokio::test(start_paused = true)]
async fn the_statuses_can_be_set() {
    let policy = RetryPolicy::new().statuses([408, 409, 500, 529]);
    for (status, calls) in [(408, 2), (409, 2), (500, 2), (529, 2), (429, 1), (503, 1)] {
        let script = Script::statuses(&[status, 200]);
        send(&RetryLayer::new(policy.clone()), &script, get())
            .await
            .unwrap();
        assert_eq!(script.calls(), calls, "{status}");
    }
}

/// RTY-13
#[tokio::test(start_paused = true)]
async fn answers_to_idempotent_methods_alone_are_retried_where_the_policy_says_so() {
    let layer = RetryLayer::new(plain().answered(Methods::Idempotent));
    let script = Script::statuses(&[503, 200]);
    send(&layer, &script, post()).await.unwrap();
    assert_eq!(script.calls(), 1);
    let script = Script::statuses(&[503, 200]);
    send(&layer, &script, get()).await.unwrap();
    assert_eq!(script.calls(), 2);
    let mut keyed = post();
    keyed
        .headers_mut()
        .insert("idempotency-key", "\"k\"".parse().unwrap());
    let script = Script::statuses(&[503, 200]);
    send(&layer, &script, keyed).await.unwrap();
    assert_eq!(script.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn two_failures_with_the_defaults_take_one_and_two_seconds_within_jitter() {
    let script = Script::statuses(&[503, 503, 200]);
    let begun = Instant::now();
    let got = send(&RetryLayer::default(), &script, get()).await;
    assert_eq!(status(&got), 200);
    let took = begun.elapsed();
    assert!((secs(3)..=millis(3303)).contains(&took), "{took:?}");
    let waits = script.waits();
    assert!((secs(1)..=millis(1101)).contains(&waits[0]), "{waits:?}");
    assert!((secs(2)..=millis(2202)).contains(&waits[1]), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn after_three_retries_the_last_answer_is_the_callers_untouched() {
    let script = Script::statuses(&[503]);
    let response = send(&RetryLayer::new(plain()), &script, get())
        .await
        .unwrap();
    assert_eq!(script.waits(), [secs(1), secs(2), secs(4)]);
    assert_eq!(response.status(), 503);
    let info = *response.extensions().get::<RetryInfo>().unwrap();
    assert_eq!(info, RetryInfo::new(4, secs(7)).given_up());
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "503"
    );
}

#[tokio::test(start_paused = true)]
async fn a_response_says_how_it_came_about_only_after_a_second_attempt() {
    let script = Script::statuses(&[200]);
    let response = send(&RetryLayer::default(), &script, get()).await.unwrap();
    assert!(response.extensions().is_empty());
    let script = Script::statuses(&[503, 404]);
    let response = send(&RetryLayer::new(plain()), &script, get())
        .await
        .unwrap();
    let info = response.extensions().get::<RetryInfo>();
    assert_eq!(info, Some(&RetryInfo::new(2, secs(1))));
}

/// RTY-20: a policy of one's own stops, and changes the delay.
#[tokio::test(start_paused = true)]
async fn a_policy_of_ones_own_is_asked_for_each_answer() {
    let judge = |attempt: &Attempt<'_>| match (attempt.number(), attempt.status()) {
        (0, _) => Decision::RetryAfter(secs(5)),
        (1, Some(status)) if status == 200 => Decision::Retry,
        (2, _) => RetryPolicy::new().judge(attempt),
        _ => Decision::Final,
    };
    let script = Script::statuses(&[200, 200, 503, 418]);
    let layer = RetryLayer::new(plain()).judge(judge);
    let got = send(&layer, &script, get()).await;
    assert_eq!(status(&got), 418);
    assert_eq!(script.waits(), [secs(5), secs(2), secs(4)]);
}

#[tokio::test(start_paused = true)]
async fn with_no_retries_nothing_is_done() {
    let script = Script::statuses(&[503]);
    let response = send(&RetryLayer::new(RetryPolicy::none()), &script, get())
        .await
        .unwrap();
    assert!(response.extensions().is_empty());
    assert_eq!(script.calls(), 1);
}
