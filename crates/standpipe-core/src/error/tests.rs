use super::*;

#[test]
fn the_message_names_the_kind_the_detail_the_origin_and_the_attempts() {
    let error = Error::new(ErrorKind::Connect)
        .with_message("connection refused")
        .with_origin(Origin::parse("http://example.com").unwrap())
        .with_attempts(3);
    assert_eq!(
        error.to_string(),
        "connecting failed: connection refused (http://example.com) after 3 attempts"
    );
}

#[test]
fn an_error_is_found_among_the_sources_of_a_foreign_one() {
    #[derive(Debug)]
    struct Wrapped(Error);
    impl fmt::Display for Wrapped {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("wrapped")
        }
    }
    impl StdError for Wrapped {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }
    let boxed: BoxError = Box::new(Wrapped(Error::new(ErrorKind::QueueFull)));
    assert_eq!(Error::from_boxed(boxed).kind(), ErrorKind::QueueFull);
    let foreign = Error::from_boxed("boom".into());
    assert_eq!(foreign.kind(), ErrorKind::Other);
    assert_eq!(foreign.source().unwrap().to_string(), "boom");
}

#[test]
fn what_never_left_this_machine_was_surely_not_sent() {
    for kind in [
        ErrorKind::QueueFull,
        ErrorKind::Connect,
        ErrorKind::Tls,
        ErrorKind::Dns,
    ] {
        assert_eq!(Error::new(kind).request_sent(), RequestSent::No, "{kind:?}");
    }
    let lost = Error::new(ErrorKind::ConnectionClosed);
    assert_eq!(lost.request_sent(), RequestSent::Maybe);
}

#[test]
fn a_timeout_says_how_long_it_waited_and_what_was_in_use() {
    let kind = ErrorKind::AcquireTimeout {
        waited: Duration::from_millis(5000),
        in_use: 8,
        limit: 8,
    };
    let text = Error::new(kind).to_string();
    assert_eq!(text, "no connection became free in 5s (8 in use, limit 8)");
    assert!(kind.is_timeout());
}

/// RES-02
#[test]
fn a_want_of_this_machines_is_local_and_a_failure_to_connect() {
    let kind = ErrorKind::LocalConnect;
    assert!(kind.is_local() && kind.is_connect() && !kind.is_timeout());
    assert_eq!(Error::new(kind).request_sent(), RequestSent::No);
    let refused = ErrorKind::AddressRefused;
    assert!(refused.is_local() && !refused.is_connect());
}

/// RTR-02, SMG-06
#[test]
fn a_url_stands_in_the_message_without_query_and_userinfo() {
    let url = |text: &str| text.parse::<http::Uri>().unwrap();
    let error = Error::new(ErrorKind::Status(http::StatusCode::NOT_FOUND))
        .with_origin(Origin::parse("https://api.example.com").unwrap())
        .with_url(&url("https://API.example.com:443/v1/things?key=hunter2"));
    assert_eq!(error.url(), Some("https://api.example.com/v1/things"));
    assert_eq!(
        error.to_string(),
        "the server answered 404 Not Found (https://api.example.com/v1/things)"
    );
    for secret in ["http://user:hunter2@example.com/x", "/hunter2"] {
        let error = Error::new(ErrorKind::Connect).with_url(&url(secret));
        assert_eq!(error.url(), None, "{secret}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}

#[test]
fn each_question_has_the_kinds_it_is_about() {
    let is = |kind: ErrorKind, ask: fn(&Error) -> bool| ask(&Error::new(kind));
    let acquire = ErrorKind::AcquireTimeout {
        waited: Duration::ZERO,
        in_use: 1,
        limit: 1,
    };
    let idle = ErrorKind::StreamIdle {
        bytes: 1,
        events: 0,
    };
    for (kind, ask) in [
        (acquire, Error::is_pool_exhausted as fn(&Error) -> bool),
        (acquire, Error::is_timeout),
        (ErrorKind::QueueFull, Error::is_pool_exhausted),
        (ErrorKind::Tls, Error::is_tls),
        (ErrorKind::Tls, Error::is_connect),
        (ErrorKind::DnsNotFound, Error::is_dns),
        (ErrorKind::Shutdown, Error::is_shutdown),
        (ErrorKind::Redirect, Error::is_redirect),
        (ErrorKind::UnsupportedScheme, Error::is_request),
        (ErrorKind::Config, Error::is_config),
        (ErrorKind::RateLimited, Error::is_rate_limited),
        (ErrorKind::CircuitOpen, Error::is_circuit_open),
        (ErrorKind::Decode, Error::is_decode),
        (ErrorKind::Decode, Error::is_body),
        (ErrorKind::LineTooLong { limit: 1 }, Error::is_decode),
        (ErrorKind::EventTooLarge { limit: 1 }, Error::is_body),
        (idle, Error::is_timeout),
        (idle, Error::is_body),
        (ErrorKind::StreamError, Error::is_body),
    ] {
        assert!(is(kind, ask), "{kind:?}");
        assert!(!is(ErrorKind::Other, ask), "{kind:?}");
    }
    assert!(!is(ErrorKind::StreamError, Error::is_timeout));
    assert!(!is(acquire, Error::is_body));
    assert!(
        Error::new(ErrorKind::Other)
            .with_phase(Phase::Body)
            .is_body()
    );
}

/// A new kind fails to compile here until it has its place.
#[test]
fn each_kind_is_in_the_list_once() {
    let place = |kind: ErrorKind| match kind {
        ErrorKind::Config => 0,
        ErrorKind::InvalidRequest => 1,
        ErrorKind::UnsupportedScheme => 2,
        ErrorKind::AcquireTimeout { .. } => 3,
        ErrorKind::QueueFull => 4,
        ErrorKind::Dns => 5,
        ErrorKind::DnsNotFound => 6,
        ErrorKind::DnsTimeout => 7,
        ErrorKind::Connect => 8,
        ErrorKind::ConnectTimeout => 9,
        ErrorKind::LocalConnect => 10,
        ErrorKind::AddressRefused => 11,
        ErrorKind::Proxy => 12,
        ErrorKind::Tls => 13,
        ErrorKind::TlsTimeout => 14,
        ErrorKind::WriteTimeout => 15,
        ErrorKind::ResponseTimeout => 16,
        ErrorKind::BodyIdleTimeout => 17,
        ErrorKind::AttemptTimeout => 18,
        ErrorKind::DeadlineExceeded => 19,
        ErrorKind::ConnectionClosed => 20,
        ErrorKind::StreamReset => 21,
        ErrorKind::Protocol => 22,
        ErrorKind::RequestBody => 23,
        ErrorKind::BodyTooLarge { .. } => 24,
        ErrorKind::Decode => 25,
        ErrorKind::LineTooLong { .. } => 26,
        ErrorKind::EventTooLarge { .. } => 27,
        ErrorKind::StreamIdle { .. } => 28,
        ErrorKind::StreamIncomplete { .. } => 29,
        ErrorKind::StreamError => 30,
        ErrorKind::Redirect => 31,
        ErrorKind::TooManyRedirects { .. } => 32,
        ErrorKind::Status(_) => 33,
        ErrorKind::CircuitOpen => 34,
        ErrorKind::RateLimited => 35,
        ErrorKind::Shutdown => 36,
        ErrorKind::Runtime => 37,
        ErrorKind::Other => 38,
    };
    let places: Vec<usize> = ErrorKind::EACH.into_iter().map(place).collect();
    assert!(places.into_iter().eq(0..39));
}
