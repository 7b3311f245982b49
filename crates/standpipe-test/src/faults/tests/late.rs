//! Answers that come late, slowly or never.

use super::*;
use crate::faults::{At, Fault};

#[tokio::test(start_paused = true)]
async fn a_stall_before_or_within_the_head_gives_nothing_for_ever() {
    for protocol in BOTH {
        for at in [At::BeforeHead, At::Head(10)] {
            let mut test = Test::new(protocol, hello().request(0, Fault::Stall(at))).await;
            test.get_stalls().await;
            assert_eq!(test.server.stats().requests, 1);
            test.closes_with_the_client().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stall_within_the_body_gives_a_part_of_it() {
    for protocol in BOTH {
        let script = hello().request(0, Fault::Stall(At::Body(4)));
        let mut test = Test::new(protocol, script).await;
        let mut body = test.get().await.unwrap().into_body();
        assert_eq!(piece(&mut body).await.unwrap(), "hell");
        let more = timeout(3600 * SECOND, piece(&mut body)).await;
        assert!(more.is_err(), "{more:?}");
        drop(body);
        test.closes_with_the_client().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stalled_stream_stops_the_others_only_within_a_head() {
    for (at, others) in [
        (At::BeforeHead, true),
        (At::Body(1), true),
        (At::Head(10), false),
    ] {
        let script = hello().request(0, Fault::Stall(at));
        let mut test = Test::new(Protocol::Http2, script).await;
        let client = test.client.http2();
        let stalled = tokio::spawn(client.send_request(get()));
        test.server.until(|stats| stats.requests == 1).await;
        if others {
            assert_eq!(test.get().await.unwrap().status(), 200);
        } else {
            test.get_stalls().await;
        }
        stalled.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_delayed_answer_comes_whole_and_at_its_time() {
    for protocol in BOTH {
        for at in [At::BeforeHead, At::Head(10), At::Body(2)] {
            let script = hello().request(0, Fault::Delay(at, 5 * SECOND));
            let mut test = Test::new(protocol, script).await;
            let start = Instant::now();
            let response = test.get().await.unwrap();
            let head = start.elapsed();
            assert_eq!(body(response).await.unwrap(), "hello");
            assert_eq!(start.elapsed(), 5 * SECOND);
            let late = !matches!(at, At::Body(_));
            assert_eq!(head, if late { 5 * SECOND } else { Duration::ZERO });
            assert_eq!(test.get().await.unwrap().status(), 200);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_waits_for_is_given_up() {
    for protocol in BOTH {
        for at in [At::BeforeHead, At::Head(10), At::Body(2)] {
            let script = hello().request(0, Fault::Delay(at, 24 * 3600 * SECOND));
            let mut test = Test::new(protocol, script).await;
            let answer = async { body(test.get().await?).await };
            timeout(SECOND, answer).await.unwrap_err();
            let start = Instant::now();
            test.closes_with_the_client().await;
            assert_eq!(start.elapsed(), Duration::ZERO);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_drips() {
    for protocol in BOTH {
        let script = hello().request(0, Fault::DripHead(SECOND));
        let mut test = Test::new(protocol, script).await;
        let start = Instant::now();
        let response = test.get().await.unwrap();
        let bytes = match protocol {
            Protocol::Http1 => "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n".len(),
            // The head of the frame, and two fields with three bytes to each.
            Protocol::Http2 => 9 + 6 + ":status200content-length5".len(),
        };
        assert_eq!(start.elapsed(), bytes as u32 * SECOND);
        assert_eq!(body(response).await.unwrap(), "hello");
        assert_eq!(start.elapsed(), bytes as u32 * SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_drips() {
    for protocol in BOTH {
        for (script, whole) in [(hello(), "hello"), (FaultServer::builder(), "...")] {
            let script = script.request(0, Fault::DripBody(SECOND));
            let mut test = Test::new(protocol, script).await;
            let start = Instant::now();
            let mut body = test.get().await.unwrap().into_body();
            for (at, byte) in whole.bytes().enumerate() {
                assert_eq!(piece(&mut body).await.unwrap(), [byte][..]);
                assert_eq!(start.elapsed(), (at as u32 + 1) * SECOND);
            }
            assert!(body.frame().await.is_none());
        }
    }
}
