use std::collections::HashMap;
use std::sync::Arc;

use standpipe_core::{ErrorKind, Origin};

use super::exempt::Exempt;
use super::{Proxies, Proxy, Route, env};
use crate::config::Protocol;

/// The proxies of an environment that has these variables.
fn proxies(variables: &[(&str, &str)]) -> Proxies {
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    Proxies::new(env::rules(|name| {
        variables.get(name).map(|value| (*value).to_owned())
    }))
}

/// The proxy for `url`, or `direct`, or the variable that is unusable.
fn way(proxies: &Proxies, url: &str) -> String {
    match proxies.route(&Origin::parse(url).unwrap(), Protocol::Auto) {
        Route::Direct => "direct".into(),
        Route::Forward(server) | Route::Tunnel(server) => server.to_string(),
        Route::Unusable(name) => name.into(),
    }
}

/// PRX-01
#[test]
fn each_scheme_has_its_variable_and_all_of_them_another_one() {
    let both = proxies(&[("HTTP_PROXY", "http://a:1"), ("https_proxy", "http://b:2")]);
    assert_eq!(way(&both, "http://x.test"), "http://a:1");
    assert_eq!(way(&both, "https://x.test"), "http://b:2");
    let all = proxies(&[("ALL_PROXY", "socks5h://c"), ("HTTPS_PROXY", "https://d")]);
    assert_eq!(way(&all, "http://x.test"), "socks5h://c:1080");
    assert_eq!(way(&all, "https://x.test"), "https://d:443");
    assert_eq!(way(&proxies(&[]), "http://x.test"), "direct");
}

/// PRX-01
#[test]
fn upper_case_counts_first_and_an_empty_value_is_none() {
    let both = proxies(&[("HTTP_PROXY", "a:1"), ("http_proxy", "b:2")]);
    assert_eq!(way(&both, "http://x.test"), "http://a:1");
    let empty = proxies(&[("HTTP_PROXY", " "), ("http_proxy", "b:2")]);
    assert_eq!(way(&empty, "http://x.test"), "http://b:2");
    let none = proxies(&[("HTTP_PROXY", ""), ("NO_PROXY", "")]);
    assert_eq!(way(&none, "http://x.test"), "direct");
}

/// PRX-01: in a CGI script HTTP_PROXY is the header `Proxy` of whoever calls.
#[test]
fn a_cgi_script_takes_no_proxy_from_its_caller() {
    let cgi = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "evil:1")];
    assert_eq!(way(&proxies(&cgi), "http://x.test"), "direct");
    let own = [
        cgi[0],
        cgi[1],
        ("http_proxy", "a:1"),
        ("HTTPS_PROXY", "b:2"),
    ];
    assert_eq!(way(&proxies(&own), "http://x.test"), "http://a:1");
    assert_eq!(way(&proxies(&own), "https://x.test"), "http://b:2");
}

/// PRX-01: as Go has it.
#[test]
fn this_machine_itself_is_never_reached_through_the_environments_proxy() {
    let all = proxies(&[("ALL_PROXY", "http://a:1")]);
    for url in [
        "http://localhost:8080",
        "https://127.9.9.9",
        "http://[::1]:1",
        "http://a.localhost",
    ] {
        assert_eq!(way(&all, url), "direct", "{url}");
    }
    for url in [
        "http://localhost.test",
        "http://10.0.0.1",
        "http://notlocalhost",
    ] {
        assert_eq!(way(&all, url), "http://a:1", "{url}");
    }
}

#[test]
fn a_value_that_is_no_proxy_is_no_way_past_the_proxy() {
    for value in [
        "ftp://a:1",
        "socks4://a:1",
        "http://",
        "http://a:99999",
        "user:secret@@",
        "a b",
    ] {
        let broken = proxies(&[("HTTPS_PROXY", value)]);
        assert_eq!(way(&broken, "https://x.test"), "HTTPS_PROXY", "{value}");
        let error = broken.check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let text = format!("{error} {error:?}");
        assert!(
            text.contains("HTTPS_PROXY") && !text.contains("secret"),
            "{text}"
        );
        assert_eq!(way(&broken, "http://x.test"), "direct");
    }
}

fn exempts(list: &str, url: &str) -> bool {
    Exempt::parse(list).contains(&Origin::parse(url).unwrap())
}

/// PRX-01
#[test]
fn no_proxy_knows_names_suffixes_addresses_networks_ports_and_all() {
    for (list, yes, no) in [
        (
            "x.test",
            &["http://x.test", "http://a.x.test", "https://X.TEST:8443"][..],
            &["http://ax.test", "http://x.test.org"][..],
        ),
        (
            ".x.test",
            &["http://a.x.test", "http://b.a.x.test"],
            &["http://ax.test"],
        ),
        ("*.x.test", &["http://a.x.test"], &["http://ax.test"]),
        ("X.Test", &["http://x.test"], &[]),
        (
            " a.test , b.test ,",
            &["http://a.test", "http://b.test"],
            &["http://c.test"],
        ),
        (
            "10.0.0.0/8",
            &["http://10.1.2.3", "https://10.255.0.1:1"],
            &["http://11.0.0.1", "http://x10.test"],
        ),
        ("192.0.2.7", &["http://192.0.2.7"], &["http://192.0.2.8"]),
        (
            "::1,fd00::/8",
            &["http://[::1]", "http://[fd12::3]:80"],
            &["http://[fe00::1]"],
        ),
        ("[::1]", &["http://[::1]:9"], &["http://[::2]"]),
        (
            "x.test:8080",
            &["http://x.test:8080", "http://a.x.test:8080"],
            &["http://x.test", "http://x.test:80"],
        ),
        (
            "[::1]:8080,10.0.0.1:81",
            &["http://[::1]:8080", "http://10.0.0.1:81"],
            &["http://[::1]", "http://10.0.0.1"],
        ),
        (
            "*:443",
            &["https://x.test", "http://y.test:443"],
            &["http://x.test"],
        ),
        (
            "*",
            &["http://x.test", "https://10.0.0.1", "http://[::1]"],
            &[],
        ),
        ("a.test,*", &["http://x.test", "http://10.0.0.1"], &[]),
        ("", &[], &["http://x.test", "http://10.0.0.1"]),
        (",,:80,.", &[], &["http://x.test"]),
    ] {
        for url in yes {
            assert!(exempts(list, url), "{list} exempts {url}");
        }
        for url in no {
            assert!(!exempts(list, url), "{list} does not exempt {url}");
        }
    }
}

/// PRX-04, RTR-06
#[test]
fn ways_differ_with_the_proxy_and_with_the_credentials() {
    let route = |proxy: Proxy| {
        let proxies = Proxies::new(vec![proxy.into_rule()]);
        proxies.route(&Origin::parse("https://x.test").unwrap(), Protocol::Auto)
    };
    let one = route(Proxy::all("http://me:pw@p.test:1").unwrap());
    assert_eq!(one, route(Proxy::all("http://me:pw@P.TEST:1/").unwrap()));
    for other in [
        "http://p.test:1",
        "http://me:other@p.test:1",
        "http://you:pw@p.test:1",
        "http://me:pw@p.test:2",
        "http://me:pw@q.test:1",
        "https://me:pw@p.test:1",
        "socks5://me:pw@p.test:1",
    ] {
        assert_ne!(one, route(Proxy::all(other).unwrap()), "{other}");
    }
    let socks = |url| route(Proxy::all(url).unwrap());
    assert_ne!(socks("socks5://p.test"), socks("socks5h://p.test"));
    assert_ne!(socks("socks5://a:b@p.test"), socks("socks5://a:c@p.test"));
}

/// SMG-06
#[test]
fn credentials_are_in_no_text() {
    for url in ["http://me:hunter2@p.test", "socks5://me:hunter2@p.test"] {
        let proxy = Proxy::all(url).unwrap();
        let proxies = Proxies::new(vec![proxy.clone().into_rule()]);
        let route = proxies.route(&Origin::parse("http://x.test").unwrap(), Protocol::Auto);
        let text = format!("{proxy:?} {proxy:#?} {proxies:?} {route:?}");
        assert!(
            !text.contains("hunter2") && !text.contains("aHVudGVyMg"),
            "{text}"
        );
        assert!(text.contains("p.test"));
    }
    let long = "x".repeat(300);
    let error = Proxy::all(&format!("socks5://me:{long}@p.test")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!format!("{error:?}").contains("xxx"));
    let huge = "hunter2".repeat(20_000);
    let error = Proxy::all("http://p.test")
        .unwrap()
        .credentials("me", &huge)
        .unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[test]
fn credentials_are_sent_as_they_are_whatever_is_in_them() {
    let given = Proxy::all("http://p.test").unwrap();
    let given = given.credentials("me", "p@ss:w/rd%25 ü").unwrap();
    let encoded = Proxy::all("http://me:p%40ss%3Aw%2Frd%2525%20%C3%BC@p.test").unwrap();
    let header = given.server.authorization().unwrap();
    assert_eq!(Some(header), encoded.server.authorization());
    assert!(header.is_sensitive());
    let basic = Proxy::all("http://Aladdin:open%20sesame@p.test").unwrap();
    let basic = basic.server.authorization().unwrap().clone();
    assert_eq!(basic, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

/// An http origin is forwarded by an HTTP proxy; all else is tunnelled.
#[test]
fn only_plain_http_of_version_one_is_forwarded() {
    let proxy = |url: &str| Proxies::new(vec![Proxy::all(url).unwrap().into_rule()]);
    let forwards = |proxies: &Proxies, url: &str, protocol| {
        let route = proxies.route(&Origin::parse(url).unwrap(), protocol);
        assert!(matches!(route, Route::Forward(_) | Route::Tunnel(_)));
        route.forward().is_some()
    };
    for url in ["http://p.test", "https://p.test"] {
        assert!(forwards(&proxy(url), "http://x.test", Protocol::Auto));
        assert!(forwards(&proxy(url), "http://x.test", Protocol::Http1));
        assert!(!forwards(&proxy(url), "http://x.test", Protocol::Http2));
        assert!(!forwards(&proxy(url), "https://x.test", Protocol::Http1));
    }
    assert!(!forwards(
        &proxy("socks5://p.test"),
        "http://x.test",
        Protocol::Auto
    ));
}

#[test]
fn the_first_proxy_that_is_for_an_origin_is_taken() {
    let rules = [
        Proxy::https("http://a.test").unwrap().no_proxy("x.test"),
        Proxy::all("http://b.test").unwrap().no_proxy("y.test"),
    ];
    let proxies = Proxies::new(rules.into_iter().map(Proxy::into_rule).collect());
    assert_eq!(way(&proxies, "https://z.test"), "http://a.test:80");
    assert_eq!(way(&proxies, "https://x.test"), "http://b.test:80");
    assert_eq!(way(&proxies, "http://y.test"), "direct");
    assert_eq!(Arc::strong_count(proxies.0[0].server.as_ref().unwrap()), 1);
}

proptest::proptest! {
    /// SMG-06
    #[test]
    fn no_text_makes_the_parsers_panic(text in ".{0,60}", host in "[a-z.]{1,20}") {
        let _ = Proxy::all(&text);
        let _ = Proxy::all(&format!("http://{text}@p.test"));
        let exempt = Exempt::parse(&text);
        if let Ok(origin) = Origin::parse(&format!("http://{host}")) {
            let _ = exempt.contains(&origin);
        }
    }
}
