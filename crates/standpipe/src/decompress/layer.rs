use http::HeaderValue;
use tower_layer::Layer;

use super::Decompress;
use super::encoding;
use super::limits::Limits;

/// Makes [`Decompress`], which asks for compressed answers and decodes them.
///
/// What it can decode is what the features `gzip`, `brotli`, `zstd` and `deflate` say; without any of
/// them it is off.
///
/// # Order
///
/// Below a retry, so that this can look into a failed answer's body; above whatever takes a response's
/// body as it comes from the wire.
///
/// # Clone
///
/// A clone makes the same.
#[derive(Clone, Debug)]
pub struct DecompressLayer {
    accept: Option<HeaderValue>,
    limits: Limits,
}

impl Default for DecompressLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl DecompressLayer {
    /// Decodes all that the features allow.
    pub fn new() -> Self {
        Self {
            accept: encoding::accepted(),
            limits: Limits::default(),
        }
    }

    /// Asks for nothing and decodes nothing.
    pub fn off() -> Self {
        Self {
            accept: None,
            ..Self::new()
        }
    }

    /// The most bytes that may come out of one body. Default 1 GiB; `None` sets no bound.
    #[must_use]
    pub fn max_bytes(mut self, bytes: impl Into<Option<u64>>) -> Self {
        self.limits.max_bytes = bytes.into();
        self
    }

    /// How many times as many bytes may come out of a body as went in, from the first MiB that comes
    /// out on. Default 200; `None` sets no bound. gzip and deflate cannot reach more than 1,032, brotli
    /// and Zstandard can.
    #[must_use]
    pub fn max_ratio(mut self, ratio: impl Into<Option<u32>>) -> Self {
        self.limits.max_ratio = ratio.into();
        self
    }
}

impl<S> Layer<S> for DecompressLayer {
    type Service = Decompress<S>;

    fn layer(&self, inner: S) -> Decompress<S> {
        Decompress::new(inner, self.accept.clone(), self.limits)
    }
}
