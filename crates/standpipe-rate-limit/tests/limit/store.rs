use standpipe_core::sync::Mutex;
use std::pin::Pin;
use std::time::Duration;

use standpipe_core::{Deadline, ErrorKind};
use standpipe_rate_limit::{
    Answer, Ask, Charge, MemoryStore, Quota, RateLimitLayer, Settle, Store, Verdict,
};
use tokio::time::Instant;
use tower::{Layer, Service};

use crate::{Record, error, ms, n, ready, request, ten_a_second};

#[tokio::test(start_paused = true)]
async fn a_store_gives_places_in_the_order_of_the_calls() {
    let record = Record::new();
    let layer = RateLimitLayer::builder()
        .requests(ten_a_second(2))
        .store(MemoryStore::new());
    let mut service = layer.build().layer(record.service());
    let calls: Vec<_> = (0..40)
        .map(|_| ready(&mut service).call(request()))
        .collect();
    futures_util::future::try_join_all(calls).await.unwrap();
    let expected: Vec<_> = (0..40u64).map(|i| ms(i.saturating_sub(1) * 100)).collect();
    assert_eq!(record.at(), expected);
}

/// CAN-12
#[tokio::test(start_paused = true)]
async fn a_place_that_was_given_up_goes_to_the_next() {
    let record = Record::new();
    let layer = RateLimitLayer::builder()
        .requests(ten_a_second(1))
        .store(MemoryStore::new());
    let mut service = layer.build().layer(record.service());
    ready(&mut service).call(request()).await.unwrap();
    let mut gone = Box::pin(ready(&mut service).call(request()));
    assert!(futures_util::poll!(gone.as_mut()).is_pending());
    drop(gone);
    ready(&mut service).call(request()).await.unwrap();
    assert_eq!(record.at(), [0, 100].map(ms));
}

/// RL-06
#[tokio::test(start_paused = true)]
async fn a_store_refuses_at_once_what_would_come_too_late() {
    let record = Record::new();
    let layer = RateLimitLayer::builder()
        .requests(ten_a_second(1))
        .store(MemoryStore::new());
    let mut service = layer.build().layer(record.service());
    ready(&mut service).call(request()).await.unwrap();
    let mut late = request();
    Deadline::after(ms(50)).attach(&mut late);
    let begin = Instant::now();
    let refused = error(ready(&mut service).call(late).await);
    assert_eq!(begin.elapsed(), Duration::ZERO);
    assert_eq!(refused.retry_after(), Some(ms(100)));
    // And so is one behind more than hold places: eight do.
    let _line: Vec<_> = (0..20)
        .map(|_| {
            let call = ready(&mut service).call(request());
            tokio::spawn(call)
        })
        .collect();
    tokio::task::yield_now().await;
    assert_eq!(service.handle().stats().waiting, 12);
    let mut late = request();
    Deadline::after(ms(1_900)).attach(&mut late);
    let refused = error(ready(&mut service).call(late).await);
    assert_eq!(begin.elapsed(), Duration::ZERO);
    assert_eq!(refused.kind(), ErrorKind::RateLimited);
    let mut never = request();
    Deadline::after(ms(2_150)).attach(&mut never);
    ready(&mut service).call(never).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_those_whose_place_is_in_a_store() {
    let record = Record::new();
    let layer = RateLimitLayer::builder()
        .requests(ten_a_second(1))
        .store(MemoryStore::new());
    let mut service = layer.build().layer(record.service());
    let handle = service.handle();
    let calls: Vec<_> = (0..5)
        .map(|_| tokio::spawn(ready(&mut service).call(request())))
        .collect();
    tokio::time::sleep(ms(150)).await;
    handle.pause(ms(1_000));
    let later = tokio::spawn(ready(&mut service).call(request()));
    for call in calls {
        call.await.unwrap().unwrap();
    }
    later.await.unwrap().unwrap();
    let at = record.at();
    assert_eq!(at[..2], [0, 100].map(ms));
    assert!(at[2] >= ms(1_150), "{at:?}");
    assert!(
        at[2..].windows(2).all(|pair| pair[1] - pair[0] >= ms(100)),
        "{at:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn two_limiters_share_one_store() {
    let record = Record::new();
    let store = std::sync::Arc::new(MemoryStore::new());
    #[derive(Debug)]
    struct Same(std::sync::Arc<MemoryStore>);
    impl Store for Same {
        fn admit(&self, ask: Ask) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
            self.0.admit(ask)
        }
    }
    let build = || {
        let builder = RateLimitLayer::builder().requests(ten_a_second(1));
        builder
            .store(Same(store.clone()))
            .build()
            .layer(record.service())
    };
    let (mut one, mut other) = (build(), build());
    let calls: Vec<_> = (0..3)
        .flat_map(|_| {
            [
                ready(&mut one).call(request()),
                ready(&mut other).call(request()),
            ]
        })
        .collect();
    futures_util::future::try_join_all(calls).await.unwrap();
    assert_eq!(record.at(), [0, 100, 200, 300, 400, 500].map(ms));
}

/// What the limiter asks of a store.
#[derive(Debug, Default)]
struct Script {
    asked: Mutex<Vec<Ask>>,
    answers: Mutex<Vec<Answer>>,
}

impl Store for &'static Script {
    fn admit(&self, ask: Ask) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        self.asked.lock().push(ask);
        let answer = self.answers.lock().remove(0);
        Box::pin(std::future::ready(answer))
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_settled_goes_with_the_next_request_until_the_store_has_it() {
    let now = Answer::new(Verdict::Admitted {
        after: Duration::ZERO,
    });
    let away = Answer::new(Verdict::Refused { retry_after: None }).uncorrected();
    let script: &Script = Box::leak(Box::default());
    *script.answers.lock() = vec![now, away, now, now];
    let (requests, tokens) = (ten_a_second(5), Quota::per_minute(n(100)));
    let layer = RateLimitLayer::builder()
        .requests(requests)
        .cost(tokens, |_: &http::Request<crate::Empty>| 10)
        .store(script);
    let mut service = layer.build().layer(Record::new().service());
    let response = ready(&mut service).call(request()).await.unwrap();
    response.extensions().get::<Settle>().unwrap().settle(25);
    let refused = error(ready(&mut service).call(request()).await);
    assert_eq!(
        (refused.kind(), refused.retry_after()),
        (ErrorKind::RateLimited, None)
    );
    ready(&mut service).call(request()).await.unwrap();
    ready(&mut service).call(request()).await.unwrap();
    let asked = script.asked.lock();
    let corrections: Vec<_> = asked.iter().map(|ask| ask.charges[1].correction).collect();
    assert_eq!(corrections, [0, 15, 15, 0]);
    assert!(
        asked
            .iter()
            .all(|ask| ask.charges[0] == Charge::new(requests, 1))
    );
    assert!(asked.iter().all(|ask| ask.charges[1].units == 10));
}

/// Never answers.
#[derive(Debug, Default)]
struct Silent(Mutex<Vec<i64>>);

impl Store for &'static Silent {
    fn admit(&self, ask: Ask) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        let first = self.0.lock().is_empty();
        self.0.lock().push(ask.charges[0].correction);
        let after = Duration::ZERO;
        Box::pin(async move {
            if !first {
                std::future::pending::<()>().await;
            }
            Answer::new(Verdict::Admitted { after })
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_debt_whose_request_went_away_comes_again_and_a_refund_does_not() {
    for (actual, expected) in [(25, [0, 15, 15]), (3, [0, -7, 0])] {
        let silent: &Silent = Box::leak(Box::default());
        let minute = Quota::per_minute(n(100));
        let cost = |_: &http::Request<crate::Empty>| 10;
        let layer = RateLimitLayer::builder().cost(minute, cost).store(silent);
        let mut service = layer.build().layer(Record::new().service());
        let response = ready(&mut service).call(request()).await.unwrap();
        let settle: &Settle = response.extensions().get().unwrap();
        settle.settle(actual);
        for _ in 0..2 {
            let mut asking = Box::pin(ready(&mut service).call(request()));
            assert!(futures_util::poll!(asking.as_mut()).is_pending());
        }
        assert_eq!(*silent.0.lock(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_holds_no_request_beyond_its_deadline() {
    let silent: &Silent = Box::leak(Box::default());
    let layer = RateLimitLayer::builder()
        .requests(ten_a_second(1))
        .store(silent);
    let mut service = layer.build().layer(Record::new().service());
    ready(&mut service).call(request()).await.unwrap();
    let begin = Instant::now();
    let mut late = request();
    Deadline::after(ms(700)).attach(&mut late);
    let refused = error(ready(&mut service).call(late).await);
    assert_eq!(refused.kind(), ErrorKind::RateLimited);
    assert_eq!(begin.elapsed(), ms(700));
}

/// RL-09
#[tokio::test(start_paused = true)]
async fn a_share_is_a_part_of_the_pace_and_of_the_burst() {
    let share = MemoryStore::share_of(n(4));
    let ask = |units| Ask::new(vec![Charge::new(ten_a_second(8), units)], Duration::MAX);
    let now = Instant::now();
    let wait = |units| match share.admit_at(now, &ask(units)) {
        Verdict::Admitted { after } => after,
        other => panic!("{other:?}"),
    };
    assert_eq!([wait(1), wait(1), wait(1)], [0, 0, 400].map(ms));
    // More than the share holds: with a full one, and the rest is owed.
    assert_eq!([wait(8), wait(1)], [1_200, 4_000].map(ms));
}
