use standpipe_core::Body;

use super::{RequestBuilder, set_body};

/// Its body.
impl RequestBuilder {
    /// Sets the body: text, bytes, a [`Body`] from a factory, a stream or a reader, or, with the
    /// feature `fs`, a `FileBody`.
    ///
    /// What is streamed is read as the connection takes it, and no further ahead.
    ///
    /// ```
    /// # fn build(pool: standpipe::Pool, reader: tokio::io::Empty) {
    /// use standpipe::Body;
    ///
    /// let text = pool.post("http://example.com/").body("text");
    /// // Sent once: nothing could give the same again.
    /// let upload = pool.put("http://example.com/file").body(Body::from_reader(reader));
    /// # }
    /// ```
    pub fn body(self, body: impl Into<Body>) -> Self {
        self.with(|request| {
            set_body(request, body.into());
            Ok(())
        })
    }
}
