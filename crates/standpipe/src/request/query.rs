use http::Uri;
use http::uri::PathAndQuery;
use standpipe_core::Error;

use super::{RequestBuilder, invalid};

/// Its query.
impl RequestBuilder {
    /// Adds `value` to the URL's query, percent-encoded, after what is there already. A `value` is a
    /// map, a struct of plain fields, or a list of pairs; a name may come several times.
    ///
    /// ```
    /// # fn build(pool: standpipe::Pool) -> Result<(), standpipe::Error> {
    /// let request = pool.get("http://example.com/?page=2").query(&[("q", "a&b c")]);
    /// assert_eq!(request.build()?.uri(), "http://example.com/?page=2&q=a%26b+c");
    /// # Ok(()) }
    /// # build(standpipe::Pool::new()).unwrap();
    /// ```
    pub fn query<T: serde::Serialize + ?Sized>(self, value: &T) -> Self {
        self.with(|request| {
            let added = serde_urlencoded::to_string(value)
                .map_err(|error| invalid("the query cannot be written").with_source(error))?;
            if !added.is_empty() {
                *request.uri_mut() = with_query(request.uri(), &added)?;
            }
            Ok(())
        })
    }
}

fn with_query(uri: &Uri, added: &str) -> Result<Uri, Error> {
    let path = match uri.path() {
        "" => "/",
        path => path,
    };
    let target = match uri.query() {
        None | Some("") => format!("{path}?{added}"),
        Some(query) => format!("{path}?{query}&{added}"),
    };
    let mut parts = uri.clone().into_parts();
    let target = PathAndQuery::try_from(target);
    let too_long = |_| invalid("the URL with its query is longer than a URL may be");
    parts.path_and_query = Some(target.map_err(too_long)?);
    Uri::from_parts(parts).map_err(|_| invalid("a URL with a query has to be absolute"))
}
