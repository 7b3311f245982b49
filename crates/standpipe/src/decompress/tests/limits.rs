//! Bodies that grow without bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_compression::Level;
use async_compression::zstd::CParameter;
use standpipe_core::ErrorKind;

use super::*;

const MIB: usize = 1 << 20;

/// How many bytes came out of `body`, in pieces of what size at the most, and how it ended.
async fn drained(layer: &DecompressLayer, response: Response<Body>) -> (usize, usize, ErrorKind) {
    let mut body = through(layer, response).await.into_body();
    let (mut all, mut largest) = (0, 0);
    loop {
        match body.frame().await.expect("an error") {
            Ok(frame) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                (all, largest) = (all + length, largest.max(length));
            }
            Err(error) => {
                assert!(error.is_body());
                return (all, largest, error.kind());
            }
        }
    }
}

/// One part after the other, without end; it counts how many were taken.
async fn endless(encoding: &str, taken: &Arc<AtomicUsize>) -> Response<Body> {
    let part = compressed(encoding, &vec![0; MIB]).await;
    let taken = Arc::clone(taken);
    let parts = futures_util::stream::repeat_with(move || {
        assert!(
            taken.fetch_add(1, Ordering::Relaxed) < 64,
            "it is not stopped"
        );
        Ok::<_, BoxError>(part.clone())
    });
    answer(encoding, Body::from_stream(parts))
}

/// DEC-01
#[tokio::test]
async fn a_bomb_without_end_stops_at_the_cap_in_size() {
    let layer = DecompressLayer::new()
        .max_ratio(None)
        .max_bytes(5 * MIB as u64);
    for encoding in ["gzip", "zstd"] {
        let taken = Arc::default();
        let bomb = endless(encoding, &taken).await;
        let (all, largest, kind) = drained(&layer, bomb).await;
        let limit = 5 * MIB as u64;
        assert_eq!(kind, ErrorKind::BodyTooLarge { limit }, "{encoding}");
        assert!(all <= 5 * MIB && all > 4 * MIB, "{encoding}: {all}");
        assert!(largest <= 16 * 1024, "{encoding}: {largest}");
        // It is read as it is decoded, and not ahead.
        assert!(taken.load(Ordering::Relaxed) <= 7, "{encoding}: {taken:?}");
    }
}

/// DEC-01
#[tokio::test]
async fn a_bomb_stops_at_the_cap_in_ratio() {
    for encoding in ALL {
        let bomb = compressed(encoding, &vec![0; 2 * MIB]).await;
        assert!(bomb.len() < 2 * MIB / 200, "{encoding} {}", bomb.len());
        let layer = DecompressLayer::new();
        let (all, _, kind) = drained(&layer, answer(encoding, bomb.clone())).await;
        let limit = (bomb.len() as u64 * 200).max(MIB as u64);
        assert_eq!(kind, ErrorKind::BodyTooLarge { limit }, "{encoding}");
        assert!(all as u64 <= limit, "{encoding}: {all}");

        let patient = layer.max_ratio(None);
        let response = through(&patient, answer(encoding, bomb)).await;
        let whole = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(whole.len(), 2 * MIB);
    }
}

/// DEC-01
#[tokio::test]
async fn a_window_of_zstandard_beyond_8_mib_is_refused() {
    async fn windowed(log: u32) -> Response<Body> {
        let params = [CParameter::window_log(log)];
        let data = &b"hello"[..];
        let mut encoder = ZstdEncoder::with_quality_and_params(data, Level::Default, &params);
        let mut out = Vec::new();
        encoder.read_to_end(&mut out).await.unwrap();
        answer("zstd", out)
    }
    let layer = DecompressLayer::new();
    let allowed = through(&layer, windowed(23).await).await;
    assert_eq!(
        allowed.into_body().collect().await.unwrap().to_bytes(),
        "hello"
    );
    for log in [24, 27] {
        let refused = drained(&layer, windowed(log).await).await;
        assert_eq!(refused, (0, 0, ErrorKind::Decode), "{log}");
    }
}

/// DEC-06
#[tokio::test]
async fn the_largest_body_that_is_read_at_once_is_counted_in_decoded_bytes() {
    for encoding in ALL {
        let body = compressed(encoding, &[0; 10_000]).await;
        assert!(body.len() < 1000);
        for (limit, fits) in [(9_999, false), (10_000, true)] {
            let response = through(&DecompressLayer::new(), answer(encoding, body.clone())).await;
            let response =
                crate::Response::new(response.map(Body::new), limit, http::Uri::default());
            match response.bytes().await {
                Ok(bytes) => assert!(fits && bytes.len() == 10_000),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::BodyTooLarge { limit });
                    assert!(!fits, "{encoding}");
                }
            }
        }
    }
}
