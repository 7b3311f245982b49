use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Method, StatusCode};

use super::MockRequest;
use super::host::HostPattern;

/// One thing that is asked of a request.
pub(super) struct Matcher {
    /// What is asked, in the words of a report.
    pub(super) asks: String,
    /// How far from right a request is that does not have it: the host more than the path, the path
    /// more than the rest.
    pub(super) weight: u32,
    check: Box<Check>,
}

/// Why the request is not as asked, if it is not.
type Check = dyn Fn(&MockRequest) -> Result<(), String> + Send + Sync;

impl Matcher {
    pub(super) fn check(&self, request: &MockRequest) -> Result<(), String> {
        (self.check)(request)
    }

    pub(super) fn host(pattern: HostPattern) -> Self {
        Self::new(64, pattern.to_string(), move |request| {
            pattern.check(request)
        })
    }

    pub(super) fn path(path: String) -> Self {
        Self::new(16, format!("path {path}"), move |request| {
            let is = request.path();
            same(is == path, || format!("the path is {is}"))
        })
    }

    pub(super) fn method(method: Method) -> Self {
        Self::new(8, format!("method {method}"), move |request| {
            let is = &request.method;
            same(*is == method, || format!("the method is {is}"))
        })
    }

    pub(super) fn query(name: String, value: String) -> Self {
        Self::new(4, format!("query {name}={value}"), move |request| {
            let is = request.query(&name);
            let matches = is.as_ref() == Some(&value);
            same(matches, || match is {
                Some(is) => format!("the query has {name}={is}"),
                None => format!("the query has no {name}"),
            })
        })
    }

    pub(super) fn header(name: HeaderName, value: HeaderValue) -> Self {
        Self::new(4, format!("header {name}: {value:?}"), move |request| {
            let values = request.headers.get_all(&name);
            let matches = values.iter().any(|is| is == value);
            same(matches, || match request.headers.get(&name) {
                Some(is) => format!("the header {name} is {is:?}"),
                None => format!("there is no header {name}"),
            })
        })
    }

    pub(super) fn any_header(name: HeaderName) -> Self {
        Self::new(4, format!("a header {name}"), move |request| {
            let has = request.headers.contains_key(&name);
            same(has, || format!("there is no header {name}"))
        })
    }

    pub(super) fn no_header(name: HeaderName) -> Self {
        Self::new(4, format!("no header {name}"), move |request| {
            let is = request.headers.get(&name);
            same(is.is_none(), || format!("the header {name} is {is:?}"))
        })
    }

    pub(super) fn body(body: Bytes) -> Self {
        Self::new(2, format!("body {}", excerpt(&body)), move |request| {
            let is = &request.body;
            same(*is == body, || format!("the body is {}", excerpt(is)))
        })
    }

    #[cfg(feature = "json")]
    pub(super) fn json(json: serde_json::Value) -> Self {
        let asks = format!("body {}", excerpt(json.to_string().as_bytes()));
        Self::new(2, asks, move |request| match request.json() {
            Ok(is) => same(is == json, || {
                format!("the body is {}", excerpt(is.to_string().as_bytes()))
            }),
            Err(error) => Err(no_json(&error, request)),
        })
    }

    #[cfg(feature = "json")]
    pub(super) fn json_where(
        what: String,
        holds: impl Fn(&serde_json::Value) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::new(2, what.clone(), move |request| match request.json() {
            Ok(is) => same(holds(&is), || {
                let is = excerpt(is.to_string().as_bytes());
                format!("not so: {what}; the body is {is}")
            }),
            Err(error) => Err(no_json(&error, request)),
        })
    }

    pub(super) fn is(
        what: String,
        holds: impl Fn(&MockRequest) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::new(2, what.clone(), move |request| {
            same(holds(request), || format!("not so: {what}"))
        })
    }

    fn new(
        weight: u32,
        asks: String,
        check: impl Fn(&MockRequest) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            asks,
            weight,
            check: Box::new(check),
        }
    }
}

fn same(matches: bool, why_not: impl FnOnce() -> String) -> Result<(), String> {
    match matches {
        true => Ok(()),
        false => Err(why_not()),
    }
}

#[cfg(feature = "json")]
fn no_json(error: &serde_json::Error, request: &MockRequest) -> String {
    format!("the body is no JSON ({error}): {}", excerpt(&request.body))
}

/// As much of a body as fits in a report.
pub(super) fn excerpt(body: &[u8]) -> String {
    const MOST: usize = 200;
    let cut = body.get(..MOST).unwrap_or(body);
    let text = String::from_utf8_lossy(cut);
    match body.len() > MOST {
        true => format!("{text:?}... ({} bytes)", body.len()),
        false => format!("{text:?}"),
    }
}

/// # Panics
///
/// When it is none.
#[track_caller]
pub(super) fn header_name(name: &str) -> HeaderName {
    match name.parse() {
        Ok(name) => name,
        Err(_) => panic!("`{name}` is no name of a header"),
    }
}

/// # Panics
///
/// When it is none.
#[track_caller]
pub(super) fn header_value(value: &str) -> HeaderValue {
    match HeaderValue::from_str(value) {
        Ok(value) => value,
        Err(_) => panic!("{value:?} is no value of a header"),
    }
}

/// # Panics
///
/// When it is none.
#[track_caller]
pub(super) fn status_code(status: u16) -> StatusCode {
    match StatusCode::from_u16(status) {
        Ok(status) => status,
        Err(_) => panic!("{status} is no status of HTTP"),
    }
}
