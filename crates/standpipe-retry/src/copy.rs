use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};

use crate::head::names_key;

/// A request to be sent again.
///
/// It is not a `Request`, because of the header map in that: making, moving and dropping an empty one
/// is most of what a copy would cost, and a list is had for half of what a map of a few headers is.
#[derive(Debug)]
pub(crate) struct RequestCopy<B> {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    version: Version,
    headers: Vec<(HeaderName, HeaderValue)>,
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
            headers: match headers.is_empty() {
                true => Vec::new(),
                false => listed(headers),
            },
            extensions: match extensions.is_empty() {
                true => Extensions::new(),
                false => extensions.clone(),
            },
            body,
        }
    }

    /// Whether the request has a key by which its sender may send it twice.
    pub(crate) fn is_keyed(&self) -> bool {
        self.headers.iter().any(|(name, _)| names_key(name))
    }

    pub(crate) fn into_request(self) -> Request<B> {
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.version_mut() = self.version;
        request.headers_mut().reserve(self.headers.len());
        for (name, value) in self.headers {
            request.headers_mut().append(name, value);
        }
        *request.extensions_mut() = self.extensions;
        request
    }
}

fn listed(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let mut list = Vec::with_capacity(headers.len());
    list.extend(
        headers
            .iter()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    list
}
