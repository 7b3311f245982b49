//! Answers that say: come again, or do not.

use std::sync::Arc;
use std::time::Duration;

use standpipe::RetryEvent;
use standpipe_core::sync::Mutex;
use tokio::time::Instant;

use crate::client::{World, ask, read};
use crate::server::Fault;
use crate::shape::TEXT;
use crate::{ANTHROPIC, MAX_TOKENS, OPENAI, secs};

/// What a callback was told: the status, the attempts so far, the wait.
type Told = Arc<Mutex<Vec<(u16, u32, Duration)>>>;

fn teller(told: &Told) -> impl Fn(&RetryEvent<'_>) + Send + Sync + use<> {
    let told = Arc::clone(told);
    move |retry| {
        let status = retry.status().expect("an answer").as_u16();
        told.lock().push((status, retry.attempts(), retry.delay()));
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_too_fast_waits_as_long_as_the_answer_says_and_is_told() {
    for shape in [ANTHROPIC, OPENAI] {
        let world = World::new();
        let (of_pool, of_request) = (Told::default(), Told::default());
        let pool = world.pool().on_retry(teller(&of_pool)).build().unwrap();
        world
            .api(shape)
            .next([Fault::TooFast(secs(7)), Fault::TooFast(secs(20))]);
        let url = format!("https://{}{}", shape.host(), shape.path());
        let request = pool
            .post(url)
            .json(&shape.body("Where does water run?", MAX_TOKENS));
        let response = request
            .on_retry(teller(&of_request))
            .send_streaming()
            .await
            .unwrap();
        let answer = read(response, shape).await.unwrap();
        assert_eq!(answer.text, TEXT.concat());

        let told = of_request.lock().clone();
        assert_eq!(told, *of_pool.lock());
        let [first, second] = told[..] else {
            panic!("two retries, not {told:?}");
        };
        assert_eq!((first.0, first.1, second.0, second.1), (429, 1, 429, 2));
        let waits = [first.2, second.2];
        for (wait, asked) in waits.into_iter().zip([secs(7), secs(20)]) {
            assert!(wait >= asked && wait <= asked.mul_f64(1.3), "{wait:?}");
        }
        let info = answer.retries.unwrap();
        assert_eq!((info.attempts, info.gave_up), (3, false));
        assert_eq!(info.waited, waits.iter().sum::<Duration>());
        let seen = world.api(shape).seen();
        assert!(seen[1].at - seen[0].at >= secs(7) && seen[2].at - seen[1].at >= secs(20));
        let metrics = pool.host_metrics(shape.host()).unwrap();
        assert_eq!((metrics.requests.total, metrics.attempts.total), (1, 3));
        assert_eq!(metrics.attempts.statuses.too_many_requests, 2);
        assert_eq!((metrics.retries.retried, metrics.retries.given_up), (2, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_asked_to_wait_for_over_a_minute_gets_the_answer_at_once() {
    for shape in [ANTHROPIC, OPENAI] {
        let world = World::new();
        let pool = world.pool().build().unwrap();
        world.api(shape).next([Fault::TooFast(secs(61))]);
        let begun = Instant::now();
        let error = ask(&pool, shape, "Where does water run?")
            .await
            .unwrap_err();
        assert_eq!(error.status().unwrap(), 429);
        assert_eq!(begun.elapsed().as_secs(), 0);
        assert_eq!(world.api(shape).seen().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_no_money_left_is_told_at_once_with_the_whole_answer() {
    for (shape, says) in [
        (ANTHROPIC, "enforced_spend_limit_reached"),
        (OPENAI, "insufficient_quota"),
    ] {
        let world = World::new();
        let pool = world.pool().build().unwrap();
        world.api(shape).next([Fault::NoMoney]);
        let url = format!("https://{}{}", shape.host(), shape.path());
        let request = pool
            .post(url)
            .json(&shape.body("Where does water run?", MAX_TOKENS));
        let begun = Instant::now();
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 429);
        assert!(response.text().await.unwrap().contains(says));
        assert_eq!(begun.elapsed().as_secs(), 0);
        assert_eq!(world.api(shape).seen().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_overloaded_api_is_asked_twice_again_after_half_a_second_and_a_second() {
    for (shape, status) in [(ANTHROPIC, 529), (OPENAI, 503)] {
        let world = World::new();
        let told = Told::default();
        let pool = world.pool().on_retry(teller(&told)).build().unwrap();
        world.api(shape).next([Fault::Overloaded; 2]);
        let begun = Instant::now();
        let answer = ask(&pool, shape, "Where does water run?").await.unwrap();
        assert_eq!(answer.text, TEXT.concat());
        let took = begun.elapsed();
        assert!(took >= secs(1) && took <= secs(2), "{took:?}");
        assert_eq!(world.api(shape).answered(status), 2);
        let told = told.lock().clone();
        assert!(told.iter().all(|(told, ..)| *told == status), "{told:?}");

        // A third in a row is the caller's.
        world.api(shape).next([Fault::Overloaded; 3]);
        let error = ask(&pool, shape, "And now?").await.unwrap_err();
        assert_eq!(error.status().unwrap(), status);
        assert_eq!(world.api(shape).seen().len(), 6);
        let metrics = pool.host_metrics(shape.host()).unwrap();
        assert_eq!((metrics.retries.retried, metrics.retries.given_up), (4, 1));
    }
}
