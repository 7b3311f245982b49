//! The body, read to its end at once.

use bytes::{Bytes, BytesMut};
use http_body::Body as HttpBody;
use standpipe_core::{Error, ErrorKind, Phase, RequestSent};

use super::Response;
use crate::stream::poll_data;

impl Response {
    /// The next chunk of the body, which is not empty; none at its end. There is no limit on what is
    /// read so.
    ///
    /// ```
    /// # async fn run(mut response: standpipe::Response) -> Result<(), standpipe::Error> {
    /// let mut length = 0;
    /// while let Some(chunk) = response.chunk().await? {
    ///     length += chunk.len();
    /// }
    /// println!("{length} bytes, trailers: {:?}", response.trailers());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// What went wrong underway.
    ///
    /// # Cancel safety
    ///
    /// Nothing read is lost.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let (body, trailers) = (self.inner.body_mut(), &mut self.trailers);
        let chunk = std::future::poll_fn(|cx| poll_data(body, trailers, cx)).await;
        chunk.transpose().map_err(|error| error.with_url(&self.url))
    }

    /// The whole body.
    ///
    /// # Errors
    ///
    /// [`BodyTooLarge`](ErrorKind::BodyTooLarge) beyond the limit, before anything is read where
    /// the head tells the length; else what went wrong underway.
    pub async fn bytes(mut self) -> Result<Bytes, Error> {
        let body = self.inner.body();
        if let Some(whole) = body.as_bytes() {
            return self.within(whole.len() as u64).map(|()| whole.clone());
        }
        self.within(body.size_hint().lower())?;
        let mut first: Option<Bytes> = None;
        let mut rest = BytesMut::new();
        while let Some(data) = self.chunk().await? {
            let length = first.as_ref().map_or(0, Bytes::len) + rest.len() + data.len();
            self.within(length as u64)?;
            match (&first, rest.is_empty()) {
                (None, true) => first = Some(data),
                _ => {
                    // The chunks are joined from the second one on; a single one is not copied.
                    if let Some(first) = first.take() {
                        rest.extend_from_slice(&first);
                    }
                    rest.extend_from_slice(&data);
                }
            }
        }
        Ok(first.unwrap_or_else(|| rest.freeze()))
    }

    /// The whole body as text, without the byte order mark that it may begin with.
    ///
    /// With the feature `charset` the body is read by the charset that its `Content-Type` names;
    /// without it, and where none is named that is known, it is UTF-8. Nothing is replaced: text that
    /// is not valid is an error.
    ///
    /// # Errors
    ///
    /// As [`bytes`](Response::bytes), and [`Decode`](ErrorKind::Decode) where it is not text.
    pub async fn text(self) -> Result<String, Error> {
        #[cfg(feature = "charset")]
        return self.text_with_charset("utf-8").await;
        #[cfg(not(feature = "charset"))]
        {
            let url = self.url.clone();
            utf8(self.bytes().await?).map_err(|error| error.with_url(&url))
        }
    }

    /// As [`text`](Response::text), with `charset` in place of UTF-8 where `Content-Type` names none
    /// that is known. A byte order mark goes before both.
    ///
    /// # Errors
    ///
    /// As [`text`](Response::text), and [`Decode`](ErrorKind::Decode) for a `charset` that is not
    /// known, before anything is read.
    #[cfg(feature = "charset")]
    pub async fn text_with_charset(self, charset: &str) -> Result<String, Error> {
        use encoding_rs::Encoding;

        let url = self.url.clone();
        let named = self.content_type().and_then(super::ContentType::charset);
        let named = named.and_then(|label| Encoding::for_label(label.as_bytes()));
        let Some(encoding) = named.or_else(|| Encoding::for_label(charset.as_bytes())) else {
            return Err(undecodable("text of a charset that is known").with_url(&url));
        };
        let bytes = self.bytes().await?;
        let encoding = Encoding::for_bom(&bytes).map_or(encoding, |(encoding, _)| encoding);
        let text = match encoding == encoding_rs::UTF_8 {
            true => utf8(bytes),
            false => match encoding.decode(&bytes) {
                (text, _, false) => Ok(text.into_owned()),
                (_, _, true) => Err(undecodable(encoding.name())),
            },
        };
        text.map_err(|error| error.with_url(&url))
    }

    /// The whole body, read as JSON.
    ///
    /// # Errors
    ///
    /// As [`bytes`](Response::bytes), and [`Decode`](ErrorKind::Decode) where it is not the JSON of
    /// a `T`.
    #[cfg(feature = "json")]
    pub async fn json<T: serde::de::DeserializeOwned>(self) -> Result<T, Error> {
        let url = self.url.clone();
        let bytes = self.bytes().await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            undecodable("the JSON asked for")
                .with_source(error)
                .with_url(&url)
        })
    }

    fn within(&self, length: u64) -> Result<(), Error> {
        let limit = self.limit;
        if length <= limit {
            return Ok(());
        }
        Err(Error::new(ErrorKind::BodyTooLarge { limit })
            .with_phase(Phase::Body)
            .with_request_sent(RequestSent::Yes)
            .with_url(&self.url))
    }
}

/// UTF-8 without the byte order mark that it may begin with.
fn utf8(bytes: Bytes) -> Result<String, Error> {
    let text = String::from_utf8(bytes.into())
        .map_err(|error| undecodable("UTF-8").with_source(error.utf8_error()))?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(text) => text.to_owned(),
        None => text,
    })
}

fn undecodable(what: &str) -> Error {
    Error::new(ErrorKind::Decode)
        .with_phase(Phase::Body)
        .with_request_sent(RequestSent::Yes)
        .with_message(format!("the body is not {what}"))
}
