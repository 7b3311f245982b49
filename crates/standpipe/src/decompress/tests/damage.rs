//! Data that is not what it should be.

use std::collections::VecDeque;

use http_body::Frame;
use standpipe_core::{ErrorKind, Phase, Unread};

use super::*;

const TEXT: &[u8] = b"hello hello hello, what is this that you have sent to us? hello!";

async fn undecodable(encoding: &str, body: impl Into<Body>) -> String {
    let error = read(encoding, body).await.expect_err(encoding);
    assert_eq!(error.kind(), ErrorKind::Decode, "{encoding}");
    assert_eq!(error.phase(), Some(Phase::Body));
    error.to_string()
}

#[tokio::test]
async fn whatever_is_compressed_comes_out_as_it_was() {
    // Of no pattern, so that it stays long.
    let mut seed = 1_u32;
    let noise = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 28) as u8
    });
    let long: Vec<u8> = noise.take(60_000).collect();
    for encoding in ALL {
        for data in [b"", TEXT, &long] {
            let sent = compressed(encoding, data).await;
            assert_eq!(read(encoding, sent.clone()).await.unwrap(), data);
            let (a, b) = sent.split_at(sent.len() / 3);
            assert_eq!(read(encoding, pieces([a, b])).await.unwrap(), data);
            let bytes = sent.chunks(1).map(|byte| Ok::<_, BoxError>(byte.to_vec()));
            let bytes: Vec<_> = bytes.take(2000).collect();
            if bytes.len() == sent.len() {
                let bytes = Body::from_stream(futures_util::stream::iter(bytes));
                assert_eq!(read(encoding, bytes).await.unwrap(), data);
            }
        }
    }
}

/// DEC-03
#[tokio::test]
async fn data_that_is_cut_anywhere_is_an_error() {
    for encoding in ALL {
        let whole = compressed(encoding, TEXT).await;
        for end in 1..whole.len() {
            let message = undecodable(encoding, whole.slice(..end)).await;
            let cut = format!("the {encoding} data is cut short");
            assert!(
                message.contains(&cut),
                "{end} of {}: {message}",
                whole.len()
            );
        }
    }
}

/// DEC-03
#[tokio::test]
async fn more_after_the_end_is_an_error_in_the_same_piece_and_in_a_later_one() {
    for encoding in ALL {
        let whole = compressed(encoding, TEXT).await;
        let together = [&whole[..], b"more"].concat();
        undecodable(encoding, together).await;
        undecodable(encoding, pieces([&whole, b"more"])).await;
        undecodable(encoding, pieces([&whole, b"", b"\0"])).await;
    }
}

/// DEC-03
#[tokio::test]
async fn damaged_data_is_an_error_that_names_the_encoding() {
    for encoding in ALL {
        let message = undecodable(encoding, "<html>this is not compressed</html>").await;
        assert!(message.contains(encoding), "{message}");
    }
    // What each of these ends with is a checksum.
    for encoding in ["gzip", "deflate"] {
        let mut wrong = compressed(encoding, TEXT).await.to_vec();
        let at = wrong.len() - 5 - if encoding == "deflate" { 0 } else { 3 };
        wrong[at + 1] ^= 1;
        undecodable(encoding, wrong).await;
    }
}

/// DEC-03
#[tokio::test]
async fn nothing_at_all_is_an_empty_body_whatever_encoding_it_names() {
    for encoding in ALL {
        assert_eq!(read(encoding, pieces([b""])).await.unwrap(), "");
    }
}

#[tokio::test]
async fn parts_one_after_the_other_are_one_body_where_the_format_has_it_so() {
    for encoding in ["gzip", "zstd"] {
        let (a, b) = (
            compressed(encoding, b"hel").await,
            compressed(encoding, b"lo").await,
        );
        let together = [&a[..], &b].concat();
        assert_eq!(read(encoding, together).await.unwrap(), "hello");
        assert_eq!(read(encoding, pieces([&a, &b])).await.unwrap(), "hello");
    }
}

#[tokio::test]
async fn an_error_of_the_body_passes_and_ends_it() {
    for encoding in ALL {
        let whole = compressed(encoding, TEXT).await;
        let lost = Error::new(ErrorKind::ConnectionClosed).with_phase(Phase::Body);
        let frames = [Ok(whole.slice(..8)), Err(lost)];
        let body = Body::from_stream(futures_util::stream::iter(frames));
        let response = through(&DecompressLayer::new(), answer(encoding, body)).await;
        let mut body = response.into_body();
        let error = loop {
            match body.frame().await.expect("an error") {
                Ok(frame) => assert!(frame.is_data()),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::ConnectionClosed, "{encoding}");
        assert!(body.frame().await.is_none());
        assert!(http_body::Body::is_end_stream(&body));
    }
}

#[tokio::test]
async fn trailers_pass() {
    for encoding in ALL {
        let mut trailers = http::HeaderMap::new();
        trailers.insert("x-sum", "1".parse().unwrap());
        let data = compressed(encoding, TEXT).await;
        let body = http_body_util::Full::new(data);
        let sent = trailers.clone();
        let body = Body::new(body.with_trailers(async move { Some(Ok(sent)) }));
        let response = through(&DecompressLayer::new(), answer(encoding, body)).await;
        let all = response.into_body().collect().await.unwrap();
        assert_eq!(all.trailers(), Some(&trailers), "{encoding}");
        assert_eq!(all.to_bytes(), TEXT);
    }
}

#[tokio::test]
async fn what_was_read_and_put_back_is_read_again() {
    for encoding in ["gzip", "identity"] {
        let sent = match encoding {
            "gzip" => compressed("gzip", TEXT).await,
            _ => Bytes::from_static(TEXT),
        };
        let (a, b) = sent.split_at(20);
        let response = answer(encoding, pieces([a, b]));
        let mut body = through(&DecompressLayer::new(), response).await.into_body();
        let first = body.frame().await.unwrap();
        let length = first.as_ref().unwrap().data_ref().unwrap().len() as u64;
        let body = body.unread(VecDeque::from([first]));
        assert!(http_body::Body::size_hint(&body).lower() >= length);
        assert_eq!(body.collect().await.unwrap().to_bytes(), TEXT);
    }
}

/// A retry stands above, and reads what the server wrote.
#[tokio::test]
async fn a_retry_that_peeks_sees_the_decoded_text_and_leaves_it_to_the_caller() {
    use standpipe_retry::{Peek, RetryLayer, RetryPolicy, Verdict};

    let body = compressed("gzip", b"{\"error\":\"insufficient_quota\"}").await;
    let probe = Probe::new(move |_: Request<Body>| {
        let mut response = answer("gzip", body.clone());
        *response.status_mut() = http::StatusCode::TOO_MANY_REQUESTS;
        std::future::ready(Ok::<_, BoxError>(response))
    });
    let handle = probe.handle();
    let peek = Peek::new(|peeked| match peeked.body {
        b"{\"error\":\"insufficient_quota\"}" => Verdict::Final,
        other => panic!("{other:?}"),
    });
    let retry = RetryLayer::new(RetryPolicy::default()).peek(peek);
    let service = retry.layer(DecompressLayer::new().layer(probe));
    let response = service.oneshot(Request::new(Body::empty())).await.unwrap();
    assert_eq!(handle.calls(), 1);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "{\"error\":\"insufficient_quota\"}");
}

#[tokio::test]
async fn an_error_that_was_put_back_is_given_again() {
    let cut = compressed("gzip", TEXT).await.slice(..30);
    let mut body = through(&DecompressLayer::new(), answer("gzip", cut))
        .await
        .into_body();
    let mut frames: VecDeque<Result<Frame<Bytes>, Error>> = VecDeque::new();
    while let Some(frame) = body.frame().await {
        frames.push_back(frame);
    }
    let count = frames.len();
    let error = body.unread(frames).collect().await.unwrap_err();
    assert!(count > 0);
    assert_eq!(error.kind(), ErrorKind::Decode);
}
