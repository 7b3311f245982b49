//! Twice, dropped half-way, from several clones, from another thread.

use std::sync::Arc;
use std::time::Duration;

use standpipe_core::ErrorKind;
use standpipe_test::memory::Network;
use tokio::time::Instant;

use super::support::{
    A, accept, answer_to, echoing, failure_of, fetch, get, over, pass, path, secs, send, settle,
};
use super::{assert_nothing_left, assert_report, assert_shutdown};

/// DRN-03
#[tokio::test(start_paused = true)]
async fn of_two_shutdowns_the_shorter_grace_cuts_and_both_end() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let begun = Instant::now();
    let long = tokio::spawn(transport.shutdown(secs(100)));
    let short = tokio::spawn(transport.clone().shutdown(secs(5)));
    assert_report(short.await.unwrap(), 0, 0, 1);
    assert!(long.await.unwrap().complete);
    assert_eq!(begun.elapsed(), secs(5));
    assert_shutdown(&failure_of(sent).await);
    assert_report(transport.shutdown(secs(5)).await, 0, 0, 0);
}

/// DRN-03: the refusal stays, the end of the grace does not.
#[tokio::test(start_paused = true)]
async fn a_shutdown_that_is_dropped_cuts_nothing() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    drop(transport.shutdown(secs(5)));
    let polled = tokio::spawn(transport.shutdown(secs(5)));
    settle().await;
    polled.abort();
    pass(secs(20)).await;
    assert_shutdown(&failure_of(send(&transport, get(A))).await);
    peer.respond("200 OK", "held").await.unwrap();
    assert_eq!(answer_to(sent).await.unwrap(), "held");
    settle().await;
    assert_nothing_left(&network, &transport);
}

/// DRN-03: absurd times.
#[tokio::test(start_paused = true)]
async fn no_grace_and_an_endless_one_are_graces() {
    for (grace, cut) in [(Duration::ZERO, 1), (Duration::MAX, 0)] {
        let network = Network::new();
        let listener = network.listen("a.test:80");
        let transport = over(&network).response_head_timeout(None).build().unwrap();
        let sent = send(&transport, get(A));
        let mut peer = accept(&listener).await;
        path(&mut peer).await;
        let shutdown = tokio::spawn(transport.shutdown(grace));
        settle().await;
        if cut == 0 {
            pass(secs(100_000)).await;
            peer.respond("200 OK", "at last").await.unwrap();
            answer_to(sent).await.unwrap();
        } else {
            assert_shutdown(&failure_of(sent).await);
        }
        assert_report(shutdown.await.unwrap(), 0, 1 - cut, cut);
    }
}

/// DRN-03: the future holds no handle of the transport: what is dropped meanwhile is gone.
#[tokio::test(start_paused = true)]
async fn the_last_handle_may_go_while_the_grace_runs() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).build().unwrap();
    let sent = send(&transport, get(A));
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let shutdown = transport.shutdown(secs(5));
    drop(transport);
    sent.abort();
    let begun = Instant::now();
    assert!(shutdown.await.complete);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    peer.closed().await;
    assert_eq!(network.open_connections(), 0);
}

/// DRN-03: requests, answers and shutdowns on several threads at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_shutdown_among_busy_threads_leaves_nothing() {
    for round in 0..20 {
        let network = Network::new();
        let server = echoing();
        let server = if round % 2 == 0 {
            server
        } else {
            server.http2()
        };
        let server = server.start_on(network.listen("a.test:80"));
        let builder = over(&network).max_connections_per_host(3);
        let builder = builder.max_idle_per_host(2).max_connections(Some(2));
        let builder = if round % 2 == 0 {
            builder
        } else {
            builder.protocol(standpipe_transport::Protocol::Http2)
        };
        let transport = builder.build().unwrap();
        let begun = Arc::new(tokio::sync::Semaphore::new(0));
        let busy: Vec<_> = (0..16)
            .map(|_| {
                let (transport, begun) = (transport.clone(), Arc::clone(&begun));
                tokio::spawn(async move {
                    let mut served = 0;
                    loop {
                        match fetch(&transport, get(A)).await {
                            Ok(_) => served += 1,
                            Err(error) => break (served, error),
                        }
                        begun.add_permits(1);
                    }
                })
            })
            .collect();
        begun.acquire_many(100).await.unwrap().forget();
        let two = [transport.shutdown(secs(30)), transport.shutdown(secs(30))];
        for shutdown in two {
            let report = shutdown.await;
            assert!(report.complete);
            assert_eq!(report.cut, 0);
        }
        for busy in busy {
            let (_, error) = busy.await.unwrap();
            assert_eq!(error.kind(), ErrorKind::Shutdown, "{error:?}");
        }
        assert_nothing_left(&network, &transport);
        drop(server);
    }
}
