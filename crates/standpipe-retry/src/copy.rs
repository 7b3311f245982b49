use http::{Extensions, HeaderMap, Method, Request, Uri, Version};

/// A request to be sent again.
///
/// It is not a `Request`, because that has a header map even where there are no headers, and making,
/// moving and dropping an empty one is most of what a copy would cost.
#[derive(Debug)]
pub(crate) struct RequestCopy<B> {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    version: Version,
    pub(crate) headers: Option<HeaderMap>,
    pub(crate) extensions: Extensions,
    pub(crate) body: B,
}

impl<B> RequestCopy<B> {
    /// A copy of the head of `request` with `body`.
    #[inline]
    pub(crate) fn with(request: &Request<B>, body: B) -> Self {
        let (headers, extensions) = (request.headers(), request.extensions());
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            headers: (!headers.is_empty()).then(|| headers.clone()),
            extensions: match extensions.is_empty() {
                true => Extensions::new(),
                false => extensions.clone(),
            },
            body,
        }
    }

    pub(crate) fn into_request(self) -> Request<B> {
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.version_mut() = self.version;
        if let Some(headers) = self.headers {
            *request.headers_mut() = headers;
        }
        *request.extensions_mut() = self.extensions;
        request
    }
}
