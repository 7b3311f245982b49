//! Answers that stream, and how they fail.

use std::time::Duration;

use standpipe::sse::ErrorEvent;
use standpipe::{CircuitState, ErrorKind, Origin, Phase};
use tokio::time::Instant;

use crate::client::{World, ask, ask_at, settings};
use crate::server::{Api, Fault};
use crate::shape::{INPUT_TOKENS, OUTPUT_TOKENS, TEXT};
use crate::{ANTHROPIC, OPENAI, anthropic, openai, secs};

#[tokio::test(start_paused = true)]
async fn an_answer_streams_to_its_last_event_over_one_connection_that_is_kept() {
    let world = World::new();
    let pool = world.pool().build().unwrap();
    for shape in [ANTHROPIC, OPENAI] {
        for _ in 0..3 {
            let answer = ask(&pool, shape, "Where does water run?").await.unwrap();
            assert_eq!(answer.text, TEXT.concat());
            assert_eq!(answer.tokens, INPUT_TOKENS + OUTPUT_TOKENS);
            assert_eq!(answer.retries, None);
        }
        let seen = world.api(shape).server.stats();
        assert_eq!((seen.connections, seen.requests), (1, 3));
        let bodies = pool.host_metrics(shape.host()).unwrap().requests.bodies;
        assert_eq!((bodies.complete, bodies.abandoned), (3, 0));
    }
    let names = ask(&pool, ANTHROPIC, "And again?").await.unwrap().names;
    let (first, last) = (names.first().unwrap(), names.last().unwrap());
    assert_eq!(
        (first.as_str(), last.as_str()),
        ("message_start", "message_stop")
    );
    let count = |name: &str| names.iter().filter(|has| *has == name).count();
    assert_eq!(
        (count("ping"), count("content_block_delta")),
        (1, TEXT.len())
    );
}

#[tokio::test(start_paused = true)]
async fn each_api_gets_its_own_key_and_never_the_others() {
    let world = World::new();
    let pool = world.pool().build().unwrap();
    for shape in [ANTHROPIC, OPENAI] {
        ask(&pool, shape, "Who am I?").await.unwrap();
    }
    let (of_anthropic, of_openai) = (world.api(ANTHROPIC).seen(), world.api(OPENAI).seen());
    let (of_anthropic, of_openai) = (&of_anthropic[0].headers, &of_openai[0].headers);
    assert_eq!(of_anthropic["x-api-key"], anthropic::KEY);
    assert_eq!(of_anthropic["anthropic-version"], "2023-06-01");
    assert_eq!(
        of_openai["authorization"],
        format!("Bearer {}", openai::KEY)
    );
    for (headers, other) in [(of_anthropic, openai::KEY), (of_openai, anthropic::KEY)] {
        let holds = |value: &http::HeaderValue| value.to_str().unwrap().contains(other);
        assert!(!headers.values().any(holds), "{headers:?}");
    }
    assert!(!of_openai.contains_key("anthropic-version"));
    // A key of the request's own goes before the host's: here one that the API does not know.
    let refused = pool.post(format!("https://{}{}", ANTHROPIC.host(), ANTHROPIC.path()));
    let refused = refused
        .header("x-api-key", "another")
        .json(&ANTHROPIC.body("", 1));
    assert_eq!(refused.send().await.unwrap().status(), 401);
}

#[tokio::test(start_paused = true)]
async fn an_error_in_mid_stream_is_told_with_its_event_and_is_not_sent_again() {
    for (shape, says) in [(ANTHROPIC, "overloaded_error"), (OPENAI, "server_error")] {
        let world = World::new();
        let pool = world.pool().build().unwrap();
        world.api(shape).next([Fault::InMidStream]);
        let error = ask(&pool, shape, "Where does water run?")
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.phase()),
            (ErrorKind::StreamError, Some(Phase::Body))
        );
        let event = ErrorEvent::of(&error).expect("the event");
        assert!(event.data().contains(says), "{event:?}");
        assert!(!error.to_string().contains(says), "{error}");
        assert_eq!(world.api(shape).seen().len(), 1);
        assert_eq!(
            ask(&pool, shape, "And now?").await.unwrap().text,
            TEXT.concat()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_off_is_an_error_and_is_not_sent_again() {
    for shape in [ANTHROPIC, OPENAI] {
        let world = World::new();
        let pool = world.pool().build().unwrap();
        world.api(shape).next([Fault::Broken]);
        let error = ask(&pool, shape, "Where does water run?")
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.phase()),
            (ErrorKind::StreamReset, Some(Phase::Body))
        );
        assert_eq!(world.api(shape).seen().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn streams_that_fail_in_a_row_open_the_circuit_of_their_api_alone() {
    let world = World::new();
    let pool = world.pool().build().unwrap();
    world.api(ANTHROPIC).next([Fault::InMidStream; 5]);
    for _ in 0..5 {
        ask(&pool, ANTHROPIC, "Where does water run?")
            .await
            .unwrap_err();
    }
    let refused = ask(&pool, ANTHROPIC, "And now?").await.unwrap_err();
    assert!(refused.is_circuit_open(), "{refused}");
    assert_eq!(world.api(ANTHROPIC).seen().len(), 5);
    ask(&pool, OPENAI, "Where does water run?").await.unwrap();
    let state = |host: &str| {
        let origin = Origin::parse(&format!("https://{host}/")).unwrap();
        pool.circuit_breaker(&origin).unwrap().state()
    };
    assert_eq!(state(ANTHROPIC.host()), CircuitState::Open);
    assert_eq!(state(OPENAI.host()), CircuitState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_head_may_take_two_minutes_and_one_that_takes_longer_is_not_asked_for_again() {
    for shape in [ANTHROPIC, OPENAI] {
        let world = World::new();
        let pool = world.pool().build().unwrap();
        world
            .api(shape)
            .next([119, 121].map(|seconds| Fault::SlowHead(secs(seconds))));
        let begun = Instant::now();
        ask(&pool, shape, "Think about it.").await.unwrap();
        assert_eq!(begun.elapsed().as_secs(), 119);
        // The server may be at work on it: a second one would be paid for too.
        let error = ask(&pool, shape, "Think longer.").await.unwrap_err();
        assert_eq!(
            (error.kind(), error.attempts()),
            (ErrorKind::ResponseTimeout, 1)
        );
        assert_eq!(begun.elapsed().as_secs(), 119 + 120);
        assert_eq!(world.api(shape).seen().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_first_token_is_waited_for_while_the_stream_is_not_silent_for_too_long() {
    let world = World::new();
    let pool = world.pool().build().unwrap();
    // Pings end the silence, and no total time holds a stream.
    world.api(ANTHROPIC).next([Fault::SlowToken(secs(900))]);
    let begun = Instant::now();
    let answer = ask(&pool, ANTHROPIC, "Think about it.").await.unwrap();
    assert_eq!(
        (answer.text, begun.elapsed().as_secs()),
        (TEXT.concat(), 900)
    );
    assert!(answer.names.iter().filter(|name| *name == "ping").count() > 50);

    // This API sends none.
    world
        .api(OPENAI)
        .next([179, 181].map(|seconds| Fault::SlowToken(secs(seconds))));
    ask(&pool, OPENAI, "Think about it.").await.unwrap();
    let begun = Instant::now();
    let error = ask(&pool, OPENAI, "Think longer.").await.unwrap_err();
    let ErrorKind::StreamIdle { events, .. } = error.kind() else {
        panic!("a silence, not {error:?}");
    };
    assert_eq!((events, begun.elapsed().as_secs()), (1, 180));
}

/// The same over sockets and HTTP/1.1, by the clock on the wall.
#[tokio::test]
async fn both_apis_are_spoken_to_over_sockets_too() {
    for shape in [ANTHROPIC, OPENAI] {
        let api = Api::on_loopback(shape).await;
        let pool = settings()
            .host("127.0.0.1", shape.config())
            .build()
            .unwrap();
        api.next([
            Fault::None,
            Fault::Overloaded,
            Fault::SlowToken(Duration::from_millis(50)),
        ]);
        let base = format!("http://{}", api.server.authority());
        for attempts in [None, Some(2), None] {
            let answer = ask_at(&pool, &base, shape, "Where does water run?")
                .await
                .unwrap();
            assert_eq!(answer.text, TEXT.concat());
            assert_eq!(answer.retries.map(|info| info.attempts), attempts);
        }
        api.next([Fault::InMidStream]);
        let error = ask_at(&pool, &base, shape, "And now?").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StreamError);
        assert_eq!(api.seen().len(), 5);
    }
}
