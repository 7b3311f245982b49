//! What HTTP/2 alone can do wrong.

use tokio::task::JoinHandle;

use super::*;
use crate::faults::{At, ConnectionFault, Fault};
use crate::h2peer::code;

async fn start(script: FaultServerBuilder) -> Test {
    Test::new(Protocol::Http2, script).await
}

impl Test {
    /// Sends a request whose answer is awaited elsewhere.
    async fn begin(&mut self) -> JoinHandle<hyper::Result<Response<Incoming>>> {
        let before = self.server.stats().requests;
        let sent = tokio::spawn(self.client.http2().send_request(get()));
        self.server.until(|stats| stats.requests > before).await;
        sent
    }
}

// ---- RST_STREAM ----

#[tokio::test(start_paused = true)]
async fn a_stream_is_reset_with_any_code_before_the_head() {
    for code in [code::NO_ERROR, code::INTERNAL_ERROR, code::CANCEL, 0xdead] {
        let at = At::BeforeHead;
        let mut test = start(hello().request(0, Fault::ResetStream { code, at })).await;
        let error = test.get().await.unwrap_err();
        assert!(find::<h2::Error>(&error).unwrap().is_reset());
        assert_eq!(code_of(&error), code);
        // The connection goes on.
        assert_eq!(test.get().await.unwrap().status(), 200);
        assert_eq!(test.server.stats().requests_per_connection, [2]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_reset_within_the_body() {
    let at = At::Body(3);
    let code = code::INTERNAL_ERROR;
    let mut test = start(hello().request(0, Fault::ResetStream { code, at })).await;
    let mut body = test.get().await.unwrap().into_body();
    assert_eq!(piece(&mut body).await.unwrap(), "hel");
    assert_eq!(code_of(&piece(&mut body).await.unwrap_err()), code);
    assert_eq!(test.get().await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_refused_stream_was_not_looked_at() {
    let mut test = start(hello().request(0, Fault::refused_stream())).await;
    let error = test.get().await.unwrap_err();
    assert_eq!(code_of(&error), code::REFUSED_STREAM);
    assert_eq!(test.get().await.unwrap().status(), 200);
}

// ---- GOAWAY ----

#[tokio::test(start_paused = true)]
async fn a_goaway_before_the_first_stream_excludes_all() {
    for code in [code::NO_ERROR, code::ENHANCE_YOUR_CALM] {
        let script = hello().connection(0, ConnectionFault::GoAway { code });
        let mut test = start(script).await;
        let error = test.get().await.unwrap_err();
        if find::<h2::Error>(&error).is_some() {
            assert_eq!(code_of(&error), code);
        } else {
            assert!(error.is_canceled() || error.is_closed(), "{error:?}");
        }
        let stats = test.server.until(|stats| stats.open == 0).await;
        assert_eq!(stats.requests, 0);
        // The next connection is as it should be.
        test.client = Client::dial(Protocol::Http2, &test.network).await;
        assert_eq!(test.get().await.unwrap().status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_goaway_that_excludes_the_stream_fails_it_and_no_earlier_one() {
    let code = code::INTERNAL_ERROR;
    let answered = false;
    let script = hello()
        .request(0, Fault::Delay(At::BeforeHead, SECOND))
        .request(1, Fault::GoAway { code, answered });
    let mut test = start(script).await;
    let earlier = test.begin().await;
    let error = test.get().await.unwrap_err();
    let h2 = find::<h2::Error>(&error).unwrap();
    assert!(h2.is_go_away() && h2.is_remote(), "{h2:?}");
    assert_eq!(code_of(&error), code);
    assert_eq!(earlier.await.unwrap().unwrap().status(), 200);
    test.server.until(|stats| stats.open == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_goaway_that_includes_the_stream_answers_it_and_closes() {
    let code = code::NO_ERROR;
    let answered = true;
    let script = hello().request(0, Fault::GoAway { code, answered });
    let mut test = start(script).await;
    let response = test.get().await.unwrap();
    assert_eq!(body(response).await.unwrap(), "hello");
    test.server.until(|stats| stats.open == 0).await;
    test.get().await.unwrap_err();
    assert_eq!(test.server.stats().requests, 1);
}

/// Nothing is lost: what the client sends before it knows is answered still.
#[tokio::test(start_paused = true)]
async fn a_graceful_goaway_excludes_nothing_for_a_round_trip() {
    use crate::h2peer::kind;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let mut test = start(hello().request(0, Fault::GracefulGoAway)).await;
    let response = test.get().await.unwrap();
    assert_eq!(body(response).await.unwrap(), "hello");
    test.server.until(|stats| stats.open == 0).await;
    test.get().await.unwrap_err();

    // A client that is slow to answer the PING, by hand.
    let script = hello().http2().request(0, Fault::GracefulGoAway);
    let network = Network::new();
    let server = script.start_on(network.listen(ADDRESS));
    let mut io = network.dial(ADDRESS).await.unwrap();
    let get = |stream| crate::h2peer::encode(kind::HEADERS, 5, stream, &[0x82, 0x86, 0x84]);
    let settings = crate::h2peer::encode(kind::SETTINGS, 0, 0, &[]);
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    io.write_all(&[&preface[..], &settings, &get(1), &get(3)].concat())
        .await
        .unwrap();
    server.until(|stats| stats.requests == 2).await;
    let pong = crate::h2peer::encode(kind::PING, 1, 0, b"shutdown");
    io.write_all(&[pong, get(5)].concat()).await.unwrap();
    let mut read = Vec::new();
    io.read_to_end(&mut read).await.unwrap();
    let mut frames = Vec::new();
    while let [a, b, c, kind, _, s @ ..] = &read[..] {
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        let stream = u32::from_be_bytes(s[..4].try_into().unwrap());
        let payload = read[9..9 + length].to_vec();
        frames.push((*kind, stream, payload));
        read.drain(..9 + length);
    }
    let last =
        |frame: &(u8, u32, Vec<u8>)| (frame.0 == kind::GOAWAY).then(|| frame.2[..4].to_vec());
    let lasts: Vec<_> = frames.iter().filter_map(last).collect();
    assert_eq!(lasts, [vec![0x7f, 0xff, 0xff, 0xff], vec![0, 0, 0, 3]]);
    let answered = |frame: &(u8, u32, Vec<u8>)| (frame.0 == kind::HEADERS).then_some(frame.1);
    let mut answered: Vec<_> = frames.iter().filter_map(answered).collect();
    answered.sort_unstable();
    assert_eq!(answered, [1, 3]);
}

// ---- the limit of streams ----

#[tokio::test(start_paused = true)]
async fn the_limit_of_streams_is_announced_and_enforced() {
    for script in [
        hello().max_concurrent_streams(2),
        hello().connection(0, ConnectionFault::StreamLimit(2)),
    ] {
        let mut test = start(script.requests(1.., Fault::Stall(At::BeforeHead))).await;
        // The client knows no limit before it has heard of it.
        test.get().await.unwrap();
        let _open = [test.begin().await, test.begin().await];
        test.get_stalls().await;
        assert_eq!(test.server.stats().requests, 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_above_the_limit_is_refused() {
    let script = hello()
        .request(0, Fault::Stall(At::BeforeHead))
        .request(1, Fault::StreamLimit(1));
    let mut test = start(script).await;
    let client = test.client.http2();
    // Sent at once, the third before the client knows.
    let requests = [(); 3].map(|()| tokio::spawn(client.send_request(get())));
    let [_stalled, answered, refused] = requests;
    assert_eq!(answered.await.unwrap().unwrap().status(), 200);
    let error = refused.await.unwrap().unwrap_err();
    assert_eq!(code_of(&error), code::REFUSED_STREAM);
    assert_eq!(test.server.stats().requests, 2);
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_streams_is_lowered_and_raised_in_mid_life() {
    let script = hello()
        .max_concurrent_streams(3)
        .request(1, Fault::StreamLimit(1))
        .request(2, Fault::Delay(At::BeforeHead, SECOND))
        .request(3, Fault::StreamLimit(2))
        .requests(4.., Fault::Stall(At::BeforeHead));
    let mut test = start(script).await;
    test.get().await.unwrap();
    test.get().await.unwrap();
    let first = test.begin().await;
    // Comes only when the first has ended.
    let start = Instant::now();
    test.get().await.unwrap();
    assert_eq!(start.elapsed(), SECOND);
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    let _open = [test.begin().await, test.begin().await];
    test.get_stalls().await;
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_none_lets_no_stream_through() {
    let script = hello().request(0, Fault::StreamLimit(0));
    let mut test = start(script).await;
    test.get().await.unwrap();
    test.get_stalls().await;
    assert_eq!(test.server.stats().requests, 1);
}

// ---- windows ----

#[tokio::test(start_paused = true)]
async fn a_withheld_window_lets_no_more_of_an_upload_through() {
    for initial in [1000, 65_535] {
        let script = hello().connection(0, ConnectionFault::WithholdWindow { initial });
        let mut test = start(script).await;
        // Until the settings have come, the client has a window of its own.
        test.get().await.unwrap();
        let before = test.server.stats().bytes_in;
        let fits = test.client.send(post(initial as usize)).await.unwrap();
        assert_eq!(fits.status(), 200);
        let upload = timeout(3600 * SECOND, test.client.send(post(initial as usize + 1))).await;
        assert!(upload.is_err(), "{upload:?}");
        let sent = test.server.stats().bytes_in - before;
        let most = u64::from(initial).min(65_535) * 2 + 1000;
        assert!(sent < most, "{sent}");
    }
}

#[tokio::test(start_paused = true)]
async fn streams_beside_one_that_is_not_read_go_on() {
    let script = hello().request(0, Fault::StopReading { after: 10 });
    let mut test = start(script).await;
    let client = test.client.http2();
    let _stuck = tokio::spawn(client.send_request(post(1_000_000)));
    test.server.until(|stats| stats.requests == 1).await;
    let response = test.client.send(post(500_000)).await.unwrap();
    assert_eq!(body(response).await.unwrap(), "hello");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_resets_a_stream_ends_its_answer() {
    let network = Network::new();
    let script = hello().http2().max_concurrent_streams(1);
    let script = script.requests(..2, Fault::Delay(At::BeforeHead, SECOND));
    let server = script.start_on(network.listen(ADDRESS));
    let client = Client::dial(Protocol::Http2, &network).await;
    let mut test = Test {
        network,
        server,
        client,
    };
    let dropped = test.begin().await;
    dropped.abort();
    // There is room for another at once.
    assert_eq!(test.get().await.unwrap().status(), 200);
}

/// hyper resets a stream within a head that drips: the frame is ended first, and the connection goes on.
#[tokio::test(start_paused = true)]
async fn a_stream_reset_within_a_dripping_head_does_not_tear_the_frame() {
    let script = hello().request(0, Fault::DripHead(SECOND));
    let mut test = start(script).await;
    let dripping = test.begin().await;
    tokio::time::sleep(5 * SECOND).await;
    dripping.abort();
    let response = test.get().await.unwrap();
    assert_eq!(body(response).await.unwrap(), "hello");
    let response = test.get().await.unwrap();
    assert_eq!(body(response).await.unwrap(), "hello");
}
