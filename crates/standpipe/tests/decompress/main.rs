//! Decompression over the transport, and what it takes of memory.

mod connections;
mod memory;

use async_compression::Level;
use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZlibEncoder};
use bytes::Bytes;
use tokio::io::AsyncReadExt;

/// `data` as `encoding` has it.
async fn compressed(encoding: &str, data: &[u8]) -> Bytes {
    let mut out = Vec::new();
    let read = match encoding {
        "gzip" => GzipEncoder::new(data).read_to_end(&mut out).await,
        "br" => {
            BrotliEncoder::with_quality(data, Level::Fastest)
                .read_to_end(&mut out)
                .await
        }
        "deflate" => ZlibEncoder::new(data).read_to_end(&mut out).await,
        other => panic!("{other} is none"),
    };
    read.unwrap();
    out.into()
}
