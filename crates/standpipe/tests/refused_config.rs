//! Wrong settings, refused when the pool is built.

mod support;

use std::time::Duration;

use standpipe::{ErrorKind, HostConfig, MinThroughput, Phase, Pool, PoolBuilder, RequestSent};
use support::secs;

type Change = fn(PoolBuilder) -> PoolBuilder;

/// What the message of the refusal must hold besides the kind: the field, the value, what is allowed.
#[track_caller]
fn assert_refused(change: impl FnOnce(PoolBuilder) -> PoolBuilder, parts: &[&str]) -> String {
    let error = change(Pool::builder()).build().expect_err(parts[0]);
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert_eq!(error.phase(), Some(Phase::Check), "{error}");
    assert_eq!(error.request_sent(), RequestSent::No);
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "{part:?} in {message:?}");
    }
    format!("{error} {error:?}")
}

/// LIM-13
#[test]
fn a_wrong_number_is_refused_with_the_field_the_value_and_what_is_allowed() {
    let table: &[(Change, [&str; 3])] = &[
        (
            |b| b.retry_jitter(-0.1),
            ["retry_jitter", "-0.1", "from 0 to 1"],
        ),
        (
            |b| b.retry_jitter(1.5),
            ["retry_jitter", "1.5", "from 0 to 1"],
        ),
        (
            |b| b.retry_jitter(f64::NAN),
            ["retry_jitter", "NaN", "from 0 to 1"],
        ),
        (
            |b| b.retry_multiplier(0.5),
            ["retry_multiplier", "0.5", "at least 1"],
        ),
        (
            |b| b.retry_multiplier(-2.0),
            ["retry_multiplier", "-2", "at least 1"],
        ),
        (
            |b| b.retry_multiplier(f64::NAN),
            ["retry_multiplier", "NaN", "at least 1"],
        ),
        (
            |b| b.retry_multiplier(f64::INFINITY),
            ["retry_multiplier", "inf", "finite"],
        ),
        (
            |b| b.initial_retry_delay(secs(31)),
            [
                "initial_retry_delay",
                "31s",
                "at most max_retry_delay, which is 30s",
            ],
        ),
        (
            |b| b.max_connections_per_host(0).max_idle_per_host(0),
            ["max_connections_per_host", "is 0", "at least 1"],
        ),
        (
            |b| b.max_connections_per_host(0),
            ["max_connections_per_host", "is 0", "at least 1"],
        ),
        (
            |b| b.max_connections(Some(0)),
            ["max_connections", "is 0", "at least 1"],
        ),
        (
            |b| b.max_waiting_per_host(Some(0)),
            ["max_waiting_per_host", "is 0", "at least 1"],
        ),
        (
            |b| b.max_requests_per_connection(Some(0)),
            ["max_requests_per_connection", "is 0", "at least 1"],
        ),
        (
            |b| b.min_idle(11),
            [
                "min_idle",
                "is 11",
                "at most max_idle_per_host, which is 10",
            ],
        ),
        (
            |b| {
                b.body_throughput(Some(MinThroughput {
                    bytes_per_second: 0,
                    ..MinThroughput::default()
                }))
            },
            ["body_throughput.bytes_per_second", "is 0", "at least 1"],
        ),
        (
            |b| {
                b.body_throughput(Some(MinThroughput {
                    grace: Duration::ZERO,
                    ..MinThroughput::default()
                }))
            },
            ["body_throughput.grace", "is 0s", "more than zero"],
        ),
        (|b| b.max_hosts(0), ["max_hosts", "is 0", "at least 1"]),
        (
            |b| b.max_response_bytes(0),
            ["max_response_bytes", "is 0", "at least 1"],
        ),
        (
            |b| b.max_connections_per_host(4).max_idle_per_host(5),
            [
                "max_idle_per_host",
                "is 5",
                "at most max_connections_per_host, which is 4",
            ],
        ),
        (
            |b| b.max_connections_per_host(8),
            [
                "max_idle_per_host",
                "is 10",
                "at most max_connections_per_host, which is 8",
            ],
        ),
    ];
    for (change, parts) in table {
        assert_refused(change, parts);
    }
}

#[test]
fn a_timeout_of_zero_is_refused_where_it_could_only_fail() {
    const ZERO: Option<Duration> = Some(Duration::ZERO);
    let table: &[(Change, &str)] = &[
        (|b| b.idle_timeout(ZERO), "idle_timeout"),
        (
            |b| b.max_connection_lifetime(ZERO),
            "max_connection_lifetime",
        ),
        (|b| b.dial_timeout(ZERO), "dial_timeout"),
        (|b| b.tls_handshake_timeout(ZERO), "tls_handshake_timeout"),
        (
            |b| b.response_header_timeout(ZERO),
            "response_header_timeout",
        ),
        (|b| b.body_idle_timeout(ZERO), "body_idle_timeout"),
        (|b| b.write_idle_timeout(ZERO), "write_idle_timeout"),
        (|b| b.attempt_timeout(ZERO), "attempt_timeout"),
        (|b| b.request_timeout(ZERO), "request_timeout"),
        (|b| b.host_idle_timeout(ZERO), "host_idle_timeout"),
    ];
    for (change, field) in table {
        assert_refused(change, &[&format!(": {field} is 0s"), "more than zero"]);
    }
    let host = HostConfig::new().attempt_timeout(Duration::ZERO);
    assert_refused(
        |b| b.host("a.test", host),
        &["attempt_timeout of host a.test", "0s", "more than zero"],
    );
}

#[test]
fn values_at_the_edge_of_what_is_allowed_are_taken() {
    let table: &[Change] = &[
        |b| b.retry_jitter(0.0),
        |b| b.retry_jitter(1.0),
        |b| b.retry_multiplier(1.0),
        |b| b.initial_retry_delay(secs(30)),
        |b| b.initial_retry_delay(Duration::ZERO),
        |b| b.max_connections_per_host(1).max_idle_per_host(1),
        |b| b.max_idle_per_host(0).max_idle(0),
        |b| b.max_connections(Some(1)),
        |b| b.max_waiting_per_host(Some(1)),
        |b| b.max_hosts(1).max_response_bytes(1),
        |b| b.max_retries(0).max_redirects(Some(0)),
        // Zero means: only if one is free now.
        |b| b.acquire_timeout(Some(Duration::ZERO)),
        |b| b.request_timeout(Some(Duration::MAX)),
        |b| {
            b.host_idle_timeout(Some(Duration::MAX))
                .max_hosts(usize::MAX)
        },
        |b| {
            b.request_timeout(None)
                .idle_timeout(None)
                .host_idle_timeout(None)
        },
    ];
    for (n, change) in table.iter().enumerate() {
        let built = change(Pool::builder()).build();
        assert!(built.is_ok(), "number {n}: {built:?}");
    }
}

#[test]
fn a_header_that_is_none_is_refused_and_its_value_is_not_repeated() {
    for name in ["", "x y", "x:", "x\n", "naïve", "x\0"] {
        let host = HostConfig::new().default_header(name, "hunter2");
        let shown = format!("{name:?}");
        let text = assert_refused(
            |b| b.host("a.test", host),
            &["default_headers of host a.test", &shown, "a header name"],
        );
        assert!(!text.contains("hunter2"), "{text}");
    }
    for value in ["hunter2\n", "hunter2\r\nx: y", "hunter2\0"] {
        let host = HostConfig::new().default_header("authorization", value);
        let text = assert_refused(
            |b| b.host("a.test", host),
            &[
                "default_headers of host a.test",
                "authorization",
                "free of control characters",
            ],
        );
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_user_agent_that_is_no_header_value_is_refused() {
    for agent in ["me\n", "me\r\nx: y", "me\x7f", "me\0"] {
        let shown = format!("{agent:?}");
        assert_refused(
            |b| b.user_agent(agent),
            &["user_agent", &shown, "free of control characters"],
        );
    }
}

#[test]
fn a_host_name_that_is_none_is_refused() {
    for name in [
        "",
        "ftp://x",
        "a b",
        "x:0",
        "x:",
        "x:99999",
        "x/",
        "x/y",
        "/",
        "x?y",
        "x#y",
        "#",
        "?",
        ".",
        "[::1]:x",
        "::1",
        "[nonsense]",
        "exämple.com",
        "a\n",
        "http://",
    ] {
        let shown = format!("{name:?}");
        assert_refused(
            |b| b.host(name, HostConfig::new()),
            &[
                "host is",
                &shown,
                "a host name such as api.example.com or *.example.com",
            ],
        );
    }
    for name in [
        "x",
        "api.example.com",
        "API.example.com.",
        "127.0.0.1",
        "[::1]",
        "a_b",
    ] {
        let built = Pool::builder().host(name, HostConfig::new()).build();
        assert!(built.is_ok(), "{name}: {built:?}");
    }
}

/// SMG-06
#[test]
fn userinfo_in_a_host_name_is_refused_and_not_repeated() {
    for name in ["user:hunter2@x", "https://user:hunter2@x/", "hunter2@"] {
        let broken = HostConfig::new()
            .default_header("no header", "value")
            .attempt_timeout(Duration::ZERO);
        for host in [HostConfig::new(), broken] {
            let text = assert_refused(|b| b.host(name, host), &["host", "userinfo"]);
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}

#[test]
fn the_typed_stack_refuses_what_the_pool_refuses() {
    let refused = Pool::builder().retry_jitter(2.0).build_service();
    assert_eq!(
        refused.err().map(|error| error.kind()),
        Some(ErrorKind::Config)
    );
}

/// SMG-06
#[test]
fn what_is_printed_of_a_builder_shows_no_default_header() {
    let host = HostConfig::new().default_header("authorization", "Bearer hunter2");
    let builder = Pool::builder().host("a.test", host.clone());
    assert!(!format!("{host:?} {builder:?}").contains("hunter2"));
    let pool = builder.build().unwrap();
    assert!(!format!("{pool:?} {:?}", pool.get("http://a.test/")).contains("hunter2"));
}
