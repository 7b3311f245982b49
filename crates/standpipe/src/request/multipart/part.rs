use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use standpipe_core::{Body, BoxError};

type MakeBody = Arc<dyn Fn() -> Body + Send + Sync>;

/// One part of a [`Form`](super::Form).
#[must_use = "a part is sent in a form"]
pub struct Part {
    pub(super) content: Content,
    pub(super) file_name: Option<String>,
    pub(super) content_type: Option<String>,
}

/// What a part gives.
pub(super) enum Content {
    Bytes(Bytes),
    /// Made anew for each sending.
    Factory(MakeBody),
    /// Read once.
    Once(Body),
}

impl Part {
    fn new(content: Content) -> Self {
        Self {
            content,
            file_name: None,
            content_type: None,
        }
    }

    /// A part of text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Content::Bytes(text.into().into()))
    }

    /// A part of bytes.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::new(Content::Bytes(bytes.into()))
    }

    /// A part that `make` makes anew for each sending.
    pub fn from_fn<F, B>(make: F) -> Self
    where
        F: Fn() -> B + Send + Sync + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self::new(Content::Factory(Arc::new(move || Body::new(make()))))
    }

    /// A part of a file. Its name is not sent unless it is set.
    #[cfg(feature = "fs")]
    pub fn file(file: crate::FileBody) -> Self {
        Self::new(Content::Factory(Arc::new(move || file.clone().into())))
    }

    /// A part that is read once, so that no retry can send its form again; bytes that are there already
    /// are as [`bytes`](Part::bytes).
    pub fn stream(body: impl Into<Body>) -> Self {
        let body = body.into();
        Self::new(match body.as_bytes() {
            Some(bytes) => Content::Bytes(bytes.clone()),
            None => Content::Once(body),
        })
    }

    /// Gives it the name of a file, which makes it one for the server.
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        self.file_name = Some(name.into());
        self
    }

    /// Sets its content type; unless set, the server takes it for text, or for bytes if it is a file.
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = match &self.content {
            Content::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Content::Factory(_) => "factory".to_owned(),
            Content::Once(_) => "stream".to_owned(),
        };
        f.debug_struct("Part")
            .field("content", &content)
            .field("file_name", &self.file_name)
            .field("content_type", &self.content_type)
            .finish()
    }
}
