//! The names under which all is exported.

/// What kind of instrument a series is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SeriesKind {
    /// It only rises.
    Counter,
    /// It goes up and down.
    Gauge,
    /// A distribution.
    Histogram,
}

/// A name that [`MetricsFacade`](crate::MetricsFacade) exports.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Series {
    /// The name: OpenTelemetry's where it has one, else modelled on its own.
    pub name: &'static str,
    /// The kind of instrument.
    pub kind: SeriesKind,
    /// The unit, in UCUM as OpenTelemetry writes it: `s`, `By`, `{request}`.
    pub unit: &'static str,
    /// What it tells.
    pub description: &'static str,
    /// The upper bounds of a histogram's buckets: OpenTelemetry's where it has any.
    ///
    /// The facade cannot hand them on, so they are set on the exporter:
    /// `builder.set_buckets_for_metric(Matcher::Full(series.name.into()), series.buckets)`.
    pub buckets: &'static [f64],
}

/// OpenTelemetry, `http.client.request.duration`.
const REQUEST_SECONDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// OpenTelemetry, `http.client.connection.duration`.
const CONNECTION_SECONDS: &[f64] = &[
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
];

/// OpenTelemetry names none for sizes: powers of four from 256 bytes to 64 MiB.
const BYTES: &[f64] = &[
    0.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

macro_rules! series {
    ($($id:ident: $kind:ident $name:literal, $unit:literal, $buckets:expr, $description:literal;)*) => {
        /// A series' place in [`SERIES`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Id {
            $($id,)*
        }

        /// All that [`MetricsFacade`](crate::MetricsFacade) exports; the table on the crate's page
        /// tells their labels.
        pub const SERIES: &[Series] = &[
            $(Series {
                name: $name,
                kind: SeriesKind::$kind,
                unit: $unit,
                description: $description,
                buckets: $buckets,
            },)*
        ];
    };
}

series! {
    RequestDuration: Histogram "http.client.request.duration", "s", REQUEST_SECONDS,
        "Duration of an attempt, to its response head.";
    ActiveRequests: Gauge "http.client.active_requests", "{request}", &[],
        "Attempts that wait for their response head.";
    RequestBodySize: Histogram "http.client.request.body.size", "By", BYTES,
        "Size of request bodies whose length is known beforehand, of requests that have one.";
    ResponseBodySize: Histogram "http.client.response.body.size", "By", BYTES,
        "Size of response bodies, as far as they came.";
    ResponseDuration: Histogram "http.client.response.duration", "s", REQUEST_SECONDS,
        "Duration of an attempt, to the end of its response body.";
    CallDuration: Histogram "http.client.call.duration", "s", REQUEST_SECONDS,
        "Duration of a logical request, with queues, retries and redirects, to its response head.";
    ActiveCalls: Gauge "http.client.active_calls", "{request}", &[],
        "Logical requests that wait for their response head.";
    CallResponseDuration: Histogram "http.client.call.response.duration", "s", REQUEST_SECONDS,
        "Duration of a logical request, to the end of its response body.";
    OpenConnections: Gauge "http.client.open_connections", "{connection}", &[],
        "Connections that are active or idle.";
    ConnectionDuration: Histogram "http.client.connection.duration", "s", CONNECTION_SECONDS,
        "Duration of connections, from their opening to their end.";
    ConnectionsClosed: Counter "http.client.connections.closed", "{connection}", &[],
        "Connections closed.";
    DialFailures: Counter "http.client.connection.failures", "{connection}", &[],
        "Connections that could not be opened.";
    TimeInQueue: Histogram "http.client.request.time_in_queue", "s", REQUEST_SECONDS,
        "The time that requests waited for a connection, of those that waited.";
    Retries: Counter "http.client.retries", "{request}", &[],
        "Requests sent again.";
    RetriesGivenUp: Counter "http.client.retries.given_up", "{request}", &[],
        "Requests that could have been sent again and were not.";
    RetryBudget: Gauge "http.client.retry.budget", "{request}", &[],
        "Retries that the budget allows.";
    BreakerState: Gauge "http.client.circuit_breaker.state", "1", &[],
        "1 for the state that the circuit breaker is in, 0 for the others.";
    BreakerTransitions: Counter "http.client.circuit_breaker.transitions", "{transition}", &[],
        "Changes of the circuit breaker's state.";
    LimiterWait: Histogram "http.client.rate_limit.wait.duration", "s", REQUEST_SECONDS,
        "The time that requests waited for the rate limit, of those that waited.";
    LimiterRejections: Counter "http.client.rate_limit.rejections", "{request}", &[],
        "Requests that the rate limit refused.";
    LimiterPauses: Counter "http.client.rate_limit.pauses", "{pause}", &[],
        "Pauses of the rate limit that the server asked for.";
}

impl Id {
    pub(super) fn series(self) -> &'static Series {
        &SERIES[self as usize]
    }
}
