//! Servers that break the rules of HTTP/2.

use standpipe_core::ErrorKind;
use standpipe_test::h2peer::{flag, kind, setting};

use crate::polls::Polls;
use crate::support::{answer_to, failure_of, over, settle, stats};
use crate::wire::Wire;

/// A frame that may not be: kind, flags, stream, payload.
type Wrong = (u8, u8, u32, Vec<u8>);

fn set(id: u16, value: u32) -> Wrong {
    let payload = [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
    (kind::SETTINGS, 0, 0, payload)
}

fn wrong_for_the_connection() -> Vec<Wrong> {
    vec![
        set(setting::MAX_FRAME_SIZE, 0),
        set(setting::MAX_FRAME_SIZE, 1 << 24),
        set(setting::INITIAL_WINDOW_SIZE, 1 << 31),
        set(setting::ENABLE_PUSH, 2),
        (kind::SETTINGS, 0, 0, vec![0; 5]),
        (kind::SETTINGS, 0, 1, vec![0; 6]),
        (kind::SETTINGS, flag::ACK, 0, vec![0; 6]),
        (kind::PING, 0, 0, vec![0; 7]),
        (kind::PING, 0, 1, vec![0; 8]),
        (kind::GOAWAY, 0, 0, vec![0; 7]),
        (kind::GOAWAY, 0, 1, vec![0; 8]),
        (kind::RST_STREAM, 0, 0, vec![0; 4]),
        (kind::RST_STREAM, 0, 1, vec![0; 3]),
        (kind::WINDOW_UPDATE, 0, 0, vec![0; 4]),
        (kind::WINDOW_UPDATE, 0, 0, vec![0x7f, 0xff, 0xff, 0xff]),
        (kind::WINDOW_UPDATE, 0, 0, vec![0; 3]),
        (kind::DATA, 0, 0, vec![0; 4]),
        (kind::HEADERS, flag::END_HEADERS, 0, vec![0x88]),
        (kind::HEADERS, flag::END_HEADERS, 2, vec![0x88]),
        (kind::HEADERS, flag::END_HEADERS, 1_000_001, vec![0x88]),
        // An index that no table has.
        (
            kind::HEADERS,
            flag::END_HEADERS,
            3,
            vec![0xff, 0xff, 0xff, 0xff, 0x0f],
        ),
        (kind::CONTINUATION, flag::END_HEADERS, 3, vec![0x88]),
        (kind::DATA, flag::PADDED, 3, vec![200, 0]),
        // A frame larger than was allowed.
        (kind::DATA, 0, 3, vec![0; 1 << 16]),
    ]
}

/// H2-21
#[tokio::test(start_paused = true)]
async fn a_breach_of_the_connection_ends_it_with_an_error_and_no_loop() {
    for (kind, flags, stream, payload) in wrong_for_the_connection() {
        let polls = Polls::default();
        let network = standpipe_test::memory::Network::new();
        let listener = network.listen("a.test:80");
        let transport = over(&network)
            .connector(polls.count(network.connector()))
            .protocol(standpipe_transport::Protocol::Http2)
            .build()
            .unwrap();
        let wire = Wire {
            network,
            listener,
            transport,
        };
        let (mut peer, requests) = wire.busy(1).await;
        let what = format!("kind {kind}, flags {flags}, stream {stream}, {payload:?}");
        let _ = peer.write(kind, flags, stream, payload).await;
        settle().await;
        for (_, sent) in requests {
            let error = failure_of(sent).await;
            let kinds = [
                ErrorKind::Protocol,
                ErrorKind::ConnectionClosed,
                ErrorKind::StreamReset,
            ];
            assert!(kinds.contains(&error.kind()), "{what}: {error:?}");
        }
        assert!(polls.so_far() < 200, "{what}: {} polls", polls.so_far());
        wire.quiet().await;
        assert_eq!(stats(&wire.transport).idle, 0, "{what}");
        wire.assert_goes_elsewhere().await;
    }
}

/// H2-21
#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_http2_fail_the_first_request() {
    for nonsense in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "SSH-2.0-x\r\n",
        "\0\0\0\0\0\0\0\0\0\0",
    ] {
        let wire = Wire::new();
        let sent = wire.get();
        let mut peer = crate::support::accept(&wire.listener).await;
        peer.write(nonsense).await.unwrap();
        let error = failure_of(sent).await;
        assert_ne!(
            error.kind(),
            ErrorKind::ResponseTimeout,
            "{nonsense:?}: {error:?}"
        );
        settle().await;
        assert_eq!(stats(&wire.transport).idle, 0);
    }
}

type Fields = &'static [(&'static str, &'static str)];

/// H2-23
#[tokio::test(start_paused = true)]
async fn a_malformed_answer_fails_its_stream_and_no_other() {
    let malformed: [Fields; 6] = [
        &[],
        &[("x", "y")],
        &[("x", "y"), (":status", "200")],
        &[(":status", "200"), ("connection", "close")],
        &[(":status", "200"), ("transfer-encoding", "chunked")],
        &[(":status", "200"), ("keep-alive", "timeout=5")],
    ];
    for fields in malformed {
        let wire = Wire::new();
        let (mut peer, mut requests) = wire.busy(2).await;
        let (stream, broken) = requests.remove(0);
        peer.head(stream, fields, false).await.unwrap();
        peer.data(stream, "body", true).await.unwrap();
        let error = failure_of(broken).await;
        assert_eq!(error.kind(), ErrorKind::Protocol, "{fields:?}: {error:?}");
        assert!(!error.calls_for_resend(), "{fields:?}: {error:?}");
        let (stream, other) = requests.remove(0);
        peer.respond(stream, "fine").await.unwrap();
        assert_eq!(answer_to(other).await.unwrap(), "fine", "{fields:?}");
        wire.assert_goes_here(&mut peer).await;
    }
}

/// H2-23: what is no header at all is refused by h2 together with its connection.
#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_read_ends_its_connection_and_is_no_case_for_a_resend() {
    let malformed: [Fields; 6] = [
        &[(":status", "")],
        &[(":status", "2000")],
        &[(":status", "20")],
        &[(":status", "abc")],
        &[(":status", "200"), ("X-Upper", "y")],
        &[(":status", "200"), ("x", "a\r\nb")],
    ];
    for fields in malformed {
        let wire = Wire::new();
        let (mut peer, requests) = wire.busy(2).await;
        peer.head(requests[0].0, fields, true).await.unwrap();
        for (_, sent) in requests {
            let error = failure_of(sent).await;
            assert_eq!(error.kind(), ErrorKind::Protocol, "{fields:?}: {error:?}");
            assert!(!error.calls_for_resend(), "{fields:?}: {error:?}");
        }
        wire.quiet().await;
        wire.assert_goes_elsewhere().await;
    }
}

/// H2-23
#[tokio::test(start_paused = true)]
async fn a_body_of_another_length_than_declared_fails_its_stream_and_no_other() {
    for length in ["5", "3", "x", "+4", "4, 5", "99999999999999999999"] {
        let wire = Wire::new();
        let (mut peer, mut requests) = wire.busy(2).await;
        let (stream, broken) = requests.remove(0);
        let fields = [(":status", "200"), ("content-length", length)];
        peer.head(stream, &fields, false).await.unwrap();
        peer.data(stream, "body", true).await.unwrap();
        answer_to(broken).await.expect_err(length);
        let (stream, other) = requests.remove(0);
        peer.respond(stream, "fine").await.unwrap();
        assert_eq!(answer_to(other).await.unwrap(), "fine", "{length}");
        wire.assert_goes_here(&mut peer).await;
    }
}
