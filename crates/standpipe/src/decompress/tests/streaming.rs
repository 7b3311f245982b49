//! What has come is given at once.

use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
use futures_util::FutureExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::*;

/// Each of `parts` as a piece of its own, flushed, and what ends the stream.
async fn flushed(encoding: &str, parts: &[&str]) -> Vec<Bytes> {
    macro_rules! pieces {
        ($encoder:ident) => {{
            let mut encoder = $encoder::new(Vec::new());
            let mut pieces = Vec::new();
            for part in parts {
                encoder.write_all(part.as_bytes()).await.unwrap();
                encoder.flush().await.unwrap();
                pieces.push(Bytes::from(std::mem::take(encoder.get_mut())));
            }
            encoder.shutdown().await.unwrap();
            pieces.push(Bytes::from(encoder.into_inner()));
            pieces
        }};
    }
    match encoding {
        "gzip" => pieces!(GzipEncoder),
        "br" => pieces!(BrotliEncoder),
        "zstd" => pieces!(ZstdEncoder),
        "deflate" => pieces!(ZlibEncoder),
        other => panic!("{other} is none"),
    }
}

/// DEC-05
#[tokio::test]
async fn each_piece_comes_out_before_the_next_goes_in() {
    let events = ["data: one\n\n", "data: two\n\n", "data: three\n\n"];
    for encoding in ALL {
        let mut sent = flushed(encoding, &events).await.into_iter();
        let (send, mut receive) = mpsc::unbounded_channel::<Bytes>();
        let stream = futures_util::stream::poll_fn(move |cx| {
            receive
                .poll_recv(cx)
                .map(|piece| piece.map(Ok::<_, BoxError>))
        });
        let response = answer(encoding, Body::from_stream(stream));
        let mut body = through(&DecompressLayer::new(), response).await.into_body();
        for event in events {
            assert!(
                body.frame().now_or_never().is_none(),
                "{encoding} runs ahead"
            );
            send.send(sent.next().unwrap()).unwrap();
            let mut got = Vec::new();
            while got.len() < event.len() {
                let frame = body.frame().now_or_never();
                let frame = frame.unwrap_or_else(|| panic!("{encoding} holds {event:?} back"));
                got.extend_from_slice(&frame.unwrap().unwrap().into_data().unwrap());
            }
            assert_eq!(got, event.as_bytes(), "{encoding}");
        }
        send.send(sent.next().unwrap()).unwrap();
        assert!(
            body.frame().now_or_never().is_none(),
            "{encoding} ends early"
        );
        drop(send);
        assert!(body.frame().await.is_none());
    }
}
