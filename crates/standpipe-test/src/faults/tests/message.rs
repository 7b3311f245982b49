//! Answers that say what they should not.

use super::*;
use crate::faults::Fault;
use crate::h2peer::code;

#[tokio::test(start_paused = true)]
async fn informational_answers_come_before_the_real_one() {
    for times in [1, 3, 10_000] {
        let script = hello().request(0, Fault::Informational { status: 103, times });
        let mut test = Test::new(Protocol::Http1, script).await;
        let mut request = get();
        let counted = count_informational(&mut request, 103);
        let response = test.client.send(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(body(response).await.unwrap(), "hello");
        assert_eq!(counted.load(Ordering::SeqCst), times);
        assert_eq!(test.get().await.unwrap().status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn informational_answers_come_by_http2_too() {
    let mut sent = Vec::new();
    for times in [1, 2, 10_000] {
        let script = hello().request(0, Fault::Informational { status: 103, times });
        let mut test = Test::new(Protocol::Http2, script).await;
        let response = test.get().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(body(response).await.unwrap(), "hello");
        sent.push(test.server.stats().bytes_out);
    }
    let each = sent[1] - sent[0];
    assert_eq!(each, 9 + 3 + ":status103".len() as u64);
    assert!(sent[2] > 9_998 * each);
}

#[tokio::test(start_paused = true)]
async fn a_length_that_is_too_long_is_an_end_too_early() {
    for protocol in BOTH {
        let script = hello().request(0, Fault::LengthTooLong(2));
        let mut test = Test::new(protocol, script).await;
        let response = test.get().await.unwrap();
        assert_eq!(response.headers()["content-length"], "7");
        body(response).await.unwrap_err();
    }
}

#[tokio::test(start_paused = true)]
async fn a_length_that_is_too_short_leaves_bytes_that_belong_to_nothing() {
    for script in [hello(), FaultServer::builder()] {
        let script = script.request(0, Fault::LengthTooShort(2));
        let mut test = Test::new(Protocol::Http1, script).await;
        let response = test.get().await.unwrap();
        let length = response.headers()["content-length"].to_str().unwrap();
        let length = length.parse::<usize>().unwrap();
        assert_eq!(body(response).await.unwrap().len(), length);
        // hyper closes a connection with bytes that it did not ask for.
        test.get().await.unwrap_err();
    }
    let script = hello().request(0, Fault::LengthTooShort(2));
    let mut test = Test::new(Protocol::Http2, script).await;
    let response = test.get().await.unwrap();
    assert_eq!(response.headers()["content-length"], "3");
    let error = body(response).await.unwrap_err();
    assert_eq!(code_of(&error), code::PROTOCOL_ERROR);
}

#[tokio::test(start_paused = true)]
async fn two_lengths_are_no_answer() {
    for protocol in BOTH {
        let mut test = Test::new(protocol, hello().request(0, Fault::TwoLengths)).await;
        let error = test.get().await.unwrap_err();
        match protocol {
            Protocol::Http1 => assert!(error.is_parse(), "{error:?}"),
            Protocol::Http2 => assert_eq!(code_of(&error), code::PROTOCOL_ERROR),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn garbage_is_no_answer() {
    for protocol in BOTH {
        let garbage = Bytes::from_static(b"\xff\xff\xff\xffnonsense\r\n\r\n");
        let script = hello().request(1, Fault::Garbage(garbage));
        let mut test = Test::new(protocol, script).await;
        test.get().await.unwrap();
        let error = test.get().await.unwrap_err();
        match protocol {
            Protocol::Http1 => assert!(error.is_parse(), "{error:?}"),
            Protocol::Http2 => {
                assert_eq!(code_of(&error), code::FRAME_SIZE_ERROR);
            }
        }
        test.server.until(|stats| stats.open == 0).await;
    }
}
