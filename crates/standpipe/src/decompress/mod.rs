//! Answers asked for compressed, and decoded under limits.
//!
//! The decoders are async-compression's, as in tower-http. Its service is not used: it costs more than
//! it may where nothing is compressed, decodes by the first of several `Content-Encoding`s, takes the
//! headers off the answer to a HEAD, lets what follows the compressed data pass unseen where it came in
//! the same piece, and sets no bound to the window of Zstandard.

mod body;
mod decode;
mod encoding;
mod future;
mod layer;
mod limits;
mod service;
mod source;
#[cfg(all(
    test,
    feature = "gzip",
    feature = "brotli",
    feature = "zstd",
    feature = "deflate"
))]
mod tests;

pub use body::DecompressBody;
pub use future::DecompressFuture;
pub use layer::DecompressLayer;
pub use service::Decompress;
