//! Servers that send without end: what they cost is bounded.

use std::time::Duration;

use standpipe_test::h2peer::{fields_of, flag, kind};

use crate::support::{secs, settle};
use crate::wire::{Peer, Wire};

/// Whether the client stops taking frames, by closing or by reading no more, before there are `most`.
/// `frame` writes one.
async fn is_bounded(
    peer: &mut Peer,
    most: usize,
    frame: (u8, u8, u32, Vec<u8>),
) -> Result<(), String> {
    let (kind, flags, stream, payload) = frame;
    for n in 0..most {
        let write = peer.write(kind, flags, stream, &payload);
        match tokio::time::timeout(secs(5), write).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Ok(()),
        }
        if n % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    Err(format!("{most} frames were taken"))
}

async fn without_timeouts() -> (Wire, Peer, Vec<(u32, crate::support::Sent)>) {
    let wire = Wire::with(|b| b.response_head_timeout(Some(Duration::MAX)));
    let (peer, requests) = wire.busy(1).await;
    (wire, peer, requests)
}

/// H2-22
#[tokio::test(start_paused = true)]
async fn a_head_that_never_ends_is_given_up() {
    let (wire, mut peer, requests) = without_timeouts().await;
    let block = fields_of(&[("x", &"y".repeat(8 * 1024))]).to_vec();
    let stream = requests[0].0;
    let head = fields_of(&[(":status", "200")]);
    peer.write(kind::HEADERS, 0, stream, head).await.unwrap();
    let flood = (kind::CONTINUATION, 0, stream, block);
    is_bounded(&mut peer, 2_000, flood).await.unwrap();
    drop(peer);
    for (_, sent) in requests {
        sent.await.unwrap().unwrap_err();
    }
    wire.assert_goes_elsewhere().await;
}

/// H2-22
#[tokio::test(start_paused = true)]
async fn empty_continuations_are_given_up() {
    let (wire, mut peer, requests) = without_timeouts().await;
    let stream = requests[0].0;
    let head = fields_of(&[(":status", "200")]);
    peer.write(kind::HEADERS, 0, stream, head).await.unwrap();
    is_bounded(
        &mut peer,
        20_000,
        (kind::CONTINUATION, 0, stream, Vec::new()),
    )
    .await
    .unwrap();
    drop(peer);
    for (_, sent) in requests {
        sent.await.unwrap().unwrap_err();
    }
    wire.assert_goes_elsewhere().await;
}

/// H2-22
#[tokio::test(start_paused = true)]
async fn a_head_over_the_limit_fails_its_stream() {
    let (wire, mut peer, requests) = without_timeouts().await;
    let large = "y".repeat(15 * 1024);
    let stream = requests[0].0;
    let block = fields_of(&[(":status", "200"), ("x", &large)]);
    peer.write(kind::HEADERS, 0, stream, block).await.unwrap();
    let more = fields_of(&[("x", &large)]);
    for n in 0..4 {
        let end = if n == 3 { flag::END_HEADERS } else { 0 };
        peer.write(kind::CONTINUATION, end, stream, more.clone())
            .await
            .unwrap();
    }
    for (_, sent) in requests {
        sent.await.unwrap().unwrap_err();
    }
    settle().await;
    wire.assert_goes_here(&mut peer).await;
}

/// H2-22: nobody reads the body, so what is kept of it is bounded by the number of frames as well as by
/// the window.
#[tokio::test(start_paused = true)]
async fn empty_data_without_end_is_given_up() {
    let (_wire, mut peer, mut requests) = without_timeouts().await;
    let (stream, sent) = requests.remove(0);
    peer.head(stream, &[(":status", "200")], false)
        .await
        .unwrap();
    let _unread = sent.await.unwrap().unwrap();
    is_bounded(&mut peer, 50_000, (kind::DATA, 0, stream, Vec::new()))
        .await
        .unwrap();
}

/// H2-22: answers to what the peer sends wait in the socket, and then no more is read.
#[tokio::test(start_paused = true)]
async fn settings_and_pings_without_end_are_answered_no_further_than_the_peer_reads() {
    for (kind, payload) in [(kind::SETTINGS, Vec::new()), (kind::PING, vec![7; 8])] {
        let (_wire, mut peer, _requests) = without_timeouts().await;
        is_bounded(&mut peer, 50_000, (kind, 0, 0, payload))
            .await
            .unwrap();
    }
}
