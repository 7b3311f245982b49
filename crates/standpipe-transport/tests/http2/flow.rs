//! Flow control, and when a stream is over.

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full};
use standpipe_test::Server;
use standpipe_test::h2peer::setting::{INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS};
use standpipe_test::h2peer::{flag, kind};
use standpipe_test::memory::Network;
use standpipe_transport::Http2Config;

use crate::support::{
    A, answer_to, fetch, get, head_of, over_http2, post, secs, send, settle, stats,
};
use crate::wire::Wire;

/// Small windows: 64 KiB for a stream, twice that for the connection.
fn narrow() -> Http2Config {
    let mut config = Http2Config::default();
    config.initial_stream_window = Some(64 * 1024);
    config.initial_connection_window = Some(128 * 1024);
    config
}

/// H2-19, h2 0.4.14 to 0.4.17: what a body had taken of the window was lost when it was dropped unread.
#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_reads_holds_up_no_other_and_its_window_comes_back() {
    let network = Network::new();
    let server = Server::builder()
        .http2()
        .handler(|_| async { Response::new(Full::from(Bytes::from(vec![7; 200 * 1024]))) });
    let server = server.start_on(network.listen("a.test:80"));
    let transport = over_http2(&network)
        .http2(narrow())
        .body_idle_timeout(Some(secs(20)))
        .build()
        .unwrap();
    for _ in 0..20 {
        let unread = head_of(&transport, get(A)).await.unwrap();
        settle().await;
        for _ in 0..3 {
            let body = fetch(&transport, get(A)).await.unwrap();
            assert_eq!(body.len(), 200 * 1024);
        }
        drop(unread);
        settle().await;
    }
    assert_eq!(server.stats().connections, 1);
    assert_eq!(stats(&transport).streams, 0);
}

/// H2-19, h2 0.4.14 to 0.4.17: what comes for a stream after its reset counts against the connection's
/// window, and so does padding; both were lost.
#[tokio::test(start_paused = true)]
async fn the_window_comes_back_for_padding_and_for_streams_that_were_reset() {
    let wire = Wire::with(|b| b.http2(narrow()));
    let first = wire.get();
    let mut peer = wire.accept(&[]).await;
    let mut window: i64 = 65_535;
    let stream = peer.request().await.unwrap();
    peer.head(stream, &[(":status", "200")], false)
        .await
        .unwrap();
    drop(first.await.unwrap().unwrap());
    settle().await;
    // 8 KiB of data and 255 bytes of padding, on a stream that the client has reset.
    let mut payload = vec![255];
    payload.extend_from_slice(&[7; 8 * 1024]);
    payload.extend_from_slice(&[0; 255]);
    for _ in 0..200 {
        let size = i64::try_from(payload.len()).unwrap();
        while window < size {
            let update = peer.next(kind::WINDOW_UPDATE);
            let update = tokio::time::timeout(secs(30), update).await;
            let update = update.expect("the window comes back").unwrap();
            if update.stream == 0 {
                window += i64::from(update.number());
            }
        }
        peer.write(kind::DATA, flag::PADDED, stream, &payload)
            .await
            .unwrap();
        window -= size;
    }
    wire.assert_goes_here(&mut peer).await;
}

/// H2-20
#[tokio::test(start_paused = true)]
async fn two_thousand_uploads_on_a_connection_of_a_hundred_streams_all_finish() {
    let network = Network::new();
    let server = Server::builder()
        .http2()
        .max_concurrent_streams(100)
        .handler(|request| async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Response::new(Full::from(body))
        });
    let server = server.start_on(network.listen("a.test:80"));
    let transport = over_http2(&network)
        .max_connections_per_host(1)
        .max_idle_per_host(1)
        .write_idle_timeout(Some(secs(20)))
        .build()
        .unwrap();
    let mut sent = Vec::new();
    for n in 0..2_000_usize {
        let body = vec![u8::try_from(n % 251).unwrap(); 24 * 1024];
        sent.push((n, send(&transport, post(A, body))));
    }
    for (n, sent) in sent {
        let body = answer_to(sent).await.unwrap();
        assert_eq!(body.len(), 24 * 1024);
        assert!(body.iter().all(|byte| usize::from(*byte) == n % 251));
    }
    let seen = server.stats();
    assert_eq!((seen.requests, seen.connections), (2_000, 1));
}

/// H2-20: bodies that wait for the window are dropped, and the others get it.
#[tokio::test(start_paused = true)]
async fn the_window_of_uploads_that_are_given_up_goes_to_the_others() {
    let wire = Wire::new();
    let settings = [
        (INITIAL_WINDOW_SIZE, 1 << 20),
        (MAX_CONCURRENT_STREAMS, 100),
    ];
    let mut peer = wire.used(&settings).await;
    // All of the connection's window, 64 KiB, is taken by the first; the others wait for it.
    let uploads: Vec<_> = (0..10)
        .map(|_| send(&wire.transport, post(A, vec![7; 256 * 1024])))
        .collect();
    let mut streams = Vec::new();
    for _ in 0..10 {
        streams.push(peer.request().await.unwrap());
    }
    settle().await;
    for upload in &uploads[..9] {
        upload.abort();
    }
    settle().await;
    let mut received = 0;
    while received < 256 * 1024 {
        let frame = tokio::time::timeout(secs(30), peer.frame()).await;
        let frame = frame.expect("the last one gets the window").unwrap();
        if frame.kind == kind::DATA {
            if frame.stream == streams[9] {
                received += frame.payload.len();
            }
            let size = u32::try_from(frame.payload.len()).unwrap();
            if size > 0 {
                peer.window(0, size).await.unwrap();
            }
        }
    }
    peer.respond(streams[9], "all of it").await.unwrap();
    let last = uploads.into_iter().last().unwrap();
    assert_eq!(answer_to(last).await.unwrap(), "all of it");
}
