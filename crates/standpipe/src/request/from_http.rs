use bytes::Bytes;
use http::Request;
use standpipe_core::{Body, BoxError, Error};

use super::{RequestBuilder, refuse_userinfo};
use crate::Pool;

impl RequestBuilder {
    /// See [`Pool::request_from`].
    pub(crate) fn of<B>(pool: Pool, request: Request<B>) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let request = Body::for_request(request);
        let checked = refuse_userinfo(request.uri().clone());
        Self {
            pool,
            request: checked.map(|_| request),
            wish: None,
        }
    }
}

/// As [`RequestBuilder::build`].
impl TryFrom<RequestBuilder> for Request<Body> {
    type Error = Error;

    fn try_from(builder: RequestBuilder) -> Result<Self, Error> {
        builder.build()
    }
}
