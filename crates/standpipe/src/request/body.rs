use http::Request;
use http::header::{CONTENT_TYPE, HeaderValue};
use standpipe_core::Body;

use super::RequestBuilder;
#[cfg(any(feature = "json", feature = "form"))]
use super::invalid;

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
            *request.body_mut() = body.into();
            Ok(())
        })
    }

    /// Sets the body to `value` as JSON, and the content type unless it is set.
    #[cfg(feature = "json")]
    pub fn json<T: serde::Serialize + ?Sized>(self, value: &T) -> Self {
        self.with(|request| {
            let bytes = serde_json::to_vec(value).map_err(|error| {
                invalid("the body cannot be written as JSON").with_source(error)
            })?;
            set(request, bytes, HeaderValue::from_static("application/json"));
            Ok(())
        })
    }

    /// Sets the body to `value` as `application/x-www-form-urlencoded`, and the content type unless it
    /// is set. A `value` is a map, a struct of plain fields, or a list of pairs.
    ///
    /// ```
    /// # fn build(pool: standpipe::Pool) {
    /// let request = pool.post("http://example.com/").form(&[("name", "a & b"), ("page", "2")]);
    /// # }
    /// ```
    #[cfg(feature = "form")]
    pub fn form<T: serde::Serialize + ?Sized>(self, value: &T) -> Self {
        self.with(|request| {
            let text = serde_urlencoded::to_string(value).map_err(|error| {
                invalid("the body cannot be written as a form").with_source(error)
            })?;
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            set(request, text, form);
            Ok(())
        })
    }

    /// Sets the body to `form` as `multipart/form-data`, and the content type, which names the boundary
    /// and so replaces one that is set.
    #[cfg(feature = "multipart")]
    pub fn multipart(self, form: crate::multipart::Form) -> Self {
        self.with(|request| {
            let content_type = form.content_type();
            request.headers_mut().insert(CONTENT_TYPE, content_type);
            *request.body_mut() = form.into_body()?;
            Ok(())
        })
    }
}

#[cfg(any(feature = "json", feature = "form"))]
fn set(request: &mut Request<Body>, body: impl Into<Body>, content_type: HeaderValue) {
    *request.body_mut() = body.into();
    let headers = request.headers_mut();
    headers.entry(CONTENT_TYPE).or_insert(content_type);
}
