use std::sync::Arc;
use std::time::Duration;

use standpipe_core::sync::Mutex;
use standpipe_core::{ErrorKind, Origin, Phase, RequestSent};
use standpipe_test::Ca;
use standpipe_transport::{CloseReason, Resolver, Transport};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::support::{A, failure_of, fetch, get, head_of, secs, send, settle, stats, trusting};
use crate::{black_hole, refusing, resolving_to, serve, untimed};

/// Some containers have no IPv6 at all.
async fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").await.is_ok()
}

async fn peer_of(transport: &Transport) -> std::net::SocketAddr {
    let response = head_of(transport, get(A)).await.unwrap();
    response.body().connection_info().unwrap().peer.unwrap()
}

/// DNS-03
#[tokio::test(start_paused = true)]
async fn the_next_address_is_tried_at_once_where_one_refuses() {
    let first = refusing("127.0.0.1:0").await;
    let second = refusing("127.0.0.1:0").await;
    let third = serve("127.0.0.1:0").await;
    let transport = untimed().resolver(resolving_to(&[first, second, third]));
    let transport = transport.build().unwrap();
    let begun = Instant::now();
    assert_eq!(peer_of(&transport).await, third);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(stats(&transport).created, 1);
}

/// DNS-03
#[tokio::test(start_paused = true)]
async fn where_all_refuse_one_error_names_them_and_the_cause() {
    let addresses = [refusing("127.0.0.1:0").await, refusing("127.0.0.1:0").await];
    let transport = untimed()
        .resolver(resolving_to(&addresses))
        .build()
        .unwrap();
    let error = fetch(&transport, get(A)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert_eq!(error.phase(), Some(Phase::Dial));
    assert_eq!(error.request_sent(), RequestSent::No);
    let [a, b] = addresses;
    let message = format!("connecting failed: tried {a}, {b} (http://a.test)");
    assert_eq!(error.to_string(), message);
    let mut causes = std::iter::successors(std::error::Error::source(&error), |e| e.source());
    assert!(causes.any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>();
        io.is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused)
    }));
    assert_eq!(stats(&transport).dial_failures, 1);
}

/// DNS-02
#[tokio::test(start_paused = true)]
async fn the_other_family_is_tried_beside_the_first_after_a_third_of_a_second() {
    if !has_ipv6().await {
        return;
    }
    let (v6, _held) = black_hole("[::1]:0").await;
    let v4 = serve("127.0.0.1:0").await;
    let transport = untimed().resolver(resolving_to(&[v6, v4])).build().unwrap();
    let begun = Instant::now();
    assert_eq!(peer_of(&transport).await, v4);
    let after = begun.elapsed();
    let allowed = Duration::from_millis(250)..=Duration::from_millis(300);
    assert!(allowed.contains(&after), "{after:?}");
}

/// DNS-02
#[tokio::test(start_paused = true)]
async fn the_other_family_is_tried_at_once_where_the_first_refuses() {
    if !has_ipv6().await {
        return;
    }
    let v6 = refusing("[::1]:0").await;
    let v4 = serve("127.0.0.1:0").await;
    let transport = untimed().resolver(resolving_to(&[v6, v4])).build().unwrap();
    let begun = Instant::now();
    assert_eq!(peer_of(&transport).await, v4);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

/// DNS-02
#[tokio::test(start_paused = true)]
async fn the_family_of_the_first_address_wins_where_both_answer() {
    if !has_ipv6().await {
        return;
    }
    let v6 = serve("[::1]:0").await;
    let v4 = serve("127.0.0.1:0").await;
    for order in [[v6, v4], [v4, v6]] {
        let transport = untimed().resolver(resolving_to(&order)).build().unwrap();
        assert_eq!(peer_of(&transport).await, order[0]);
    }
}

/// DNS-05, TO-01
#[tokio::test(start_paused = true)]
async fn the_limit_is_shared_by_the_addresses() {
    let (first, _held) = black_hole("127.0.0.1:0").await;
    let (second, _also) = black_hole("127.0.0.1:0").await;
    let transport = untimed().resolver(resolving_to(&[first, second]));
    let transport = transport.connect_timeout(Some(secs(4))).build().unwrap();
    let begun = Instant::now();
    let error = fetch(&transport, get(A)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectTimeout);
    assert!(error.is_timeout());
    assert_eq!(begun.elapsed(), secs(4));
    let text = error.to_string();
    assert!(text.contains(&format!("tried {first}, {second}")), "{text}");
    assert!(text.contains("the limit is 4s"), "{text}");
}

/// DNS-05
#[tokio::test(start_paused = true)]
async fn an_address_that_hangs_leaves_time_for_the_next() {
    let (first, _held) = black_hole("127.0.0.1:0").await;
    let second = serve("127.0.0.1:0").await;
    let transport = untimed().resolver(resolving_to(&[first, second]));
    let transport = transport.connect_timeout(Some(secs(4))).build().unwrap();
    assert_eq!(peer_of(&transport).await, second);
}

/// DNS-04
#[tokio::test(start_paused = true)]
async fn a_winner_whose_tls_fails_is_a_tls_error_and_its_place_is_free() {
    let refused = refusing("127.0.0.1:0").await;
    let plain = serve("127.0.0.1:0").await;
    let transport = untimed().resolver(resolving_to(&[refused, plain]));
    let transport = transport.tls(trusting(&Ca::new())).build().unwrap();
    let error = fetch(&transport, get("https://a.test/")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
    settle().await;
    let stats = stats(&transport);
    assert_eq!((stats.dialing, stats.active, stats.idle), (0, 0, 0));
}

/// RES-02: an address that this machine does not have, or of the other family.
#[tokio::test(start_paused = true)]
async fn no_address_to_connect_from_is_a_want_of_this_machines() {
    let address = serve("127.0.0.1:0").await;
    for elsewhere in ["192.0.2.1", "::1"] {
        let transport = untimed().resolver(resolving_to(&[address]));
        let transport = transport.local_address(elsewhere.parse().ok());
        let error = fetch(&transport.build().unwrap(), get(A))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LocalConnect, "{error:?}");
        assert!(error.kind().is_local() && error.is_connect());
        assert_eq!(error.request_sent(), RequestSent::No);
    }
}

#[tokio::test(start_paused = true)]
async fn connections_come_from_the_local_address_of_their_family() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let local = "127.0.0.7".parse().unwrap();
    let base = || untimed().resolver(resolving_to(&[address]));
    let one = base().local_address(Some(local));
    let mut tcp = standpipe_transport::TcpConfig::default();
    tcp.local_addresses = Some(("127.0.0.7".parse().unwrap(), "::1".parse().unwrap()));
    tcp.keepalive = Some(Duration::MAX);
    tcp.keepalive_interval = Some(Duration::from_millis(1));
    tcp.keepalive_retries = Some(u32::MAX);
    tcp.user_timeout = Some(Duration::MAX);
    for transport in [one.build().unwrap(), base().tcp(tcp).build().unwrap()] {
        let sent = send(&transport, get(A));
        let (stream, peer) = listener.accept().await.unwrap();
        assert_eq!(peer.ip(), local);
        drop(stream);
        failure_of(sent).await;
    }
}

/// A port that the resolver names counts where the URL has the scheme's own.
#[tokio::test(start_paused = true)]
async fn a_port_in_the_url_beats_the_resolvers() {
    let address = serve("127.0.0.1:0").await;
    let wrong = refusing("127.0.0.1:0").await;
    let transport = untimed().resolver(resolving_to(&[wrong])).build().unwrap();
    let url = format!("http://a.test:{}/", address.port());
    let response = head_of(&transport, get(&url)).await.unwrap();
    assert_eq!(
        response.body().connection_info().unwrap().peer,
        Some(address)
    );
}

/// A resolver whose answer is changed as the test goes on.
fn changing(
    first: &[std::net::SocketAddr],
) -> (impl Resolver, Arc<Mutex<Vec<std::net::SocketAddr>>>) {
    let answer = Arc::new(Mutex::new(first.to_vec()));
    let given = Arc::clone(&answer);
    let (resolver, _) = crate::answering(move || Ok(given.lock().clone()));
    (resolver, answer)
}

/// DNS-06
#[tokio::test(start_paused = true)]
async fn a_refresh_retires_the_connections_to_addresses_that_are_gone() {
    let (old, new) = (serve("127.0.0.1:0").await, serve("127.0.0.2:0").await);
    let (resolver, answer) = changing(&[old]);
    let transport = untimed().resolver(resolver).build().unwrap();
    let origin = Origin::parse(A).unwrap();
    assert_eq!(peer_of(&transport).await, old);
    assert_eq!(transport.refresh_dns(&origin).await.unwrap(), 0);
    assert_eq!(peer_of(&transport).await, old, "it has its address still");
    *answer.lock() = vec![new];
    assert_eq!(peer_of(&transport).await, old, "nobody has looked");
    assert_eq!(transport.refresh_dns(&origin).await.unwrap(), 1);
    assert_eq!(peer_of(&transport).await, new);
    assert_eq!(stats(&transport).closed.of(CloseReason::Address), 1);
}

/// DNS-06: off by default, for answers that rotate.
#[tokio::test(start_paused = true)]
async fn a_dial_that_finds_other_addresses_retires_the_old_where_that_is_switched_on() {
    for on in [false, true] {
        let (old, new) = (serve("127.0.0.1:0").await, serve("127.0.0.2:0").await);
        let (resolver, answer) = changing(&[old]);
        let transport = untimed().resolver(resolver).retire_on_dns_change(on);
        let transport = transport.build().unwrap();
        assert_eq!(peer_of(&transport).await, old);
        *answer.lock() = vec![new];
        // Two connections: the second one's dial looks the name up again.
        let warm = transport.warm(&Origin::parse(A).unwrap(), 2).await;
        assert_eq!(warm.unwrap(), 2);
        let retired = stats(&transport).closed.of(CloseReason::Address);
        assert_eq!(retired, u64::from(on));
    }
}
