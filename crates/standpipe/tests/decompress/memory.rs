//! What a long body takes of memory, by a counting allocator.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as _;
use standpipe::{Body, BoxError, DecompressLayer};
use standpipe_test::Probe;
use tower::{Layer, ServiceExt};

use super::compressed;

const MIB: usize = 1 << 20;

/// DEC-01: Zstandard's window is in the memory of its C library, which is not counted here.
#[tokio::test]
async fn a_body_of_many_megabytes_is_decoded_in_memory_that_does_not_grow() {
    // Each by its parts, of so many MiB.
    for (encoding, parts, mib, most) in [
        ("gzip", 32, 1, 64 * 1024),
        ("deflate", 1, 8, 64 * 1024),
        // The window is for the encoder to say, here 4 MiB, and is moved once while it grows.
        ("br", 1, 16, 7 * MIB as u64),
    ] {
        let part = compressed(encoding, &vec![0; mib * MIB]).await;
        let pieces = (0..parts).map(move |_| Ok::<_, BoxError>(part.clone()));
        let probe = Probe::new(move |_: Request<Body>| {
            let body = Body::from_stream(futures_util::stream::iter(pieces.clone()));
            let response = Response::builder().header("content-encoding", encoding);
            std::future::ready(Ok::<_, BoxError>(response.body(body).unwrap()))
        });
        let layer = DecompressLayer::new().max_ratio(None);
        let request = Request::new(Body::empty());
        let response = layer.layer(probe).oneshot(request).await.unwrap();
        let mut body = response.into_body();
        assert!(body.is_decoded());

        let mut length = 0;
        let measured = allocation_counter::measure(|| {
            let mut cx = Context::from_waker(Waker::noop());
            loop {
                match Pin::new(&mut body).poll_frame(&mut cx) {
                    Poll::Ready(Some(frame)) => {
                        length += frame.unwrap().data_ref().map_or(0, Bytes::len);
                    }
                    Poll::Ready(None) => break,
                    Poll::Pending => panic!("nothing is waited for"),
                }
            }
        });
        assert_eq!(length, parts * mib * MIB, "{encoding}");
        println!("{encoding}: {} bytes at the most", measured.bytes_max);
        assert!(
            measured.bytes_max < most,
            "{encoding}: {}",
            measured.bytes_max
        );
    }
}
