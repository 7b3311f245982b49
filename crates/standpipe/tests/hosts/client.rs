//! A pool seen from a base URL.

use standpipe::{ErrorKind, HostConfig, Pool};
use standpipe_test::memory::Network;

use crate::support::{assert_line, echo_on, on};

#[tokio::test]
async fn paths_are_relative_to_the_base_and_headers_are_the_clients_own() {
    let network = Network::new();
    let _servers = ["a.test:80", "b.test:80"].map(|address| echo_on(&network, address));
    let pool = on(&network)
        .host("a.test", HostConfig::new().default_header("x-host", "a"))
        .build()
        .unwrap();
    let client = pool.host_client("http://a.test/v1/").unwrap();
    let client = client.header("x-api-key", "secret").unwrap();
    assert!(!format!("{client:?}").contains("secret"));

    let echo = client.post("messages?x=1").body("hi").send().await.unwrap();
    let echo = echo.text().await.unwrap();
    assert_line(&echo, "POST /v1/messages?x=1");
    assert_line(&echo, "x-api-key: secret");
    assert_line(&echo, "x-host: a");
    let own = client.get("/top").header("x-api-key", "another");
    let echo = own.send().await.unwrap().text().await.unwrap();
    assert_line(&echo, "GET /top");
    assert_line(&echo, "x-api-key: another");
    assert!(!echo.contains("secret"), "{echo}");

    // Another client of the same pool has headers of its own, and so has another origin.
    let other = pool.host_client("http://a.test/v2/").unwrap();
    let echo = other.get("x").send().await.unwrap().text().await.unwrap();
    assert!(!echo.contains("x-api-key"), "{echo}");
    let echo = client.get("http://b.test/").send().await.unwrap();
    assert!(!echo.text().await.unwrap().contains("x-api-key"));
}

#[tokio::test]
async fn what_is_wrong_is_told_at_the_earliest_point() {
    let pool = Pool::new();
    let refused = pool.host_client("no url").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidRequest);
    let refused = pool.host_client("ftp://a.test/").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::UnsupportedScheme);
    let client = pool.host_client("http://a.test/").unwrap();
    let refused = client.clone().header("x", "line\nbreak").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidRequest);
    let refused = client.get("a b").send().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidRequest);
}
