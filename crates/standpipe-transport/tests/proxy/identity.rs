use std::process::Command;

use standpipe_core::ErrorKind;
use standpipe_test::memory::Network;
use standpipe_test::proxy::HttpProxy;
use standpipe_transport::{Proxy, Transport};

use crate::support::{A, echoing, fetch, get, over};
use crate::{PROXY, through};

/// PRX-06: a connector of one's own is a way of one's own.
#[tokio::test(start_paused = true)]
async fn no_proxy_undoes_what_was_set_before() {
    let network = Network::new();
    let _server = echoing().start_on(network.listen("a.test:80"));
    let transport = through(&network, "http://proxy.test:3128").no_proxy();
    assert_eq!(
        fetch(&transport.build().unwrap(), get(A)).await.unwrap(),
        "/"
    );
}

#[test]
fn a_proxy_goes_with_no_connector_that_does_tls() {
    let network = Network::new();
    let transport = through(&network, "http://proxy.test:3128").tls_by_connector(true);
    assert_eq!(transport.build().unwrap_err().kind(), ErrorKind::Config);
    let alone = Transport::builder()
        .tls_by_connector(true)
        .no_proxy()
        .build();
    assert_eq!(alone.unwrap_err().kind(), ErrorKind::Config);
    over(&network).tls_by_connector(true).build().unwrap();
}

/// SMG-06
#[test]
fn a_transports_debug_tells_no_credentials() {
    let network = Network::new();
    for url in [
        "http://me:hunter2@proxy.test",
        "socks5://me:hunter2@proxy.test",
    ] {
        let builder = through(&network, url);
        let text = format!("{builder:?} {:#?}", builder.clone().build().unwrap());
        assert!(text.contains("proxy.test"), "{text}");
        assert!(
            !text.contains("hunter2") && !text.contains("aHVudGVyMg"),
            "{text}"
        );
    }
}

#[test]
fn what_is_no_proxy_is_refused() {
    for url in [
        "ftp://p.test",
        "socks4://p.test",
        "",
        "http://",
        "http://p.test:0",
        "a b",
    ] {
        let error = Proxy::all(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{url}");
    }
}

/// The variable that tells a test that it runs in the environment chosen for it.
const CHOSEN: &str = "STANDPIPE_TEST_ENVIRONMENT";

/// What the last test runs in a process of its own, whose environment it chooses.
#[tokio::test]
async fn in_an_environment_with_a_proxy() {
    if std::env::var_os(CHOSEN).is_none() {
        return;
    }
    let network = Network::new();
    let server = echoing().start_on(network.listen("a.test:80"));
    let proxy = HttpProxy::start(&network, PROXY);
    let said = || (server.stats().requests, proxy.heads().len());
    // A connector of one's own is left alone, unless the environment is asked for.
    let base = over(&network);
    fetch(&base.clone().build().unwrap(), get(A)).await.unwrap();
    assert_eq!(said(), (1, 0));
    let asked = base.proxies_from_env();
    fetch(&asked.clone().build().unwrap(), get(A))
        .await
        .unwrap();
    assert_eq!(said(), (1, 1));
    fetch(&asked.no_proxy().build().unwrap(), get(A))
        .await
        .unwrap();
    assert_eq!(said(), (2, 1));
    // The default connector goes by it: to a proxy that nobody knows.
    let error = fetch(&Transport::default(), get(A)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Proxy, "{error:?}");
}

/// The same with a variable that holds no proxy: nothing goes past the proxy for that.
#[tokio::test]
async fn in_an_environment_with_what_is_no_proxy() {
    if std::env::var_os(CHOSEN).is_none() {
        return;
    }
    let error = fetch(&Transport::default(), get(A)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("http_proxy"), "{error}");
    let error = Transport::builder().build().unwrap_err();
    assert!(error.to_string().contains("http_proxy"), "{error}");
    Transport::builder().no_proxy().build().unwrap();
}

/// PRX-06: a process may not change its own environment, so others are started.
#[test]
fn the_environment_counts_unless_told_otherwise() {
    for (test, value) in [
        (
            "identity::in_an_environment_with_a_proxy",
            "http://proxy.test:3128",
        ),
        (
            "identity::in_an_environment_with_what_is_no_proxy",
            "gopher://proxy.test",
        ),
    ] {
        let mut run = Command::new(std::env::current_exe().unwrap());
        run.args(["--exact", test]).env(CHOSEN, "1");
        for name in [
            "HTTP_PROXY",
            "ALL_PROXY",
            "all_proxy",
            "NO_PROXY",
            "no_proxy",
            "REQUEST_METHOD",
        ] {
            run.env_remove(name);
        }
        let run = run.env("http_proxy", value).output().unwrap();
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success() && said.contains("1 passed"), "{said}");
    }
}
