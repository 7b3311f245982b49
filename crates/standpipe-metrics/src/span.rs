//! The span of an attempt. Nothing is formatted, nor read from the request, unless a subscriber wants
//! it. Numbers are `i64`, which `tracing-opentelemetry` takes as numbers.

use std::sync::OnceLock;

use http::response::Parts;
use http::{Method, Request, StatusCode, Version};
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Span, span};

use crate::ResendCount;
use crate::label::{ErrorType, OTHER, UrlTemplate};
use crate::redact::{Redacted, SecretKeys};

/// The name under which `tracing` filters find it.
const TARGET: &str = "standpipe";

/// Its level: not made where no subscriber wants any of it.
pub(crate) const LEVEL: Level = Level::INFO;

/// Whether a subscriber wants any span of this level, or tracing's own feature `log` may write it without one.
/// It saves the call of [`of_attempt`] where neither is so.
#[inline]
pub(crate) fn may_be_wanted() -> bool {
    LEVEL <= LevelFilter::current() || tells_log()
}

/// A span that nobody wants has its metadata only if that is there for `log`.
fn tells_log() -> bool {
    static TELLS: OnceLock<bool> = OnceLock::new();
    if let Some(tells) = TELLS.get() {
        return *tells;
    }
    // Outside of the cell's initialisation: a logger may come back here.
    let tells = !span!(target: TARGET, Level::TRACE, "unwanted").is_none();
    *TELLS.get_or_init(|| tells)
}

pub(crate) fn of_attempt<B>(request: &Request<B>, keys: &SecretKeys) -> Span {
    span!(
        target: TARGET,
        LEVEL,
        "http.client.request",
        otel.name = name_of(request),
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = method_of(request.method()),
        http.request.method_original = original_of(request.method()),
        http.request.resend_count = resends_of(request),
        http.response.status_code = Empty,
        network.protocol.version = Empty,
        server.address = address_of(request),
        server.port = port_of(request),
        url.full = display(Redacted { uri: request.uri(), keys }),
        url.template = template_of(request),
        "error.type" = Empty,
    )
}

/// The head has come; a status of the client's or the server's fault is an error (OpenTelemetry, HTTP
/// spans, status).
pub(crate) fn answered(span: &Span, head: &Parts) {
    if span.is_disabled() {
        return;
    }
    let status = head.status;
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if let Some(version) = version_of(head.version) {
        span.record("network.protocol.version", version);
    }
    if is_error(status) {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", status.as_str());
    }
}

pub(crate) fn failed(span: &Span, error: ErrorType) {
    if span.is_disabled() {
        return;
    }
    span.record("otel.status_code", "ERROR");
    span.record("error.type", error.as_str());
}

pub(crate) fn is_error(status: StatusCode) -> bool {
    status.as_u16() >= 400
}

/// A method is known here if it is one of the standard's, whatever the registry counts by.
fn is_known(method: &Method) -> bool {
    !matches!(method_of(method), OTHER)
}

fn method_of(method: &Method) -> &str {
    match method.as_str() {
        known @ ("GET" | "POST" | "PUT" | "DELETE" | "PATCH" | "HEAD" | "OPTIONS" | "CONNECT"
        | "TRACE" | "QUERY") => known,
        _ => OTHER,
    }
}

fn original_of(method: &Method) -> Option<&str> {
    (!is_known(method)).then(|| method.as_str())
}

/// The span's name: `{method} {url.template}`, or the method alone.
fn name_of<B>(request: &Request<B>) -> String {
    let method = match method_of(request.method()) {
        OTHER => "HTTP",
        known => known,
    };
    match template_of(request) {
        Some(template) => format!("{method} {template}"),
        None => method.to_owned(),
    }
}

fn template_of<B>(request: &Request<B>) -> Option<&'static str> {
    let template = request.extensions().get::<UrlTemplate>();
    template.map(|template| template.0)
}

fn resends_of<B>(request: &Request<B>) -> Option<i64> {
    let count = request.extensions().get::<ResendCount>()?.0;
    (count > 0).then_some(i64::from(count))
}

fn address_of<B>(request: &Request<B>) -> Option<&str> {
    let host = request.uri().host()?;
    Some(host.trim_start_matches('[').trim_end_matches(']'))
}

fn port_of<B>(request: &Request<B>) -> Option<i64> {
    let uri = request.uri();
    let port = uri.port_u16().or_else(|| match uri.scheme_str()? {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    });
    port.map(i64::from)
}

fn version_of(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        Version::HTTP_3 => Some("3"),
        _ => None,
    }
}
