//! What is asked for, and which answers are decoded.

use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH};
use standpipe_core::{ConnectionFacts, ConnectionInfo};

use super::*;

async fn gzipped() -> Response<Body> {
    let body = compressed("gzip", b"hello").await;
    let mut response = answer("gzip", body.clone());
    let length = body.len().into();
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}

async fn untouched(request: Request<Body>, response: Response<Body>) {
    let (headers, body) = (
        response.headers().clone(),
        response.body().as_bytes().cloned(),
    );
    let passed = sent_through(&DecompressLayer::new(), request, response).await;
    assert_eq!(*passed.headers(), headers);
    let plain = passed.into_body().into_plain().expect("a plain body");
    assert_eq!(plain.as_bytes().cloned(), body);
}

fn get() -> Request<Body> {
    Request::new(Body::empty())
}

/// DEC-04
#[tokio::test]
async fn a_decoded_answer_has_neither_the_encoding_nor_the_length_of_what_came() {
    for encoding in ["gzip", "GZip", " gzip", "x-gzip"] {
        let mut response = gzipped().await;
        let value = encoding.parse().unwrap();
        response.headers_mut().insert(CONTENT_ENCODING, value);
        response
            .headers_mut()
            .insert("etag", "\"e\"".parse().unwrap());
        let decoded = through(&DecompressLayer::new(), response).await;
        assert_eq!(decoded.headers().len(), 1, "{encoding}");
        assert_eq!(decoded.headers()["etag"], "\"e\"");
        assert_eq!(
            decoded.into_body().collect().await.unwrap().to_bytes(),
            "hello"
        );
    }
}

/// DEC-04
#[tokio::test]
async fn answers_to_head_and_range_and_those_without_a_whole_body_are_untouched() {
    let head = Request::head("/").body(Body::empty()).unwrap();
    untouched(head, gzipped().await).await;
    let range = Request::get("/").header("range", "bytes=0-9");
    untouched(range.body(Body::empty()).unwrap(), gzipped().await).await;
    for status in [204, 206, 304] {
        let mut response = gzipped().await;
        *response.status_mut() = status.try_into().unwrap();
        untouched(get(), response).await;
    }
    untouched(get(), answer("gzip", Body::empty())).await;
}

/// DEC-02
#[tokio::test]
async fn encodings_one_upon_the_other_and_unknown_ones_are_untouched() {
    for encoding in [
        "gzip, gzip",
        "br, gzip",
        "gzip,",
        "compress",
        "identity",
        "",
        "gzip;q=1",
    ] {
        untouched(get(), answer(encoding, "hello")).await;
    }
    let mut twice = answer("gzip", "hello");
    twice
        .headers_mut()
        .append(CONTENT_ENCODING, "gzip".parse().unwrap());
    untouched(get(), twice).await;
}

/// DEC-04
#[tokio::test]
async fn who_asks_for_an_encoding_gets_it_as_it_comes() {
    for wish in ["gzip", "identity"] {
        let request = Request::get("/").header(ACCEPT_ENCODING, wish);
        untouched(request.body(Body::empty()).unwrap(), gzipped().await).await;
    }
}

#[tokio::test]
async fn all_that_can_be_decoded_is_asked_for_unless_the_request_says_otherwise() {
    async fn asked(layer: &DecompressLayer, request: Request<Body>) -> HeaderMap {
        let seen = std::sync::Arc::new(standpipe_core::sync::Mutex::new(None));
        let record = seen.clone();
        let probe = Probe::new(move |request: Request<Body>| {
            *record.lock() = Some(request.headers().clone());
            std::future::ready(Ok::<_, BoxError>(Response::new(Body::empty())))
        });
        layer.layer(probe).oneshot(request).await.unwrap();
        let headers = seen.lock().take();
        headers.unwrap()
    }
    let on = DecompressLayer::new();
    let all = asked(&on, get()).await;
    assert_eq!(all[ACCEPT_ENCODING], "gzip, br, zstd, deflate");
    let own = Request::get("/").header(ACCEPT_ENCODING, "br");
    let own = asked(&on, own.body(Body::empty()).unwrap()).await;
    assert_eq!(own[ACCEPT_ENCODING], "br");
    let ranged = Request::get("/").header("range", "bytes=0-9");
    let ranged = asked(&on, ranged.body(Body::empty()).unwrap()).await;
    assert!(!ranged.contains_key(ACCEPT_ENCODING));
    assert!(asked(&DecompressLayer::off(), get()).await.is_empty());
}

#[tokio::test]
async fn a_layer_that_is_off_decodes_nothing() {
    let response = through(&DecompressLayer::off(), gzipped().await).await;
    assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
    assert!(!response.body().is_decoded());
}

#[tokio::test]
async fn the_connection_of_the_inner_body_is_known_whether_or_not_it_is_decoded() {
    let facts = ConnectionFacts::new(7, http::Version::HTTP_11, tokio::time::Instant::now());
    for mut response in [gzipped().await, Response::new(Body::from("plain"))] {
        let info = ConnectionInfo::new(facts.clone().into(), 0);
        response.body_mut().set_connection_info(Some(info));
        let response = through(&DecompressLayer::new(), response).await;
        let info = response.body().get_ref().connection_info();
        assert_eq!(info.map(|info| info.id), Some(7));
    }
}
