//! Dropped while a connection is opened for it.

use standpipe_test::Ca;
use standpipe_test::h2peer::{H2Peer, kind};
use standpipe_test::memory::Network;

use crate::scripted::Scripted;
use crate::support::{
    accept, answer_to, echo, get, over, secs, send, settle, stats, trusting, until,
};
use crate::wire::Wire;

/// CAN-03
#[tokio::test(start_paused = true)]
async fn dropped_while_it_is_dialled_it_leaves_the_connection_to_the_next() {
    let scripted = Scripted::new();
    let hold = scripted.network.hold_dials();
    let dropped = send(&scripted.transport, get("http://a.test/dropped"));
    hold.arrived(1).await;
    dropped.abort();
    settle().await;
    let now = stats(&scripted.transport);
    assert_eq!((now.waiting, now.dialing), (0, 1), "the dial is nobody's");
    drop(hold);
    let mut peer = accept(&scripted.listener).await;
    settle().await;
    let now = stats(&scripted.transport);
    assert_eq!((now.dialing, now.active, now.idle), (0, 0, 1));
    let next = send(&scripted.transport, get("http://a.test/next"));
    assert_eq!(echo(&mut peer).await, "/next");
    assert_eq!(answer_to(next).await.unwrap(), "/next");
    assert_eq!(scripted.network.dials(), 1);
}

/// CAN-03: in the TLS handshake, which then ends well or badly.
#[tokio::test(start_paused = true)]
async fn dropped_in_the_tls_handshake_its_place_ends_in_one_place() {
    for ends_well in [true, false] {
        let (network, ca) = (Network::new(), Ca::new());
        let listener = network.listen("a.test:443");
        let transport = over(&network)
            .tls(trusting(&ca))
            .max_connections_per_host(1)
            .max_idle_per_host(1)
            .build()
            .unwrap();
        let dropped = send(&transport, get("https://a.test/"));
        let stream = listener.accept().await;
        settle().await;
        dropped.abort();
        settle().await;
        assert_eq!(stats(&transport).dialing, 1);
        if ends_well {
            let tls = ca.server_config(&["a.test"], &[b"http/1.1"]);
            let stream = tokio_rustls::TlsAcceptor::from(tls)
                .accept(stream)
                .await
                .unwrap();
            settle().await;
            let now = stats(&transport);
            assert_eq!((now.dialing, now.active, now.idle), (0, 0, 1));
            drop(stream);
        } else {
            stream.reset();
        }
        until(|| network.open_connections() == 0).await;
        let now = stats(&transport);
        assert_eq!((now.dialing, now.active, now.idle), (0, 0, 0));
    }
}

/// CAN-03: between the preface and the server's SETTINGS.
#[tokio::test(start_paused = true)]
async fn dropped_before_the_servers_settings_it_leaves_the_connection_to_the_next() {
    let wire = Wire::new();
    let dropped = wire.get();
    let stream = wire.listener.accept().await;
    settle().await;
    dropped.abort();
    settle().await;
    let mut peer = H2Peer::accept(stream, &[]).await.unwrap();
    settle().await;
    wire.quiet().await;
    let next = wire.get();
    // The dropped one may have been sent, and was reset then.
    let last = loop {
        let frame = peer.next(kind::HEADERS).await.unwrap();
        settle().await;
        if frame.stream > 1 || next.is_finished() {
            break frame.stream;
        }
        let reset = tokio::time::timeout(secs(1), peer.next(kind::RST_STREAM));
        if reset.await.is_err() {
            break frame.stream;
        }
    };
    peer.respond(last, "mine").await.unwrap();
    assert_eq!(answer_to(next).await.unwrap(), "mine");
    assert_eq!(wire.network.dials(), 1);
}

/// CAN-04
#[tokio::test(start_paused = true)]
async fn the_one_whose_dial_all_wait_for_may_go() {
    let wire = Wire::new();
    let hold = wire.network.hold_dials();
    let leader = wire.get();
    let followers: Vec<_> = (0..3).map(|_| wire.get()).collect();
    hold.arrived(1).await;
    leader.abort();
    settle().await;
    drop(hold);
    let mut peer = wire.accept(&[]).await;
    for _ in 0..3 {
        let stream = peer.request().await.unwrap();
        peer.respond(stream, "followed").await.unwrap();
    }
    for follower in followers {
        assert_eq!(answer_to(follower).await.unwrap(), "followed");
    }
    assert_eq!(wire.network.dials(), 1);
}

/// CAN-05
#[tokio::test(start_paused = true)]
async fn all_who_wait_for_a_dial_may_go_and_later_ones_are_served() {
    for fails in [false, true] {
        let wire = Wire::new();
        let hold = wire.network.hold_dials();
        let all: Vec<_> = (0..3).map(|_| wire.get()).collect();
        hold.arrived(1).await;
        all.iter().for_each(tokio::task::JoinHandle::abort);
        settle().await;
        assert_eq!(stats(&wire.transport).waiting, 0);
        if fails {
            wire.network
                .fail_next_dials(1, std::io::ErrorKind::ConnectionRefused);
        }
        drop(hold);
        settle().await;
        let next = wire.get();
        let mut peer = wire.accept(&[]).await;
        let stream = peer.request().await.unwrap();
        peer.respond(stream, "later").await.unwrap();
        assert_eq!(answer_to(next).await.unwrap(), "later");
        assert_eq!(wire.network.dials(), 1 + usize::from(fails));
    }
}
