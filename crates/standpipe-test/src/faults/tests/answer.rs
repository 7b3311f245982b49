//! What goes wrong with an answer, by HTTP/1.1 and by HTTP/2.

use std::io::Read;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http_body::{Body, Frame};
use tokio::sync::mpsc;

use super::*;
use crate::faults::{At, Fault, Rest};
use crate::h2peer::code;

#[tokio::test(start_paused = true)]
async fn unscripted_requests_get_the_reply() {
    for protocol in BOTH {
        let mut test = Test::new(protocol, hello()).await;
        for _ in 0..3 {
            let response = test.get().await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(response.headers()["content-length"], "5");
            assert_eq!(body(response).await.unwrap(), "hello");
        }
        let response = test.client.send(post(300_000)).await.unwrap();
        assert_eq!(body(response).await.unwrap(), "hello");
        let stats = test.server.stats();
        assert_eq!((stats.connections, stats.peak_open), (1, 1));
        assert_eq!(stats.requests_per_connection, [4]);
        assert!((300_000..330_000).contains(&stats.bytes_in), "{stats:?}");
        assert!((80..1000).contains(&stats.bytes_out), "{stats:?}");
        test.closes_with_the_client().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_of_its_own_is_for_one_request() {
    for protocol in BOTH {
        let busy = Reply::new(503).header("retry-after", "7").body("busy");
        let mut test = Test::new(protocol, hello().request(1, busy)).await;
        assert_eq!(test.get().await.unwrap().status(), 200);
        let response = test.get().await.unwrap();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "7");
        assert_eq!(body(response).await.unwrap(), "busy");
        assert_eq!(test.get().await.unwrap().status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_larger_than_any_window_comes_whole() {
    for protocol in BOTH {
        let large = Bytes::from(vec![7; 12_000_000]);
        let reply = Reply::new(200).body(large.clone());
        let mut test = Test::new(protocol, FaultServer::builder().reply(reply)).await;
        let response = test.get().await.unwrap();
        assert!(body(response).await.unwrap() == large);
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_larger_than_a_frame_comes_whole() {
    for protocol in BOTH {
        let large = "x".repeat(40_000);
        let reply = Reply::new(200).header("x-large", &large[..15_000]);
        let reply = reply.header("x-larger", &large[..12_000]);
        let mut test = Test::new(protocol, FaultServer::builder().reply(reply)).await;
        for _ in 0..2 {
            let response = test.get().await.unwrap();
            assert_eq!(response.headers()["x-larger"].len(), 12_000);
        }
    }
}

// ---- reset ----

#[tokio::test(start_paused = true)]
async fn a_reset_before_the_head_gives_nothing() {
    for protocol in BOTH {
        let script = hello().request(0, Fault::Reset(At::BeforeHead));
        let mut test = Test::new(protocol, script).await;
        assert_reset(&test.get().await.unwrap_err());
        let stats = test.server.until(|stats| stats.open == 0).await;
        assert_eq!(stats.requests, 1);
        if protocol == Protocol::Http1 {
            assert_eq!(stats.bytes_out, 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_within_the_head_gives_a_part_of_it() {
    for protocol in BOTH {
        let mut sent = [0, 0];
        for (at, sent) in [At::BeforeHead, At::Head(10)].into_iter().zip(&mut sent) {
            let mut test = Test::new(protocol, hello().request(0, Fault::Reset(at))).await;
            assert_reset(&test.get().await.unwrap_err());
            *sent = test.server.until(|stats| stats.open == 0).await.bytes_out;
        }
        assert_eq!(sent[1] - sent[0], 10);
    }
}

/// hyper keeps its bytes to itself: here is what it reads.
#[tokio::test(start_paused = true)]
async fn a_part_of_the_head_is_read_before_the_reset() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    for (n, part) in [
        (10, "HTTP/1.1 2"),
        (1000, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r"),
    ] {
        let network = Network::new();
        let _server = hello()
            .request(0, Fault::Reset(At::Head(n)))
            .start_on(network.listen(ADDRESS));
        let mut io = network.dial(ADDRESS).await.unwrap();
        io.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let mut read = Vec::new();
        let error = io.read_to_end(&mut read).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(String::from_utf8(read).unwrap(), part);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_within_the_body_gives_a_part_of_it() {
    for protocol in BOTH {
        for (n, part) in [(0, ""), (3, "hel"), (8, "hello...")] {
            let script = hello().request(0, Fault::Reset(At::Body(n)));
            let mut test = Test::new(protocol, script).await;
            let mut body = test.get().await.unwrap().into_body();
            let mut read = String::new();
            let error = loop {
                match piece(&mut body).await {
                    Ok(piece) => read.push_str(str::from_utf8(&piece).unwrap()),
                    Err(error) => break error,
                }
            };
            assert_reset(&error);
            assert_eq!(read, part);
        }
    }
}

// ---- close ----

#[tokio::test(start_paused = true)]
async fn a_close_before_or_within_the_head_is_an_end_too_early() {
    for protocol in BOTH {
        for at in [At::BeforeHead, At::Head(10)] {
            let mut test = Test::new(protocol, hello().request(0, Fault::Close(at))).await;
            let error = test.get().await.unwrap_err();
            match protocol {
                Protocol::Http1 => assert!(error.is_incomplete_message(), "{error:?}"),
                Protocol::Http2 => assert_broken(&error),
            }
            test.server.until(|stats| stats.open == 0).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_within_the_body_is_an_end_too_early() {
    for protocol in BOTH {
        let script = hello().request(0, Fault::Close(At::Body(2)));
        let mut test = Test::new(protocol, script).await;
        let mut body = test.get().await.unwrap().into_body();
        assert_eq!(piece(&mut body).await.unwrap(), "he");
        assert_broken(&piece(&mut body).await.unwrap_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_closed_after_the_answer_has_not_said_so() {
    for protocol in BOTH {
        let script = hello().request(0, Fault::CloseAfterAnswer);
        let mut test = Test::new(protocol, script).await;
        let response = test.get().await.unwrap();
        assert!(!response.headers().contains_key("connection"));
        assert_eq!(body(response).await.unwrap(), "hello");
        test.server.until(|stats| stats.open == 0).await;
        test.get().await.unwrap_err();
        assert_eq!(test.server.stats().requests, 1);
    }
}

/// The race of keep-alive: the client finds the connection open, and its request meets the close.
#[tokio::test(start_paused = true)]
async fn a_kept_connection_closes_as_the_next_request_arrives() {
    for protocol in BOTH {
        let script = hello().request(0, Fault::CloseOnNextRequest);
        let mut test = Test::new(protocol, script).await;
        let response = test.get().await.unwrap();
        assert_eq!(body(response).await.unwrap(), "hello");
        tokio::time::sleep(3600 * SECOND).await;
        assert_eq!(test.server.stats().open, 1);
        let error = test.get().await.unwrap_err();
        // It was sent: hyper does not give the request back.
        assert!(!error.is_canceled(), "{error:?}");
        let stats = test.server.until(|stats| stats.open == 0).await;
        assert_eq!(stats.requests, 1);
    }
}

// ---- stalls and delays ----

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

// ---- requests ----

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_reading_lets_the_upload_stand() {
    for protocol in BOTH {
        for after in [0, 100_000] {
            let script = hello().request(0, Fault::StopReading { after });
            let mut test = Test::new(protocol, script).await;
            let upload = test.client.send(post(10_000_000));
            let upload = timeout(3600 * SECOND, upload).await;
            assert!(upload.is_err(), "{upload:?}");
            let read = test.server.stats().bytes_in;
            let most = after as u64 + 140_000;
            assert!((after as u64..most).contains(&read), "{read} of {after}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_early_answer_comes_before_the_body_was_sent() {
    for protocol in BOTH {
        for rest in [Rest::Read, Rest::Leave, Rest::Close] {
            let script = hello().request(0, Fault::EarlyAnswer(rest));
            let mut test = Test::new(protocol, script).await;
            let (upload, request) = Upload::new();
            let response = test.client.send(request).await.unwrap();
            assert_eq!(body(response).await.unwrap(), "hello");
            let sent = upload.send(1_000_000).await;
            let server = test.server;
            match rest {
                Rest::Read => {
                    assert!(sent);
                    server.until(|stats| stats.bytes_in > 1_000_000).await;
                }
                Rest::Leave => {
                    assert!(!sent);
                    assert_eq!(server.stats().open, 1);
                }
                Rest::Close => {
                    assert!(!sent);
                    if protocol == Protocol::Http1 {
                        server.until(|stats| stats.open == 0).await;
                    }
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_expects_a_100_gets_it_unless_the_answer_is_early() {
    for early in [false, true] {
        let mut script = hello();
        if early {
            script = script.request(0, Fault::EarlyAnswer(Rest::Close));
        }
        let mut test = Test::new(Protocol::Http1, script).await;
        let mut request = post(10);
        let headers = request.headers_mut();
        headers.insert("expect", "100-continue".parse().unwrap());
        let continued = count_informational(&mut request, 100);
        assert_eq!(test.client.send(request).await.unwrap().status(), 200);
        assert_eq!(continued.load(Ordering::SeqCst), usize::from(!early));
    }
}

// ---- what the answer says ----

#[tokio::test(start_paused = true)]
async fn informational_answers_come_before_the_real_one() {
    for times in [1, 3, 50_000] {
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

#[tokio::test(start_paused = true)]
async fn redirects_lead_round_in_a_loop() {
    for protocol in BOTH {
        let script = FaultServer::builder().reply(Reply::redirect("/again"));
        let mut test = Test::new(protocol, script).await;
        for _ in 0..20 {
            let response = test.get().await.unwrap();
            assert_eq!(response.status(), 302);
            assert_eq!(response.headers()["location"], "/again");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_decompression_bomb_unpacks_to_all_its_zeros() {
    for protocol in BOTH {
        for n in [0, 1, 258, 259, 10_000, 50_000_000] {
            let script = hello().request(0, Reply::decompression_bomb(n));
            let mut test = Test::new(protocol, script).await;
            let response = test.get().await.unwrap();
            assert_eq!(response.headers()["content-encoding"], "gzip");
            let packed = body(response).await.unwrap();
            assert!(packed.len() as u64 <= n / 1000 + 200, "{}", packed.len());
            // The decoder checks the sum and the length at the end.
            let mut unpacked = Vec::new();
            let mut decoder = flate2::read::GzDecoder::new(&packed[..]);
            decoder.read_to_end(&mut unpacked).unwrap();
            assert_eq!(unpacked.len() as u64, n);
            assert!(unpacked.iter().all(|byte| *byte == 0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_request_is_answered_without_a_body() {
    let script = hello().request(1, Fault::Reset(At::Body(2)));
    let mut test = Test::new(Protocol::Http1, script).await;
    for _ in 0..2 {
        let request = with_body(Request::head(URL), Bytes::new());
        let response = test.client.send(request).await.unwrap();
        assert_eq!(response.headers()["content-length"], "5");
    }
    test.server.until(|stats| stats.open == 0).await;
}

// ---- helpers ----

/// The connection has ended before the answer.
#[track_caller]
fn assert_broken(error: &hyper::Error) {
    let kind = io_kind(error).unwrap_or_else(|| panic!("{error:?}"));
    assert_ne!(kind, io::ErrorKind::ConnectionReset);
}

fn count_informational(request: &mut Request<RequestBody>, status: u16) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    hyper::ext::on_informational(request, move |response| {
        assert_eq!(response.status(), status);
        counted.fetch_add(1, Ordering::SeqCst);
    });
    count
}

/// A request's body that the test sends when it wishes.
struct Upload(mpsc::Sender<Bytes>);

struct Uploading(mpsc::Receiver<Bytes>);

impl Upload {
    fn new() -> (Self, Request<RequestBody>) {
        let (pieces, uploading) = mpsc::channel(1);
        let body = Uploading(uploading).boxed_unsync();
        (Self(pieces), Request::post(URL).body(body).unwrap())
    }

    /// Sends so many bytes, and says whether they were taken.
    async fn send(&self, mut bytes: usize) -> bool {
        while bytes > 0 {
            let piece = vec![b'b'; bytes.min(10_000)];
            bytes -= piece.len();
            let sent = timeout(3600 * SECOND, self.0.send(piece.into())).await;
            if !matches!(sent, Ok(Ok(()))) {
                return false;
            }
        }
        true
    }
}

impl Body for Uploading {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.0.poll_recv(cx);
        piece.map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}
