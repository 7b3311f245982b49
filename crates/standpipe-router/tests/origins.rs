//! Which URLs are one host, and which are none.

mod support;

use standpipe_core::{Error, ErrorKind, Origin, Phase};
use standpipe_router::HostRouter;
use support::{Counter, get, now, origin};
use tower::Service;

/// The numbers of the services that requests to `urls` meet.
fn met<const N: usize>(urls: [&str; N]) -> [usize; N] {
    let mut router = HostRouter::new(Counter::default().new_host());
    urls.map(|url| now(router.call(get(url))).unwrap())
}

/// RTR-02
#[test]
fn path_and_query_are_no_part_of_the_key() {
    assert_eq!(
        met(["http://a.test", "http://a.test/x", "http://a.test?q=1"]),
        [1, 1, 1]
    );
}

/// RTR-03
#[test]
fn the_forms_of_an_ipv6_address_meet_one_service_and_bad_ones_none() {
    let forms = [
        "http://[::1]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[0000::0001]:80/",
        "http://[::1]:8080/",
        "http://[::2]/",
    ];
    assert_eq!(met(forms), [1, 1, 1, 2, 3]);

    // Those that `http::Uri` lets through are refused here.
    let counter = Counter::default();
    let mut router = HostRouter::new(counter.new_host());
    for bad in [
        "http://[::1",
        "http://::1]/",
        "http://[]/",
        "http://[nonsense]/",
        "http://[fe80::1%25eth0]/",
    ] {
        let Ok(uri) = bad.parse::<http::Uri>() else {
            assert!(Origin::parse(bad).is_err(), "{bad}");
            continue;
        };
        let error = Error::from_boxed(now(router.call(get(&uri.to_string()))).unwrap_err());
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{bad}");
        assert_eq!(error.phase(), Some(Phase::Check), "{bad}");
    }
    assert_eq!((counter.made(), router.len()), (0, 0));
}

/// RTR-04: one trailing dot is folded.
#[test]
fn a_name_with_a_trailing_dot_meets_the_service_of_the_one_without() {
    let urls = ["http://a.test./", "http://a.test/", "http://a.test.:80/"];
    assert_eq!(met(urls), [1, 1, 1]);
    assert_eq!(origin("http://a.test./").host(), "a.test");
}

/// RTR-05: names are compared as they are written, in punycode, and never decoded; so a label that
/// would decode to another name's letters is still a name of its own.
#[test]
fn punycode_is_one_key_in_any_case_and_no_mask_for_another_name() {
    let urls = [
        "http://xn--bcher-kva.test/",
        "http://XN--BCHER-KVA.test/",
        "http://xn--example-.test/",
        "http://example.test/",
    ];
    assert_eq!(met(urls), [1, 1, 2, 3]);
    let error = Origin::parse("http://b\u{fc}cher.test/").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!("http://b\u{fc}cher.test/".parse::<http::Uri>().is_err());
}
