use std::pin::Pin;

#[cfg(feature = "brotli")]
use async_compression::tokio::bufread::BrotliDecoder;
#[cfg(feature = "gzip")]
use async_compression::tokio::bufread::GzipDecoder;
#[cfg(feature = "deflate")]
use async_compression::tokio::bufread::ZlibDecoder;
#[cfg(feature = "zstd")]
use async_compression::{tokio::bufread::ZstdDecoder, zstd::DParameter};
use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderValue};
use http_body::Body;
use standpipe_core::BoxError;

use super::source::{Decoder, Source};

/// The window that a decoder of Zstandard over HTTP must take, and need not exceed: 8 MiB (RFC 9659).
/// The library's own bound is 128 MiB.
#[cfg(feature = "zstd")]
const ZSTD_WINDOW_LOG: u32 = 23;

/// What can be decoded, as the features say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    #[cfg(feature = "gzip")]
    Gzip,
    #[cfg(feature = "brotli")]
    Brotli,
    #[cfg(feature = "zstd")]
    Zstd,
    #[cfg(feature = "deflate")]
    Deflate,
}

/// Their names.
const NAMES: &[(&str, Encoding)] = &[
    #[cfg(feature = "gzip")]
    ("gzip", Encoding::Gzip),
    #[cfg(feature = "brotli")]
    ("br", Encoding::Brotli),
    #[cfg(feature = "zstd")]
    ("zstd", Encoding::Zstd),
    #[cfg(feature = "deflate")]
    ("deflate", Encoding::Deflate),
];

/// The `Accept-Encoding` that asks for all of them; none where there is none.
pub(super) fn accepted() -> Option<HeaderValue> {
    let names: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
    let value = HeaderValue::try_from(names.join(", ")).expect("names of encodings are ASCII");
    (!names.is_empty()).then_some(value)
}

impl Encoding {
    /// The one encoding that an answer of these headers has.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return None;
        };
        let value = value.to_str().ok()?.trim();
        // The older name stands for the same (RFC 9110, 8.4.1.3).
        let value = if value.eq_ignore_ascii_case("x-gzip") {
            "gzip"
        } else {
            value
        };
        let mut names = NAMES.iter();
        let known = names.find(|(name, _)| name.eq_ignore_ascii_case(value))?;
        Some(known.1)
    }

    /// The name, for a message.
    pub(super) fn name(self) -> &'static str {
        let mut names = NAMES.iter();
        names
            .find(|(_, encoding)| *encoding == self)
            .map_or("", |(name, _)| name)
    }

    /// A decoder of what `source` gives. gzip and Zstandard may consist of several parts, one after the
    /// other (RFC 1952, 2.2; RFC 8878, 3.1).
    #[cfg_attr(
        not(any(
            feature = "gzip",
            feature = "brotli",
            feature = "zstd",
            feature = "deflate"
        )),
        expect(
            unused_variables,
            clippy::needless_pass_by_value,
            reason = "there is nothing to decode"
        )
    )]
    pub(super) fn decoder<B>(self, source: Source<B>) -> Pin<Box<dyn Decoder<B> + Send>>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        match self {
            #[cfg(feature = "gzip")]
            Self::Gzip => {
                let mut decoder = GzipDecoder::new(source);
                decoder.multiple_members(true);
                Box::pin(decoder)
            }
            #[cfg(feature = "brotli")]
            Self::Brotli => Box::pin(BrotliDecoder::new(source)),
            #[cfg(feature = "zstd")]
            Self::Zstd => {
                let window = DParameter::window_log_max(ZSTD_WINDOW_LOG);
                let mut decoder = ZstdDecoder::with_params(source, &[window]);
                decoder.multiple_members(true);
                Box::pin(decoder)
            }
            #[cfg(feature = "deflate")]
            Self::Deflate => Box::pin(ZlibDecoder::new(source)),
        }
    }
}

macro_rules! decoders {
    ($($feature:literal $decoder:ident)*) => {$(
        #[cfg(feature = $feature)]
        impl<B> Decoder<B> for $decoder<Source<B>>
        where
            B: Body<Data = Bytes>,
            B::Error: Into<BoxError>,
        {
            fn source(&self) -> &Source<B> {
                self.get_ref()
            }

            fn source_mut(self: Pin<&mut Self>) -> Pin<&mut Source<B>> {
                self.get_pin_mut()
            }
        }
    )*};
}

decoders! {
    "gzip" GzipDecoder
    "brotli" BrotliDecoder
    "zstd" ZstdDecoder
    "deflate" ZlibDecoder
}
