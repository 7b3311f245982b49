//! TLS: whom to trust, what is never shared, and what ALPN agrees on.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Version;
use rustls::HandshakeKind;
use standpipe_core::{Error, ErrorKind, Phase, RequestSent};
use standpipe_test::memory::{Listener, Network};
use standpipe_test::{Ca, Peer, Server};
use standpipe_transport::{Protocol, TlsConfig, Transport};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::support::{
    accept, answer_to, echoing, failure_of, fetch, get, head_of, over, secs, send, settle, stats,
    trusting, until,
};

const URL: &str = "https://a.test/";
const H1: &[u8] = b"http/1.1";
const H2: &[u8] = b"h2";

/// A server of `a.test` that speaks what `alpn` says.
fn serve(network: &Network, ca: &Ca, alpn: &[&[u8]]) -> Server {
    let server = echoing().tls(ca.server_config(&["a.test"], alpn));
    server.start_on(network.listen("a.test:443"))
}

fn with(network: &Network, tls: TlsConfig) -> Transport {
    over(network).tls(tls).build().unwrap()
}

#[track_caller]
fn assert_refused(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Tls, "{error:?}");
    assert_eq!(error.phase(), Some(Phase::Dial));
    assert_eq!(error.request_sent(), RequestSent::No);
    assert!(error.is_tls() && !error.is_timeout());
}

/// The first cause of the error, which is not told by its message too.
#[track_caller]
fn cause_of(error: &Error) -> String {
    let cause = std::error::Error::source(error).unwrap().to_string();
    assert!(!error.to_string().contains(&cause), "{error}");
    cause
}

// ---- whom to trust ----

/// TLS-01
#[tokio::test(start_paused = true)]
async fn a_certificate_for_another_host_is_refused() {
    let (network, ca) = (Network::new(), Ca::new());
    let server = echoing().tls(ca.server_config(&["b.test"], &[H2, H1]));
    let server = server.start_on(network.listen("a.test:443"));
    let transport = with(&network, trusting(&ca));
    let error = fetch(&transport, get(URL)).await.unwrap_err();
    assert_refused(&error);
    assert!(cause_of(&error).contains("b.test"), "{error:?}");
    settle().await;
    assert_eq!(server.stats().requests, 0);
    let stats = stats(&transport);
    assert_eq!((stats.active, stats.idle, stats.dialing), (0, 0, 0));
}

/// TLS-01
#[tokio::test(start_paused = true)]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let (network, ca) = (Network::new(), Ca::new());
    let _server = serve(&network, &ca, &[H2, H1]);
    let transport = with(&network, trusting(&Ca::new()));
    let error = fetch(&transport, get(URL)).await.unwrap_err();
    assert_refused(&error);
    assert!(cause_of(&error).contains("certificate"), "{error:?}");
}

/// TLS-01
#[tokio::test(start_paused = true)]
async fn an_expired_certificate_is_refused() {
    let (network, ca) = (Network::new(), Ca::new());
    let config = ca.issue_expired(&["a.test"]).server_config(&[H2, H1]);
    let _server = echoing().tls(config).start_on(network.listen("a.test:443"));
    let error = fetch(&with(&network, trusting(&ca)), get(URL))
        .await
        .unwrap_err();
    assert_refused(&error);
    assert!(cause_of(&error).contains("expired"), "{error:?}");
}

/// TLS-01
#[tokio::test(start_paused = true)]
async fn a_revoked_certificate_is_refused_where_there_is_a_list() {
    let (network, ca) = (Network::new(), Ca::new());
    let (revoked, good) = (ca.issue(&["a.test"]), ca.issue(&["b.test"]));
    let (bad, fine) = (network.listen("a.test:443"), network.listen("b.test:443"));
    let _bad = echoing().tls(revoked.server_config(&[H1])).start_on(bad);
    let _fine = echoing().tls(good.server_config(&[H1])).start_on(fine);
    let listed = trusting(&ca).revocation_lists([ca.revoke(&[&revoked])]);
    let transport = with(&network, listed);
    let error = fetch(&transport, get(URL)).await.unwrap_err();
    assert_refused(&error);
    assert!(cause_of(&error).contains("Revoked"), "{error:?}");
    fetch(&transport, get("https://b.test/")).await.unwrap();
    // Whoever has no list cannot know.
    fetch(&with(&network, trusting(&ca)), get(URL))
        .await
        .unwrap();
    // An authority without a list is not trusted where there are lists.
    let other = trusting(&ca).revocation_lists([Ca::new().revoke(&[])]);
    assert_refused(
        &fetch(&with(&network, other), get("https://b.test/"))
            .await
            .unwrap_err(),
    );
}

#[test]
fn settings_that_make_each_other_void_are_refused() {
    let (network, ca) = (Network::new(), Ca::new());
    let finished = || TlsConfig::from_rustls(ca.client_config(&[]));
    for tls in [
        finished().roots([ca.certificate_der()]),
        finished().danger_accept_invalid_certs(true),
        trusting(&ca).danger_accept_invalid_certs(true),
        TlsConfig::default().revocation_lists([ca.revoke(&[])]),
    ] {
        let error = over(&network).tls(tls).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(error.phase(), Some(Phase::Check));
    }
    let named = finished().server_name("a.test");
    over(&network).tls(named).build().unwrap();
}

/// TLS-01
#[tokio::test(start_paused = true)]
async fn a_peer_that_speaks_plain_http_is_refused() {
    let (network, ca) = (Network::new(), Ca::new());
    let _server = echoing().start_on(network.listen("a.test:443"));
    let transport = with(&network, trusting(&ca));
    let error = fetch(&transport, get(URL)).await.unwrap_err();
    assert_refused(&error);
}

/// TLS-01
#[tokio::test(start_paused = true)]
async fn a_handshake_that_is_cut_off_is_no_refusal_of_the_certificate_but_was_not_sent_either() {
    let (network, ca) = (Network::new(), Ca::new());
    let listener = network.listen("a.test:443");
    let transport = with(&network, trusting(&ca));
    for reset in [true, false] {
        let sent = send(&transport, get(URL));
        let mut peer = accept(&listener).await;
        peer.read_exact_body(5).await.unwrap();
        if reset {
            peer.reset();
        } else {
            drop(peer);
        }
        let error = failure_of(sent).await;
        assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
        assert!(!error.is_tls());
        assert_eq!(error.request_sent(), RequestSent::No);
    }
}

/// TLS-01
#[tokio::test(start_paused = true)]
async fn a_handshake_that_stalls_times_out() {
    let (network, ca) = (Network::new(), Ca::new());
    let _listener = network.listen("a.test:443");
    let transport = over(&network).tls(trusting(&ca));
    let transport = transport.tls_timeout(Some(secs(3))).build().unwrap();
    let error = fetch(&transport, get(URL)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TlsTimeout);
    assert!(error.is_tls() && error.is_timeout());
}

#[tokio::test(start_paused = true)]
async fn a_client_certificate_is_shown_where_the_server_wants_one() {
    let (network, ca) = (Network::new(), Ca::new());
    let wanting = ca.server_config_requiring_client_certificate(&["a.test"], &[H1]);
    let _server = echoing()
        .tls(wanting)
        .start_on(network.listen("a.test:443"));
    let without = with(&network, trusting(&ca));
    fetch(&without, get(URL)).await.unwrap_err();
    let (chain, key) = ca.client_certificate();
    let shown = without.with_tls(trusting(&ca).client_certificate(chain, key));
    assert_eq!(fetch(&shown, get(URL)).await.unwrap(), "/");
}

#[tokio::test(start_paused = true)]
async fn a_finished_configuration_is_taken_as_it_is_save_its_alpn() {
    let (network, ca) = (Network::new(), Ca::new());
    let _server = serve(&network, &ca, &[H2, H1]);
    let transport = with(&network, TlsConfig::from_rustls(ca.client_config(&[])));
    let response = head_of(&transport, get(URL)).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
}

#[tokio::test(start_paused = true)]
async fn another_server_name_is_asked_for_and_verified_where_it_is_set() {
    let (network, ca) = (Network::new(), Ca::new());
    let server = echoing().tls(ca.server_config(&["real.test"], &[H2, H1]));
    let _server = server.start_on(network.listen("a.test:443"));
    let transport = with(&network, trusting(&ca).server_name("real.test"));
    fetch(&transport, get(URL)).await.unwrap();
}

/// Counts the warnings of this crate, in whatever thread.
#[derive(Debug, Default)]
struct Warnings(AtomicUsize);

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN && metadata.target().starts_with("standpipe_transport")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The only test of this file that makes the crate warn: the configuration is built on a thread of
/// its own, so the subscriber has to be everybody's.
#[tokio::test(start_paused = true)]
async fn any_certificate_is_accepted_where_that_was_asked_for_and_a_warning_is_logged() {
    let warnings = Arc::new(Warnings::default());
    tracing::subscriber::set_global_default(Arc::clone(&warnings)).unwrap();
    let (network, ca) = (Network::new(), Ca::new());
    let server = echoing().tls(ca.server_config(&["b.test"], &[H2, H1]));
    let _server = server.start_on(network.listen("a.test:443"));
    let tls = TlsConfig::default().danger_accept_invalid_certs(true);
    let transport = with(&network, tls);
    assert_eq!(warnings.0.load(Ordering::Relaxed), 0);
    for _ in 0..2 {
        fetch(&transport, get(URL)).await.unwrap();
        assert_eq!(warnings.0.load(Ordering::Relaxed), 1, "once");
    }
}

/// CAN-03
#[tokio::test(start_paused = true)]
async fn a_request_dropped_during_the_handshakes_leaves_a_connection_to_the_next_one() {
    for alpn in [H1, H2] {
        let (network, ca) = (Network::new(), Ca::new());
        let listener = network.listen("a.test:443");
        let acceptor = TlsAcceptor::from(ca.server_config(&["a.test"], &[alpn]));
        let transport = with(&network, trusting(&ca));
        // The server has its greeting and does not answer yet.
        let sent = send(&transport, get(URL));
        let stream = listener.accept().await;
        settle().await;
        sent.abort();
        settle().await;
        let dialing = stats(&transport);
        assert_eq!((dialing.dialing, dialing.waiting), (1, 0));
        let _stream = acceptor.accept(stream).await.unwrap();
        until(|| stats(&transport).idle == 1).await;
        assert_eq!((stats(&transport).dialing, network.dials()), (0, 1));
    }
}

// ---- what is never shared ----

/// TLS-02
#[tokio::test(start_paused = true)]
async fn another_identity_never_gets_the_connection_of_the_first() {
    for alpn in [H1, H2] {
        let (network, ca) = (Network::new(), Ca::new());
        let server = serve(&network, &ca, &[alpn]);
        let first = with(&network, trusting(&ca));
        let equal = first.with_tls(trusting(&ca));
        let strict = first.with_tls(trusting(&Ca::new()));
        fetch(&first, get(URL)).await.unwrap();
        assert_eq!(stats(&first).idle, 1);
        // The first one's connection is at hand, and would not have been made by these.
        fetch(&strict, get(URL)).await.unwrap_err();
        fetch(&equal, get(URL)).await.unwrap();
        fetch(&first, get(URL)).await.unwrap();
        settle().await;
        assert_eq!(server.stats().requests_per_connection, [2, 0, 1]);
    }
}

/// TLS-02
#[tokio::test(start_paused = true)]
async fn both_identities_share_the_limit_in_all() {
    let (network, ca) = (Network::new(), Ca::new());
    let listener = network.listen("plain.test:80");
    let _server = serve(&network, &ca, &[H1]);
    let first = over(&network).tls(trusting(&ca)).max_connections(Some(1));
    let first = first.build().unwrap();
    let second = first.with_tls(trusting(&ca));
    let held = send(&first, get("http://plain.test/"));
    let mut peer = accept(&listener).await;
    let waiting = send(&second, get(URL));
    settle().await;
    assert_eq!(network.dials(), 1);
    support::echo(&mut peer).await;
    answer_to(held).await.unwrap();
    assert_eq!(answer_to(waiting).await.unwrap(), "/");
    assert_eq!(network.peak_connections(), 1);
}

/// Serves one request on the next connection; whether its handshake was a resumed one.
async fn resumed(listener: &Listener, ca: &TlsAcceptor) -> bool {
    let stream = ca.accept(listener.accept().await).await.unwrap();
    let mut peer = Peer::new(stream);
    peer.read_head().await.unwrap();
    peer.respond("200 OK", "").await.unwrap();
    peer.get_ref().get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed)
}

/// TLS-02
#[tokio::test(start_paused = true)]
async fn another_identity_never_resumes_the_session_of_the_first() {
    let (network, ca) = (Network::new(), Ca::new());
    let listener = network.listen("a.test:443");
    let acceptor = TlsAcceptor::from(ca.server_config(&["a.test"], &[H1]));
    let first = with(&network, trusting(&ca));
    let other = first.with_tls(trusting(&ca));
    let mut seen = Vec::new();
    for transport in [&first, &first, &other] {
        let sent = send(transport, get(URL));
        seen.push(resumed(&listener, &acceptor).await);
        answer_to(sent).await.unwrap();
        settle().await;
        assert_eq!(stats(transport).idle, 0, "the server is gone");
    }
    assert_eq!(seen, [false, true, false]);
}

// ---- what ALPN agrees on ----

/// TLS-05
#[tokio::test(start_paused = true)]
async fn a_server_without_alpn_is_a_clear_error_where_only_http2_is_spoken() {
    let (network, ca) = (Network::new(), Ca::new());
    let server = serve(&network, &ca, &[]);
    let transport = over(&network).tls(trusting(&ca)).protocol(Protocol::Http2);
    let transport = transport.build().unwrap();
    let error = fetch(&transport, get(URL)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert_eq!(error.phase(), Some(Phase::Dial));
    assert_eq!(error.request_sent(), RequestSent::No);
    let message = error.to_string();
    assert!(
        message.contains("did not agree to speak HTTP/2"),
        "{message}"
    );
    assert_eq!(server.stats().requests, 0);
}

/// TLS-05: over a socket, since what a server says as it closes is lost on the way in memory.
#[tokio::test]
async fn a_server_that_refuses_http2_by_alpn_is_a_clear_error_where_nothing_else_is_spoken() {
    let ca = Ca::new();
    let acceptor = TlsAcceptor::from(ca.server_config(&["127.0.0.1"], &[H1]));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        acceptor.accept(stream).await.map(drop).unwrap_err();
    });
    let transport = Transport::builder().tls(trusting(&ca));
    let transport = transport.protocol(Protocol::Http2).build().unwrap();
    let error = fetch(&transport, get(&url)).await.unwrap_err();
    assert_refused(&error);
    assert!(
        cause_of(&error).contains("NoApplicationProtocol"),
        "{error:?}"
    );
}

/// H2-02
#[tokio::test(start_paused = true)]
async fn where_http1_is_agreed_on_all_who_hoped_for_http2_get_connections_within_the_limit() {
    for alpn in [&[H1][..], &[]] {
        let (network, ca) = (Network::new(), Ca::new());
        let server = serve(&network, &ca, alpn);
        let transport = over(&network).tls(trusting(&ca));
        let transport = transport.max_connections_per_host(3).max_idle_per_host(3);
        let transport = transport.build().unwrap();
        let sent: Vec<_> = (0..10).map(|_| send(&transport, get(URL))).collect();
        for sent in sent {
            let response = sent.await.unwrap().unwrap();
            assert_eq!(response.version(), Version::HTTP_11);
        }
        let stats = server.stats();
        assert_eq!(stats.requests, 10);
        assert!(stats.peak_open <= 3, "{stats:?}");
    }
}

/// H2-02: a server that changes its mind between two dials.
#[tokio::test(start_paused = true)]
async fn a_server_that_falls_back_to_http1_later_is_followed() {
    let (network, ca) = (Network::new(), Ca::new());
    let server = serve(&network, &ca, &[H2]);
    let transport = with(&network, trusting(&ca));
    fetch(&transport, get(URL)).await.unwrap();
    server.shutdown().await;
    settle().await;
    let _server = serve(&network, &ca, &[H1]);
    let sent: Vec<_> = (0..5).map(|_| send(&transport, get(URL))).collect();
    for sent in sent {
        let response = sent.await.unwrap().unwrap();
        assert_eq!(response.version(), Version::HTTP_11);
    }
}

/// H2-01
#[tokio::test(start_paused = true)]
async fn requests_at_once_to_a_host_not_known_yet_share_one_http2_connection() {
    let (network, ca) = (Network::new(), Ca::new());
    let server = serve(&network, &ca, &[H2, H1]);
    let hold = network.hold_dials();
    let transport = with(&network, trusting(&ca));
    let sent: Vec<_> = (0..150).map(|_| send(&transport, get(URL))).collect();
    hold.arrived(1).await;
    settle().await;
    assert_eq!(hold.waiting(), 1);
    drop(hold);
    for sent in sent {
        let response = sent.await.unwrap().unwrap();
        assert_eq!(response.version(), Version::HTTP_2);
    }
    assert_eq!((network.dials(), server.stats().connections), (1, 1));
}
