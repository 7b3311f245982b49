//! Over HTTP/2.

use http::Response;
use http_body_util::{BodyExt, Full};
use standpipe_core::ErrorKind;
use standpipe_test::Server;
use standpipe_test::h2peer::setting::MAX_CONCURRENT_STREAMS;
use standpipe_test::h2peer::{code, kind};
use standpipe_test::memory::Network;

use crate::scripted::streaming_post;
use crate::support::{
    A, answer_to, echoing, failure_of, fetch, get, over_http2, pass, post, secs, send, settle,
    stats,
};
use crate::wire::Wire;

/// reqwest #976: with more requests than streams the rest failed; #1517: nothing limited the
/// connections; #3012: the server asked for calm.
#[tokio::test(start_paused = true)]
async fn five_hundred_requests_at_once_keep_to_the_streams_and_connections_there_may_be() {
    let network = Network::new();
    let server = echoing().http2().max_concurrent_streams(10);
    let server = server.start_on(network.listen("a.test:80"));
    let transport = over_http2(&network)
        .max_connections_per_host(4)
        .max_idle_per_host(4);
    let transport = transport.build().unwrap();
    let sent: Vec<_> = (0..500).map(|_| send(&transport, get(A))).collect();
    for sent in sent {
        assert_eq!(answer_to(sent).await.unwrap(), "/");
    }
    let seen = server.stats();
    assert_eq!(seen.requests, 500);
    assert!(seen.peak_open <= 4, "{seen:?}");
}

/// hyper #4186, dfinity/ic #10455, reactor-netty #4171 and #4255: a connection whose path is dead was
/// used for ever, each request timing out on it.
#[tokio::test(start_paused = true)]
async fn a_black_hole_costs_one_timeout_and_not_one_for_each_request() {
    let wire = Wire::with(|b| b.response_head_timeout(Some(secs(5))));
    let _black_hole = wire.used(&[]).await;
    let error = failure_of(wire.get()).await;
    assert_eq!(error.kind(), ErrorKind::ResponseTimeout);
    let mut other = wire.assert_goes_elsewhere().await;
    for _ in 0..10 {
        wire.assert_goes_here(&mut other).await;
    }
}

/// h2 #853, #860: the connection's window was parked on streams that were not open yet.
#[tokio::test(start_paused = true)]
async fn uploads_that_wait_for_a_stream_do_not_hold_the_window_of_those_that_have_one() {
    let network = Network::new();
    let server =
        Server::builder()
            .http2()
            .max_concurrent_streams(3)
            .handler(|request| async move {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                Response::new(Full::from(body))
            });
    let _server = server.start_on(network.listen("a.test:80"));
    let transport = over_http2(&network)
        .max_connections_per_host(1)
        .max_idle_per_host(1)
        .write_idle_timeout(Some(secs(20)))
        .build()
        .unwrap();
    let sent: Vec<_> = (0..30)
        .map(|_| send(&transport, post(A, vec![7; 200 * 1024])))
        .collect();
    for sent in sent {
        assert_eq!(answer_to(sent).await.unwrap().len(), 200 * 1024);
    }
}

/// h2 0.4.14 to 0.4.17: a RST_STREAM after END_STREAM spoilt an answer that was whole.
#[tokio::test(start_paused = true)]
async fn a_reset_after_the_end_of_the_stream_is_ignored() {
    for reason in [code::NO_ERROR, code::CANCEL, code::INTERNAL_ERROR] {
        let wire = Wire::new();
        let mut peer = wire.used(&[]).await;
        let sent = wire.get();
        let stream = peer.request().await.unwrap();
        peer.respond(stream, "whole").await.unwrap();
        settle().await;
        let response = sent.await.unwrap().unwrap();
        peer.reset(stream, reason).await.unwrap();
        settle().await;
        assert_eq!(crate::support::read(response).await.unwrap(), "whole");
        wire.assert_goes_here(&mut peer).await;
    }
}

/// h2 0.4.14 to 0.4.17: who waited for trailers was not woken when they came.
#[tokio::test(start_paused = true)]
async fn a_reader_that_waits_for_the_trailers_is_woken_by_them() {
    let waits = async |data: &'static [&'static str]| {
        let wire = Wire::new();
        let mut peer = wire.used(&[]).await;
        let sent = wire.get();
        let stream = peer.request().await.unwrap();
        let head = [(":status", "200"), ("trailer", "sum")];
        peer.head(stream, &head, false).await.unwrap();
        let mut body = sent.await.unwrap().unwrap().into_body();
        for data in data {
            peer.data(stream, data, false).await.unwrap();
            let frame = body.frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), *data);
        }
        // In a task of its own, which nothing but its own waking has polled.
        let rest = tokio::spawn(body.collect());
        settle().await;
        assert!(!rest.is_finished());
        (wire, peer, stream, rest)
    };
    for data in [&[][..], &["all"], &["all", "of", "it"]] {
        let (wire, mut peer, stream, rest) = waits(data).await;
        peer.head(stream, &[("sum", "7")], true).await.unwrap();
        settle().await;
        assert!(rest.is_finished());
        let trailers = rest.await.unwrap().unwrap().trailers().cloned();
        assert_eq!(trailers.unwrap()["sum"], "7");
        wire.assert_goes_here(&mut peer).await;

        // More data at the same moment, and an end without any.
        let (_wire, mut peer, stream, rest) = waits(data).await;
        peer.data(stream, "more", false).await.unwrap();
        peer.head(stream, &[("sum", "7")], true).await.unwrap();
        settle().await;
        assert!(rest.is_finished());
        let rest = rest.await.unwrap().unwrap();
        assert_eq!(rest.trailers().unwrap()["sum"], "7");
        assert_eq!(rest.to_bytes(), "more");

        let (_wire, mut peer, stream, rest) = waits(data).await;
        peer.data(stream, "", true).await.unwrap();
        settle().await;
        assert!(rest.is_finished());
        assert!(rest.await.unwrap().unwrap().trailers().is_none());

        let (_wire, mut peer, stream, rest) = waits(data).await;
        peer.reset(stream, code::INTERNAL_ERROR).await.unwrap();
        settle().await;
        assert!(rest.is_finished());
        rest.await.unwrap().unwrap_err();
    }
}

/// hyper 1.9, #4042, over HTTP/2.
#[tokio::test(start_paused = true)]
async fn an_upload_stops_when_its_request_is_dropped() {
    let wire = Wire::new();
    let mut peer = wire.used(&[]).await;
    let (mut upload, request) = streaming_post(A);
    let sent = send(&wire.transport, request);
    peer.request().await.unwrap();
    sent.abort();
    peer.next(kind::RST_STREAM).await.unwrap();
    settle().await;
    upload.send_data("rest".into()).await.unwrap_err();
    wire.quiet().await;
}

/// undici: a storm of refusals, in which each refused request was sent again at once for ever; and a
/// connection that allowed no stream wedged its client.
#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_everything_is_asked_once_for_each_request() {
    let wire = Wire::new();
    for _ in 0..50 {
        // A connection that refuses twice is replaced.
        let mut peer = None;
        for _ in 0..2 {
            let sent = wire.get();
            let peer = match &mut peer {
                Some(peer) => peer,
                none => none.insert(wire.accept(&[(MAX_CONCURRENT_STREAMS, 5)]).await),
            };
            let stream = peer.request().await.unwrap();
            peer.reset(stream, code::REFUSED_STREAM).await.unwrap();
            failure_of(sent).await;
        }
    }
    wire.quiet().await;
    assert_eq!(stats(&wire.transport).requests, 100);
    assert_eq!(wire.network.dials(), 50);
    assert_eq!(wire.network.open_connections(), 0);
}

/// agentgateway #3231: pings too frequent for a server of gRPC.
#[tokio::test(start_paused = true)]
async fn a_busy_connection_is_not_pinged_unless_asked_for() {
    let wire = Wire::with(|b| b.response_head_timeout(None));
    let (peer, _requests) = wire.busy(1).await;
    for _ in 0..100 {
        pass(secs(10)).await;
    }
    let mut peer = peer;
    drop(wire.transport);
    let ping = tokio::time::timeout(secs(1), peer.next(kind::PING)).await;
    assert!(ping.is_err() || ping.unwrap().is_err());
}

/// hyper #2312, over HTTP/2: a pool whose connections belong to a runtime that has ended.
#[test]
fn a_second_runtime_is_served_after_the_first_has_ended() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap()
    };
    let network = Network::new();
    let transport = over_http2(&network).build().unwrap();
    for _ in 0..3 {
        runtime().block_on(async {
            let _server = echoing().http2().start_on(network.listen("a.test:80"));
            for _ in 0..3 {
                assert_eq!(fetch(&transport, get(A)).await.unwrap(), "/");
            }
        });
    }
    assert_eq!(network.dials(), 3);
}
