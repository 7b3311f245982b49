use std::io;

use standpipe_core::{Error, ErrorKind, Phase, RequestSent};
use standpipe_test::memory::{Listener, Network};
use standpipe_test::proxy::{HttpProxy, SocksProxy};
use standpipe_transport::Transport;
use tokio::time::Instant;

use crate::support::{accept, failure_of, fetch, get, pass, secs, send, settle, stats};
use crate::{PROXY, through};

const URL: &str = "https://a.test/";

async fn proxied(credentials: &str) -> (Network, Listener, Transport) {
    let network = Network::new();
    let listener = network.listen(PROXY);
    let url = format!("http://{credentials}proxy.test:3128");
    let transport = through(&network, &url).connect_timeout(Some(secs(9)));
    let transport = transport.build().unwrap();
    (network, listener, transport)
}

/// The proxy failed, nothing was sent, nothing is left open, and no secret is told.
async fn assert_failed(error: &Error, network: &Network, transport: &Transport) {
    assert_eq!(error.kind(), ErrorKind::Proxy, "{error:?}");
    assert_eq!(error.phase(), Some(Phase::Dial));
    assert_eq!(error.request_sent(), RequestSent::No);
    assert!(error.is_connect());
    assert_eq!(error.origin().unwrap().host(), "a.test");
    let mut text = format!("{error} {error:?}");
    for cause in std::iter::successors(std::error::Error::source(error), |e| e.source()) {
        text.push_str(&cause.to_string());
    }
    assert!(
        text.contains("http://proxy.test:3128") || text.contains("socks5"),
        "{text}"
    );
    for secret in ["hunter2", "aHVudGVyMg"] {
        assert!(!text.contains(secret), "{text}");
    }
    network.all_closed().await;
    let stats = stats(transport);
    assert_eq!((stats.dialing, stats.active, stats.idle), (0, 0, 0));
}

/// PRX-02, SMG-06
#[tokio::test(start_paused = true)]
async fn a_proxy_that_refuses_is_an_error_with_its_status() {
    for status in [
        "407 Proxy Authentication Required",
        "403 Forbidden",
        "502 Bad Gateway",
        "302 Found",
        "204 No Content",
    ] {
        let (network, listener, transport) = proxied("me:hunter2@").await;
        let sent = send(&transport, get(URL));
        let mut peer = accept(&listener).await;
        peer.read_head().await.unwrap();
        peer.respond(status, "a page that nobody reads")
            .await
            .unwrap();
        let error = failure_of(sent).await;
        let says = format!("http://proxy.test:3128 answered CONNECT with {status}");
        assert!(error.to_string().contains(&says), "{error}");
        assert_failed(&error, &network, &transport).await;
        peer.closed().await;
    }
}

/// PRX-02
#[tokio::test(start_paused = true)]
async fn a_proxy_that_is_slow_is_given_up_when_the_time_for_connecting_is_over() {
    let (network, listener, transport) = proxied("").await;
    let hold = network.hold_dials();
    let begun = Instant::now();
    let sent = send(&transport, get(URL));
    hold.arrived(1).await;
    pass(secs(4)).await;
    drop(hold);
    let mut peer = accept(&listener).await;
    peer.read_head().await.unwrap();
    peer.write("HTTP/1.1 200").await.unwrap();
    let error = failure_of(sent).await;
    assert_eq!(begun.elapsed(), secs(9), "one limit for TCP and the proxy");
    assert!(
        error.to_string().contains("did not answer in time"),
        "{error}"
    );
    assert_failed(&error, &network, &transport).await;
    peer.closed().await;
}

/// PRX-02
#[tokio::test(start_paused = true)]
async fn a_head_without_end_is_cut_off() {
    for part in ["x: y\r\n".repeat(100), "y".repeat(500)] {
        let (network, listener, transport) = proxied("").await;
        let sent = send(&transport, get(URL));
        let mut peer = accept(&listener).await;
        peer.read_head().await.unwrap();
        peer.write("HTTP/1.1 200 OK\r\nx: ").await.unwrap();
        let mut written = 0;
        while peer.write(&part).await.is_ok() {
            written += part.len();
            // The limit on a head, and as much in buffers.
            assert!(written < 3 * 64 * 1024, "it reads on");
            settle().await;
        }
        let error = failure_of(sent).await;
        let says = "no usable response head";
        assert!(error.to_string().contains(says), "{error}");
        assert_failed(&error, &network, &transport).await;
    }
}

/// PRX-02
#[tokio::test(start_paused = true)]
async fn garbage_an_end_and_a_reset_in_place_of_an_answer_are_errors() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.9\r\n",
        "\0\0\0\0\0\0\0\0\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
    ] {
        let (network, listener, transport) = proxied("").await;
        let sent = send(&transport, get(URL));
        let mut peer = accept(&listener).await;
        peer.read_head().await.unwrap();
        peer.write(garbage).await.unwrap();
        let error = failure_of(sent).await;
        assert_failed(&error, &network, &transport).await;
    }
    for (answer, reset) in [("", false), ("", true), ("HTTP/1.1 200 OK\r\n", false)] {
        let (network, listener, transport) = proxied("").await;
        let sent = send(&transport, get(URL));
        let mut peer = accept(&listener).await;
        peer.read_head().await.unwrap();
        peer.write(answer).await.unwrap();
        settle().await;
        if reset {
            peer.reset();
        } else {
            drop(peer);
        }
        let error = failure_of(sent).await;
        assert_failed(&error, &network, &transport).await;
    }
}

/// PRX-02
#[tokio::test(start_paused = true)]
async fn a_proxy_that_is_not_there_is_told_from_an_origin_that_is_not_there() {
    let network = Network::new();
    let transport = through(&network, "http://proxy.test:3128").build().unwrap();
    let error = fetch(&transport, get(URL)).await.unwrap_err();
    assert!(
        error.to_string().contains("could not be reached"),
        "{error}"
    );
    assert_failed(&error, &network, &transport).await;
    let _proxy = HttpProxy::start(&network, PROXY);
    let error = fetch(&transport, get(URL)).await.unwrap_err();
    assert!(
        error.to_string().contains("answered CONNECT with 502"),
        "{error}"
    );
}

/// RES-02: what this machine lacks is not the proxy's fault.
#[tokio::test(start_paused = true)]
async fn a_want_of_this_machines_stays_one_behind_a_proxy() {
    let network = Network::new();
    let _proxy = HttpProxy::start(&network, PROXY);
    network.fail_next_dials(1, io::ErrorKind::AddrNotAvailable);
    let transport = through(&network, "http://proxy.test:3128").build().unwrap();
    let error = fetch(&transport, get(URL)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LocalConnect);
}

/// PRX-02, SMG-06
#[tokio::test(start_paused = true)]
async fn socks_that_refuses_stalls_or_talks_nonsense_is_an_error() {
    let network = Network::new();
    let url = "socks5h://me:hunter2@proxy.test:3128";
    let build = || {
        through(&network, url)
            .connect_timeout(Some(secs(9)))
            .build()
            .unwrap()
    };
    let proxy = SocksProxy::start(&network, PROXY, Some(("me", "another")));
    let transport = build();
    let error = fetch(&transport, get(URL)).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("credentials not accepted"), "{source}");
    assert_failed(&error, &network, &transport).await;
    drop(proxy);
    settle().await;

    let proxy = SocksProxy::start(&network, PROXY, Some(("me", "hunter2")));
    let transport = build();
    let error = fetch(&transport, get(URL)).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("refused"), "{source}");
    assert_failed(&error, &network, &transport).await;
    drop(proxy);
    settle().await;

    let listener = network.listen(PROXY);
    for answer in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        &[5, 0xff],
        &[5],
        &[],
    ] {
        let transport = build();
        let begun = Instant::now();
        let sent = send(&transport, get(URL));
        let mut peer = accept(&listener).await;
        peer.write(answer).await.unwrap();
        let error = failure_of(sent).await;
        assert!(begun.elapsed() <= secs(9));
        assert_failed(&error, &network, &transport).await;
    }
}
