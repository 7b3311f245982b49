mod damage;
mod heads;
mod limits;
mod streaming;

use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use standpipe_core::{Body, BoxError, Error};
use standpipe_test::Probe;
use tokio::io::AsyncReadExt;
use tower::{Layer, ServiceExt};

use super::{DecompressBody, DecompressLayer};

const ALL: [&str; 4] = ["gzip", "br", "zstd", "deflate"];

/// `data` as `encoding` has it.
async fn compressed(encoding: &str, data: &[u8]) -> Bytes {
    let mut out = Vec::new();
    let read = match encoding {
        "gzip" => GzipEncoder::new(data).read_to_end(&mut out).await,
        "br" => BrotliEncoder::new(data).read_to_end(&mut out).await,
        "zstd" => ZstdEncoder::new(data).read_to_end(&mut out).await,
        "deflate" => ZlibEncoder::new(data).read_to_end(&mut out).await,
        other => panic!("{other} is none"),
    };
    read.unwrap();
    out.into()
}

/// The answer to a GET, as the layer gives it.
async fn through(
    layer: &DecompressLayer,
    response: Response<Body>,
) -> Response<DecompressBody<Body>> {
    let request = Request::get("http://a.example/")
        .body(Body::empty())
        .unwrap();
    sent_through(layer, request, response).await
}

async fn sent_through(
    layer: &DecompressLayer,
    request: Request<Body>,
    response: Response<Body>,
) -> Response<DecompressBody<Body>> {
    let response = standpipe_core::sync::Mutex::new(Some(response));
    let probe = Probe::new(move |_: Request<Body>| {
        std::future::ready(Ok::<_, BoxError>(response.lock().take().unwrap()))
    });
    layer.layer(probe).oneshot(request).await.unwrap()
}

fn answer(encoding: &str, body: impl Into<Body>) -> Response<Body> {
    Response::builder()
        .header("content-encoding", encoding)
        .body(body.into())
        .unwrap()
}

fn pieces<const N: usize>(pieces: [&[u8]; N]) -> Body {
    let pieces = pieces.map(|piece| Ok::<_, BoxError>(Bytes::copy_from_slice(piece)));
    Body::from_stream(futures_util::stream::iter(pieces))
}

/// All of the body, decoded.
async fn read(encoding: &str, body: impl Into<Body>) -> Result<Bytes, Error> {
    let layer = DecompressLayer::new();
    let response = through(&layer, answer(encoding, body)).await;
    assert!(response.body().is_decoded());
    Ok(response.into_body().collect().await?.to_bytes())
}
