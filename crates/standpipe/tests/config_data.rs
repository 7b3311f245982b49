//! Settings from and to data, and from the environment.
#![cfg(feature = "serde")]

mod support;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;

use serde_json::{Value, json};
use standpipe::{
    CircuitBreakerConfig, ConfigFile, ErrorKind, HostConfig, MinThroughput, Pool, PoolConfig,
    Protocol, RateLimitConfig, RetryPolicy, Setting,
};
use support::secs;

fn presets() -> [PoolConfig; 3] {
    [
        PoolConfig::default(),
        PoolConfig::shared(),
        PoolConfig::llm(),
    ]
}

fn full_host() -> HostConfig {
    HostConfig {
        default_headers: vec![
            ("x-key".to_owned(), "k1".to_owned()),
            ("x-tag".to_owned(), "a".to_owned()),
            ("x-tag".to_owned(), "b".to_owned()),
        ],
        request_timeout: Setting::Set(secs(90)),
        attempt_timeout: Some(secs(20)),
        body_idle_timeout: Some(secs(5)),
        max_connections: Some(7),
        retry: Some(RetryPolicy::new().statuses([429, 529])),
        circuit_breaker: Setting::Off,
        rate_limit: Setting::Set(RateLimitConfig::per_minute(NonZeroU32::MIN)),
    }
}

/// Settings of which none is the default's.
fn changed() -> PoolConfig {
    PoolConfig {
        max_connections_per_host: 1,
        max_connections: Some(2),
        max_idle_per_host: 1,
        min_idle: 1,
        max_idle: 3,
        max_waiting_per_host: Some(4),
        idle_timeout: None,
        max_connection_lifetime: Some(secs(1)),
        max_requests_per_connection: Some(13),
        retire_on_dns_change: true,
        acquire_timeout: Some(secs(2)),
        dial_timeout: None,
        tls_handshake_timeout: Some(secs(3)),
        response_header_timeout: None,
        body_idle_timeout: Some(secs(4)),
        body_throughput: Some(MinThroughput {
            bytes_per_second: 14,
            grace: secs(15),
        }),
        write_idle_timeout: Some(secs(5)),
        tcp_keepalive: None,
        tcp_keepalive_interval: Some(secs(11)),
        tcp_keepalive_retries: Some(12),
        local_address: Some(Ipv4Addr::LOCALHOST.into()),
        attempt_timeout: Some(secs(6)),
        request_timeout: None,
        max_retries: 9,
        initial_retry_delay: secs(7),
        max_retry_delay: secs(8),
        retry_multiplier: 1.5,
        retry_jitter: 0.5,
        retry_statuses: vec![429, 529],
        max_retry_after: secs(9),
        retry_budget: None,
        replay_cap: 10,
        provider_errors: true,
        circuit_breaker: None,
        rate_limit: Some(RateLimitConfig::per_minute(NonZeroU32::MIN)),
        max_redirects: None,
        secret_headers: vec!["x-secret".to_owned()],
        decompress: false,
        max_decompressed_bytes: 5,
        metrics: false,
        max_hosts_in_metrics: 6,
        max_hosts: 7,
        host_idle_timeout: None,
        max_response_bytes: 8,
        user_agent: Some("agent/1".to_owned()),
        protocol: Protocol::Http2,
    }
}

#[test]
fn all_that_is_written_comes_back_from_json_and_toml() {
    let hosts = BTreeMap::from([
        ("a.test".to_owned(), full_host()),
        ("*.b.test".to_owned(), HostConfig::default()),
    ]);
    for pool in presets().into_iter().chain([changed()]) {
        let hosts = hosts.clone();
        let file = ConfigFile { pool, hosts };
        let json = serde_json::to_string(&file).unwrap();
        assert_eq!(
            serde_json::from_str::<ConfigFile>(&json).unwrap(),
            file,
            "{json}"
        );
        let toml = toml::to_string(&file).unwrap();
        assert_eq!(toml::from_str::<ConfigFile>(&toml).unwrap(), file, "{toml}");
    }
}

#[test]
fn each_field_is_read_by_its_name() {
    let Value::Object(all) = serde_json::to_value(changed()).unwrap() else {
        panic!("an object");
    };
    let mut config = PoolConfig::default();
    for (name, value) in &all {
        let before = config.clone();
        config = config.with_data(json!({ name: value })).unwrap();
        assert_ne!(config, before, "{name}");
    }
    assert_eq!(config, changed());
}

#[test]
fn a_field_that_is_missing_has_its_default_or_stays_as_it_is() {
    let none: PoolConfig = serde_json::from_value(json!({})).unwrap();
    assert_eq!(none, PoolConfig::default());
    let one: PoolConfig = toml::from_str("max_idle_per_host = 3").unwrap();
    let expected = PoolConfig {
        max_idle_per_host: 3,
        ..PoolConfig::default()
    };
    assert_eq!(one, expected);
    let over = PoolConfig::shared().with_data(json!({ "max_idle_per_host": 3 }));
    let expected = PoolConfig {
        max_idle_per_host: 3,
        ..PoolConfig::shared()
    };
    assert_eq!(over.unwrap(), expected);
    assert_eq!(
        serde_json::from_str::<HostConfig>("{}").unwrap(),
        HostConfig::default()
    );
}

#[test]
fn settings_are_written_as_people_write_them() {
    let pool = serde_json::to_value(PoolConfig::shared()).unwrap();
    for (name, value) in [
        ("request_timeout", json!("2m")),
        ("attempt_timeout", json!("none")),
        ("max_connections", json!(100)),
        ("protocol", json!("auto")),
        ("body_throughput", json!("none")),
        ("local_address", json!("none")),
        ("retry_multiplier", json!(2.0)),
    ] {
        assert_eq!(pool[name], value, "{name}");
    }
    let host = serde_json::to_value(full_host()).unwrap();
    assert_eq!(
        host["default_headers"],
        json!({ "x-key": "k1", "x-tag": ["a", "b"] })
    );
    assert_eq!(host["request_timeout"], json!("1m 30s".replace(' ', "")));
    assert_eq!(host["circuit_breaker"], json!("none"));
    let bare = serde_json::to_value(HostConfig::default()).unwrap();
    for inherited in [
        "request_timeout",
        "circuit_breaker",
        "rate_limit",
        "default_headers",
    ] {
        assert_eq!(bare.get(inherited), None, "{inherited}");
    }
}

#[test]
fn null_and_none_set_no_bound() {
    for none in [json!(null), json!("none")] {
        let data = json!({ "idle_timeout": none, "circuit_breaker": none });
        let config: PoolConfig = serde_json::from_value(data).unwrap();
        assert_eq!((config.idle_timeout, config.circuit_breaker), (None, None));
        let host: HostConfig = serde_json::from_value(json!({ "request_timeout": none })).unwrap();
        assert_eq!(host.request_timeout, Setting::Off);
    }
    let breaker = json!({ "circuit_breaker": { "half_open_max": 3 } });
    let config: PoolConfig = serde_json::from_value(breaker).unwrap();
    let expected = CircuitBreakerConfig::new().half_open_max(3);
    assert_eq!(config.circuit_breaker, Some(expected));
}

#[test]
fn what_is_no_setting_is_refused_by_name_wherever_it_stands() {
    for (data, parts) in [
        (json!({ "poool": {} }), &["`poool`", "`pool`"][..]),
        (
            json!({ "pool": { "max_idel": 1 } }),
            &["`max_idel`", "`max_idle`"],
        ),
        (
            json!({ "pool": { "circuit_breaker": { "colour": 1 } } }),
            &["circuit_breaker: ", "`colour`"],
        ),
        (
            json!({ "hosts": { "a.test": { "max_retries": 1 } } }),
            &["`max_retries`", "`retry`"],
        ),
        (
            json!({ "hosts": { "a.test": { "retry": { "statusses": [] } } } }),
            &["retry: ", "`statusses`"],
        ),
    ] {
        let error = serde_json::from_value::<ConfigFile>(data)
            .unwrap_err()
            .to_string();
        for part in parts {
            assert!(error.contains(part), "{part} in {error}");
        }
    }
}

#[test]
fn a_wrong_value_is_refused_with_the_name_of_its_field() {
    for (name, value, told) in [
        ("max_idle", json!("ten"), "expected usize"),
        ("max_idle", json!(-1), "expected usize"),
        ("max_idle", json!("none"), "expected usize"),
        ("max_connections", json!(1.5), "expected usize"),
        ("max_connections", json!(true), "or \"none\""),
        ("request_timeout", json!(30), "such as \"30s\""),
        (
            "request_timeout",
            json!("5 parsecs"),
            "\"5 parsecs\" is no duration",
        ),
        (
            "initial_retry_delay",
            json!("soon"),
            "\"soon\" is no duration",
        ),
        ("decompress", json!("yes"), "expected a boolean"),
        ("secret_headers", json!("x-key"), "expected a sequence"),
        (
            "protocol",
            json!("spdy"),
            "\"auto\", \"http1\" or \"http2\"",
        ),
        ("body_throughput", json!({ "grace": 20 }), "such as \"30s\""),
        (
            "body_throughput",
            json!({ "bytes": 20 }),
            "unknown field `bytes`",
        ),
        ("local_address", json!("here"), "IP address"),
        (
            "rate_limit",
            json!({ "requests": 1 }),
            "expected a sequence",
        ),
    ] {
        let error = serde_json::from_value::<PoolConfig>(json!({ name: value })).unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with(&format!("{name}: ")), "{error}");
        assert!(error.contains(told), "{told} in {error}");
    }
    let twice = r#"{ "max_idle": 1, "max_idle": 2 }"#;
    let error = serde_json::from_str::<PoolConfig>(twice)
        .unwrap_err()
        .to_string();
    assert!(error.contains("duplicate field `max_idle`"), "{error}");
}

#[test]
fn the_place_in_a_file_is_told() {
    for (text, at) in [
        ("max_idle = 1\nmax_hosts = 'x'", "'x'"),
        ("max_idle = 1\nmax_host = 5", "max_host"),
        ("max_idle = 1\nrequest_timeout = '5 parsecs'", "'5 parsecs'"),
    ] {
        let text = format!("[pool]\n{text}");
        let error = toml::from_str::<ConfigFile>(&text).unwrap_err();
        let told = error.span().map(|span| &text[span]);
        assert_eq!(told, Some(at), "{error}");
    }
    let json = "{ \"pool\": {\n\"max_idle\": \"x\" } }";
    let error = serde_json::from_str::<ConfigFile>(json).unwrap_err();
    assert_eq!(error.line(), 2, "{error}");
}

#[test]
fn what_goes_wrong_together_is_refused_when_the_pool_is_built() {
    let text = "[pool]\nretry_jitter = 2\n[hosts.\"a.test\"]\nmax_connections = 1";
    let file: ConfigFile = toml::from_str(text).unwrap();
    let error = Pool::builder().config_file(file).build().unwrap_err();
    assert!(error.to_string().contains("retry_jitter"), "{error}");
}

#[test]
fn a_pool_shows_what_of_a_file_is_in_force() {
    let file = ConfigFile {
        pool: changed(),
        hosts: BTreeMap::from([("a.test".to_owned(), full_host())]),
    };
    let pool = Pool::builder().config_file(file.clone()).build().unwrap();
    assert_eq!(*pool.config(), file.pool);
    assert_eq!(pool.host_configs(), [("a.test".to_owned(), full_host())]);
}

/// SMG-06
#[test]
fn values_of_headers_are_in_no_debug_and_no_error() {
    let file = ConfigFile {
        hosts: BTreeMap::from([("a.test".to_owned(), full_host())]),
        ..ConfigFile::default()
    };
    let shown = format!("{file:?}");
    assert!(shown.contains("x-key") && !shown.contains("k1"), "{shown}");
    let wrong = json!({ "hosts": { "a.test": { "default_headers": { "x-key": "k1", "x": { "k1": 1 } } } } });
    let error = serde_json::from_value::<ConfigFile>(wrong)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("default_headers") && !error.contains("k1"),
        "{error}"
    );
}

#[test]
fn variables_set_fields_by_their_names_in_capitals() {
    let vars = [
        ("STANDPIPE_MAX_CONNECTIONS", "100"),
        ("STANDPIPE_REQUEST_TIMEOUT", "1m30s"),
        ("STANDPIPE_IDLE_TIMEOUT", "none"),
        ("STANDPIPE_RETRY_JITTER", "0.25"),
        ("STANDPIPE_DECOMPRESS", "false"),
        ("STANDPIPE_RETRY_STATUSES", "429, 529"),
        ("STANDPIPE_SECRET_HEADERS", "x-one, x-two-*"),
        ("STANDPIPE_USER_AGENT", "7"),
        ("STANDPIPE_PROTOCOL", "http1"),
        ("STANDPIPE_CIRCUIT_BREAKER", "none"),
        ("STANDPIPE_MIN_IDLE", "2"),
        ("STANDPIPE_MAX_REQUESTS_PER_CONNECTION", "1000"),
        ("STANDPIPE_RETIRE_ON_DNS_CHANGE", "true"),
        ("STANDPIPE_LOCAL_ADDRESS", "::1"),
        ("STANDPIPE_BODY_THROUGHPUT", "none"),
        ("OTHER_MAX_IDLE", "1"),
    ];
    let expected = PoolConfig {
        max_connections: Some(100),
        request_timeout: Some(secs(90)),
        idle_timeout: None,
        retry_jitter: 0.25,
        decompress: false,
        retry_statuses: vec![429, 529],
        secret_headers: vec!["x-one".to_owned(), "x-two-*".to_owned()],
        user_agent: Some("7".to_owned()),
        protocol: Protocol::Http1,
        circuit_breaker: None,
        min_idle: 2,
        max_requests_per_connection: Some(1_000),
        retire_on_dns_change: true,
        local_address: Some(Ipv6Addr::LOCALHOST.into()),
        ..PoolConfig::shared()
    };
    let before = PoolConfig {
        body_throughput: Some(MinThroughput::default()),
        ..PoolConfig::shared()
    };
    let config = before.with_vars("STANDPIPE_", vars);
    assert_eq!(config.unwrap(), expected);
}

#[test]
fn a_variable_that_is_no_setting_or_has_a_wrong_value_is_refused_by_name() {
    for (name, value, told) in [
        ("S_MAX_CONECTIONS", "1", "S_MAX_CONECTIONS is no setting"),
        ("S_max_connections", "1", "S_max_connections is no setting"),
        ("S_", "1", "S_ is no setting"),
        (
            "S_MAX_CONNECTIONS",
            "many",
            "S_MAX_CONNECTIONS is \"many\", but must be a number in range, or \"none\"",
        ),
        ("S_MAX_CONNECTIONS", "-1", "must be a number"),
        ("S_MAX_IDLE", "none", "must be a number in range"),
        (
            "S_REQUEST_TIMEOUT",
            "30",
            "such as \"30s\" or \"1m30s\", or \"none\"",
        ),
        ("S_DECOMPRESS", "yes", "must be true or false"),
        ("S_RETRY_STATUSES", "4xx", "must be a list of numbers"),
        ("S_PROTOCOL", "h3", "must be \"auto\""),
        (
            "S_LOCAL_ADDRESS",
            "localhost",
            "must be an IP address, or \"none\"",
        ),
        ("S_RETIRE_ON_DNS_CHANGE", "on", "must be true or false"),
        (
            "S_RATE_LIMIT",
            "60",
            "must be set in code or a file, or \"none\"",
        ),
    ] {
        let error = PoolConfig::default()
            .with_vars("S_", [(name, value)])
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let error = error.to_string();
        assert!(
            error.contains(name) && error.contains(told),
            "{told} in {error}"
        );
    }
}

/// Cargo sets some for each test.
#[test]
fn the_process_is_asked_for_its_variables() {
    let error = PoolConfig::from_env("CARGO_").unwrap_err().to_string();
    assert!(
        error.contains("CARGO_") && error.contains("is no setting"),
        "{error}"
    );
    let none = PoolConfig::from_env("STANDPIPE_NOBODY_SETS_THIS_").unwrap();
    assert_eq!(none, PoolConfig::default());
}
