use std::time::Duration;

/// What went wrong, as something to match on.
///
/// [`as_str`](ErrorKind::as_str) is the `error.type` of OpenTelemetry's conventions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting was refused when the pool was built.
    Config,
    /// The request cannot be sent as it is: a URL without host or with userinfo, a header that is
    /// no header, a body that is not as long as declared. No connection was opened for it.
    InvalidRequest,
    /// The URL's scheme is not one that this client speaks.
    UnsupportedScheme,
    /// No connection became free within the acquire timeout.
    AcquireTimeout {
        /// How long the request waited.
        waited: Duration,
        /// Connections of the origin that were dialling or in use.
        in_use: usize,
        /// The limit that kept the request waiting: the origin's, or the one on connections in all.
        limit: usize,
    },
    /// As many requests wait for a connection as may.
    QueueFull,
    /// Resolving the name failed; it may go well another time.
    Dns,
    /// There is no such name, or it has no address.
    DnsNotFound,
    /// Resolving the name took longer than allowed.
    DnsTimeout,
    /// No connection could be opened.
    Connect,
    /// Opening a connection took longer than allowed.
    ConnectTimeout,
    /// No connection could be opened, and the reason is this machine's: it has no file descriptor,
    /// port or buffer left, or no route. It says nothing about the peer.
    LocalConnect,
    /// The address filter refused the addresses of the host.
    AddressRefused,
    /// The proxy refused or failed.
    Proxy,
    /// The TLS handshake failed, or the peer's certificate was not accepted.
    Tls,
    /// The TLS or HTTP/2 handshake took longer than allowed.
    TlsTimeout,
    /// The peer took no request bytes for longer than allowed.
    WriteTimeout,
    /// The response head did not come within the time allowed.
    ResponseTimeout,
    /// The response body stalled for longer than allowed.
    BodyIdleTimeout,
    /// One attempt took longer than an attempt may.
    AttemptTimeout,
    /// The request's total time ran out.
    DeadlineExceeded,
    /// The connection ended before the response did.
    ConnectionClosed,
    /// The HTTP/2 stream was refused or reset by the peer.
    StreamReset,
    /// The peer broke the protocol.
    Protocol,
    /// The request body gave an error of its own.
    RequestBody,
    /// A body is larger than the limit set for it.
    BodyTooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// A body could not be decoded as asked: text, JSON, compression, events.
    Decode,
    /// A line of the response body is longer than the limit set for it.
    LineTooLong {
        /// The limit, in bytes.
        limit: u64,
    },
    /// An event of an event stream is larger than the limit set for it.
    EventTooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// An event stream was silent for longer than allowed.
    StreamIdle {
        /// The bytes that had come by then, comments included.
        bytes: u64,
        /// The events that had been given by then.
        events: u64,
    },
    /// An event stream ended before the event that was to be its last.
    StreamIncomplete {
        /// The events that had been given by then.
        events: u64,
    },
    /// The server told in an event of its stream that it failed; the source has the event.
    StreamError,
    /// A redirect was refused: it leads from https to http, or its URL may not be used.
    Redirect,
    /// More redirects than are followed.
    TooManyRedirects {
        /// How many are.
        limit: u32,
    },
    /// The status is an error, and the caller asked to have that as an error.
    Status(http::StatusCode),
    /// The circuit of this origin is open.
    CircuitOpen,
    /// The rate limit admits no request in the time there is.
    RateLimited,
    /// The pool is shutting down.
    Shutdown,
    /// There is no tokio runtime to dial on, or the one that owned the connection has ended.
    Runtime,
    /// Any other failure; the source says which.
    Other,
}

impl ErrorKind {
    /// One of each kind, with figures of zero, in the order of their definition: for tables by kind.
    #[doc(hidden)]
    pub const EACH: [Self; 39] = [
        Self::Config,
        Self::InvalidRequest,
        Self::UnsupportedScheme,
        Self::AcquireTimeout {
            waited: Duration::ZERO,
            in_use: 0,
            limit: 0,
        },
        Self::QueueFull,
        Self::Dns,
        Self::DnsNotFound,
        Self::DnsTimeout,
        Self::Connect,
        Self::ConnectTimeout,
        Self::LocalConnect,
        Self::AddressRefused,
        Self::Proxy,
        Self::Tls,
        Self::TlsTimeout,
        Self::WriteTimeout,
        Self::ResponseTimeout,
        Self::BodyIdleTimeout,
        Self::AttemptTimeout,
        Self::DeadlineExceeded,
        Self::ConnectionClosed,
        Self::StreamReset,
        Self::Protocol,
        Self::RequestBody,
        Self::BodyTooLarge { limit: 0 },
        Self::Decode,
        Self::LineTooLong { limit: 0 },
        Self::EventTooLarge { limit: 0 },
        Self::StreamIdle {
            bytes: 0,
            events: 0,
        },
        Self::StreamIncomplete { events: 0 },
        Self::StreamError,
        Self::Redirect,
        Self::TooManyRedirects { limit: 0 },
        Self::Status(http::StatusCode::INTERNAL_SERVER_ERROR),
        Self::CircuitOpen,
        Self::RateLimited,
        Self::Shutdown,
        Self::Runtime,
        Self::Other,
    ];

    /// The kind as a short constant word, fit for a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::InvalidRequest => "invalid_request",
            Self::UnsupportedScheme => "unsupported_scheme",
            Self::AcquireTimeout { .. } => "acquire_timeout",
            Self::QueueFull => "queue_full",
            Self::Dns => "dns",
            Self::DnsNotFound => "dns_not_found",
            Self::DnsTimeout => "dns_timeout",
            Self::Connect => "connect",
            Self::ConnectTimeout => "connect_timeout",
            Self::LocalConnect => "local_connect",
            Self::AddressRefused => "address_refused",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::TlsTimeout => "tls_timeout",
            Self::WriteTimeout => "write_timeout",
            Self::ResponseTimeout => "response_timeout",
            Self::BodyIdleTimeout => "body_idle_timeout",
            Self::AttemptTimeout => "attempt_timeout",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::ConnectionClosed => "connection_closed",
            Self::StreamReset => "stream_reset",
            Self::Protocol => "protocol",
            Self::RequestBody => "request_body",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::Decode => "decode",
            Self::LineTooLong { .. } => "line_too_long",
            Self::EventTooLarge { .. } => "event_too_large",
            Self::StreamIdle { .. } => "stream_idle",
            Self::StreamIncomplete { .. } => "stream_incomplete",
            Self::StreamError => "stream_error",
            Self::Redirect => "redirect",
            Self::TooManyRedirects { .. } => "too_many_redirects",
            Self::Status(_) => "status",
            Self::CircuitOpen => "circuit_open",
            Self::RateLimited => "rate_limited",
            Self::Shutdown => "shutdown",
            Self::Runtime => "runtime",
            Self::Other => "other",
        }
    }

    /// Whether some clock ran out.
    pub fn is_timeout(self) -> bool {
        matches!(
            self,
            Self::AcquireTimeout { .. }
                | Self::DnsTimeout
                | Self::ConnectTimeout
                | Self::TlsTimeout
                | Self::WriteTimeout
                | Self::ResponseTimeout
                | Self::BodyIdleTimeout
                | Self::StreamIdle { .. }
                | Self::AttemptTimeout
                | Self::DeadlineExceeded
        )
    }

    /// Whether a body failed: the request's, or the response's.
    pub fn is_body(self) -> bool {
        matches!(
            self,
            Self::RequestBody
                | Self::BodyTooLarge { .. }
                | Self::BodyIdleTimeout
                | Self::Decode
                | Self::LineTooLong { .. }
                | Self::EventTooLarge { .. }
                | Self::StreamIdle { .. }
                | Self::StreamIncomplete { .. }
                | Self::StreamError
        )
    }

    /// Whether no connection could be made: name, TCP, proxy or TLS.
    pub fn is_connect(self) -> bool {
        matches!(
            self,
            Self::Dns
                | Self::DnsNotFound
                | Self::DnsTimeout
                | Self::Connect
                | Self::ConnectTimeout
                | Self::LocalConnect
                | Self::Proxy
                | Self::Tls
                | Self::TlsTimeout
        )
    }

    /// Whether the cause is on this side, a refusal of this client's or a want of this machine's,
    /// so that it says nothing about the peer.
    pub fn is_local(self) -> bool {
        matches!(
            self,
            Self::Config
                | Self::InvalidRequest
                | Self::UnsupportedScheme
                | Self::AcquireTimeout { .. }
                | Self::QueueFull
                | Self::LocalConnect
                | Self::AddressRefused
                | Self::RequestBody
                | Self::CircuitOpen
                | Self::RateLimited
                | Self::Shutdown
                | Self::Runtime
        )
    }

    pub(super) fn describe(self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Config => "wrong configuration",
            Self::InvalidRequest => "the request cannot be sent",
            Self::UnsupportedScheme => "unsupported URL scheme",
            Self::AcquireTimeout {
                waited,
                in_use,
                limit,
            } => {
                return write!(
                    f,
                    "no connection became free in {waited:?} ({in_use} in use, limit {limit})"
                );
            }
            Self::QueueFull => "too many requests wait for a connection",
            Self::Dns => "the host name could not be resolved",
            Self::DnsNotFound => "the host name has no address",
            Self::DnsTimeout => "resolving the host name timed out",
            Self::Connect => "connecting failed",
            Self::ConnectTimeout => "connecting timed out",
            Self::LocalConnect => "this machine could open no connection",
            Self::AddressRefused => "the address filter refused the host",
            Self::Proxy => "the proxy failed",
            Self::Tls => "the TLS handshake failed",
            Self::TlsTimeout => "the TLS handshake timed out",
            Self::WriteTimeout => "sending the request timed out",
            Self::ResponseTimeout => "no response head came in time",
            Self::BodyIdleTimeout => "the response body stalled",
            Self::AttemptTimeout => "the attempt timed out",
            Self::DeadlineExceeded => "the request's total time ran out",
            Self::ConnectionClosed => "the connection closed before the response ended",
            Self::StreamReset => "the peer reset the stream",
            Self::Protocol => "the peer broke the protocol",
            Self::RequestBody => "the request body failed",
            Self::BodyTooLarge { limit } => {
                return write!(f, "the body is larger than {limit} bytes");
            }
            Self::Decode => "the body could not be decoded",
            Self::LineTooLong { limit } => {
                return write!(f, "a line of the body is longer than {limit} bytes");
            }
            Self::EventTooLarge { limit } => {
                return write!(f, "an event of the stream is larger than {limit} bytes");
            }
            Self::StreamIdle { bytes, events } => {
                return write!(
                    f,
                    "the event stream stalled after {bytes} bytes and {events} events"
                );
            }
            Self::StreamIncomplete { events } => {
                return write!(
                    f,
                    "the event stream ended after {events} events without its last one"
                );
            }
            Self::StreamError => "the server told of a failure in its event stream",
            Self::Redirect => "the redirect was refused",
            Self::TooManyRedirects { limit } => {
                return write!(f, "the server redirects more than {limit} times");
            }
            Self::Status(status) => return write!(f, "the server answered {status}"),
            Self::CircuitOpen => "the circuit is open",
            Self::RateLimited => "the rate limit admits no request in time",
            Self::Shutdown => "the pool is shut down",
            Self::Runtime => "no tokio runtime to run the connection on",
            Self::Other => "the request failed",
        })
    }
}
