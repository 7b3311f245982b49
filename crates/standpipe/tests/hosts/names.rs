//! Which of several settings holds for an origin.

use standpipe::{ErrorKind, HostConfig, Pool};
use standpipe_test::memory::Network;

use crate::echo;
use crate::support::{assert_line, echo_on, on};

fn tagged(tag: &str) -> HostConfig {
    HostConfig::new().default_header("x-tag", tag)
}

#[tokio::test]
async fn what_says_most_of_an_origin_holds_alone() {
    let network = Network::new();
    let addresses = [
        "a.test:80",
        "a.test:81",
        "b.a.test:80",
        "c.b.a.test:80",
        "other:80",
    ];
    let _servers = addresses.map(|address| echo_on(&network, address));
    let pool = on(&network)
        .host("*.a.test", tagged("below a"))
        .host("a.test:81", tagged("a at 81"))
        .host("a.test", tagged("a"))
        .host("*.b.a.test", tagged("below b"))
        .build()
        .unwrap();
    let expected = [
        ("http://a.test/", "a"),
        ("http://a.test:81/", "a at 81"),
        ("http://b.a.test/", "below a"),
        ("http://c.b.a.test/", "below b"),
    ];
    for (url, tag) in expected {
        assert_line(&echo(&pool, url).await, &format!("x-tag: {tag}"));
    }
    assert!(!echo(&pool, "http://other/").await.contains("x-tag"));
}

#[test]
fn a_name_that_means_no_host_is_refused_when_the_pool_is_built() {
    for name in ["ftp://a.test", "a.test/v1", "*", "a.test:0"] {
        let refused = Pool::builder().host(name, HostConfig::new()).build();
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config);
        assert!(refused.to_string().contains("host"), "{refused}");
    }
}
