use http::Request;
use http::header::{CONTENT_TYPE, HeaderValue};
use standpipe_core::Body;

use super::{RequestBuilder, invalid, set_body};

/// Its body, from what it is to say.
impl RequestBuilder {
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
}

fn set(request: &mut Request<Body>, body: impl Into<Body>, content_type: HeaderValue) {
    set_body(request, body.into());
    let headers = request.headers_mut();
    headers.entry(CONTENT_TYPE).or_insert(content_type);
}
