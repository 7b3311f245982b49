use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use standpipe_core::{ErrorKind, Phase, RequestSent};
use standpipe_transport::{Name, TlsConfig};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::support::{
    A, Polled, answer_to, failure_of, fetch, get, head_of, pass, send, settle, stats, until,
};
use crate::{answering, resolving_to, serve, untimed};

const LIMIT: Duration = Duration::from_secs(7);

/// DNS-01
#[tokio::test(start_paused = true)]
async fn no_such_name_a_failure_and_an_empty_answer_are_told_apart() {
    type Answer = fn() -> io::Result<Vec<std::net::SocketAddr>>;
    let not_found: Answer = || Err(io::ErrorKind::NotFound.into());
    let failure: Answer = || Err(io::Error::other("the server failed"));
    let empty: Answer = || Ok(Vec::new());
    for (answer, kind, says) in [
        (not_found, ErrorKind::DnsNotFound, "has no address"),
        (failure, ErrorKind::Dns, "could not be resolved"),
        (empty, ErrorKind::DnsNotFound, "the answer holds no address"),
    ] {
        let (resolver, asked) = answering(answer);
        let transport = untimed().resolver(resolver).build().unwrap();
        let error = fetch(&transport, get(A)).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert_eq!(error.phase(), Some(Phase::Dial));
        assert_eq!(error.request_sent(), RequestSent::No);
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        assert_eq!(stats(&transport).dialing, 0);
    }
}

/// A failure is told once: the sentence here, its cause in the chain.
#[tokio::test(start_paused = true)]
async fn the_cause_is_in_the_chain_and_not_in_the_message() {
    let (resolver, _) = answering(|| Err(io::Error::other("the server failed")));
    let transport = untimed().resolver(resolver).build().unwrap();
    let error = fetch(&transport, get(A)).await.unwrap_err();
    assert!(!error.to_string().contains("the server failed"));
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "the server failed");
}

/// TO-01, DNS-01
#[tokio::test(start_paused = true)]
async fn a_lookup_has_a_limit_of_its_own_and_is_not_joined_after_it() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let resolver = tower::service_fn(move |_: Name| {
        count.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<io::Result<std::vec::IntoIter<_>>>()
    });
    let transport = untimed().dns_timeout(Some(LIMIT)).resolver(resolver);
    let transport = transport.connect_timeout(Some(LIMIT / 2)).build().unwrap();
    for n in 1..=2 {
        let begun = Instant::now();
        let error = fetch(&transport, get(A)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DnsTimeout);
        assert_eq!(error.phase(), Some(Phase::Dial));
        assert_eq!(begun.elapsed(), LIMIT);
        assert_eq!(asked.load(Ordering::SeqCst), n);
    }
}

/// DNS-07
#[tokio::test(start_paused = true)]
async fn a_lookup_that_has_hung_for_one_is_not_joined_by_the_next() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let resolver = tower::service_fn(move |_: Name| {
        count.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<io::Result<std::vec::IntoIter<_>>>()
    });
    let transport = untimed().dns_timeout(Some(LIMIT)).resolver(resolver);
    let transport = transport.build().unwrap();
    // Pools of their own, with one resolver.
    let other = || transport.with_tls(TlsConfig::default());
    let first = send(&transport, get(A));
    settle().await;
    pass(LIMIT / 2).await;
    let second = send(&other(), get(A));
    settle().await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    pass(LIMIT / 2).await;
    assert!(first.is_finished() && !second.is_finished());
    let third = send(&other(), get(A));
    settle().await;
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    for sent in [first, second, third] {
        assert_eq!(failure_of(sent).await.kind(), ErrorKind::DnsTimeout);
    }
}

/// TO-07
#[tokio::test(start_paused = true)]
async fn the_largest_limit_and_zero_are_limits_as_any() {
    let address = serve("127.0.0.1:0").await;
    let far = Some(Duration::MAX);
    let transport = untimed().resolver(resolving_to(&[address]));
    let transport = transport
        .dns_timeout(far)
        .connect_timeout(far)
        .build()
        .unwrap();
    fetch(&transport, get(A)).await.unwrap();
    let resolver =
        tower::service_fn(|_: Name| std::future::pending::<io::Result<std::vec::IntoIter<_>>>());
    let transport = untimed().resolver(resolver);
    let transport = transport.dns_timeout(Some(Duration::ZERO)).build().unwrap();
    let error = fetch(&transport, get(A)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DnsTimeout);
}

/// A resolver that answers once the semaphore has a permit for it.
fn gated(
    address: std::net::SocketAddr,
) -> (
    impl standpipe_transport::Resolver,
    Arc<Semaphore>,
    Arc<AtomicUsize>,
) {
    let gate = Arc::new(Semaphore::new(0));
    let asked = Arc::new(AtomicUsize::new(0));
    let (waits, count) = (Arc::clone(&gate), Arc::clone(&asked));
    let resolver = tower::service_fn(move |_: Name| {
        count.fetch_add(1, Ordering::SeqCst);
        let gate = Arc::clone(&waits);
        async move {
            gate.acquire().await.unwrap().forget();
            io::Result::Ok(vec![address].into_iter())
        }
    });
    (resolver, gate, asked)
}

/// DNS-07
#[tokio::test(start_paused = true)]
async fn lookups_of_one_name_at_once_are_one() {
    let (resolver, gate, asked) = gated(serve("127.0.0.1:0").await);
    let transport = untimed().resolver(resolver).build().unwrap();
    let sent: Vec<_> = (0..20).map(|_| send(&transport, get(A))).collect();
    settle().await;
    assert_eq!(stats(&transport).dialing, 20);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    gate.add_permits(1);
    for sent in sent {
        answer_to(sent).await.unwrap();
    }
    // It is over, so the next one asks again.
    transport.close_idle();
    gate.add_permits(1);
    fetch(&transport, get(A)).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

/// DNS-07
#[tokio::test(start_paused = true)]
async fn all_who_share_a_lookup_that_fails_get_its_error() {
    let resolver = tower::service_fn(|_: Name| async {
        tokio::task::yield_now().await;
        io::Result::<std::vec::IntoIter<_>>::Err(io::ErrorKind::NotFound.into())
    });
    let transport = untimed().resolver(resolver).build().unwrap();
    let sent: Vec<_> = (0..5).map(|_| send(&transport, get(A))).collect();
    for sent in sent {
        assert_eq!(failure_of(sent).await.kind(), ErrorKind::DnsNotFound);
    }
}

/// CAN-03, DNS-07
#[tokio::test(start_paused = true)]
async fn a_request_dropped_during_the_lookup_leaves_a_connection_to_the_next_one() {
    let (resolver, gate, asked) = gated(serve("127.0.0.1:0").await);
    let transport = untimed().resolver(resolver).build().unwrap();
    let dropped = Polled::waiting(&transport, get(A));
    settle().await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    drop(dropped);
    gate.add_permits(1);
    until(|| stats(&transport).idle == 1).await;
    assert_eq!(
        (stats(&transport).active, stats(&transport).dialing),
        (0, 0)
    );
    fetch(&transport, get(A)).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

/// DNS-07
#[tokio::test(start_paused = true)]
async fn a_lookup_ends_with_the_last_who_waits_for_it() {
    let alive = Arc::new(());
    let held = Arc::downgrade(&alive);
    let resolver = tower::service_fn(move |_: Name| {
        let alive = held.upgrade();
        async move {
            let _alive = alive;
            std::future::pending::<io::Result<std::vec::IntoIter<_>>>().await
        }
    });
    let transport = untimed().resolver(resolver).build().unwrap();
    let waiting = Polled::waiting(&transport, get(A));
    settle().await;
    assert_eq!(Arc::strong_count(&alive), 2);
    drop((waiting, transport));
    settle().await;
    assert_eq!(Arc::strong_count(&alive), 1);
}

/// PAN-01
#[tokio::test(start_paused = true)]
async fn a_resolver_that_panics_fails_its_own_requests_alone() {
    let address = serve("127.0.0.1:0").await;
    let resolver = tower::service_fn(move |name: Name| async move {
        assert_ne!(name.as_str(), "bad.test", "on purpose");
        io::Result::Ok(vec![address].into_iter())
    });
    let transport = untimed().resolver(resolver).build().unwrap();
    let bad = send(&transport, get("http://bad.test/"));
    let error = failure_of(bad).await;
    assert_eq!(error.kind(), ErrorKind::Dns);
    assert!(
        error.to_string().contains("the resolver panicked"),
        "{error}"
    );
    fetch(&transport, get(A)).await.unwrap();
}

/// RTR-10
#[tokio::test(start_paused = true)]
async fn a_name_that_hangs_holds_up_no_other() {
    let address = serve("127.0.0.1:0").await;
    let resolver = tower::service_fn(move |name: Name| async move {
        if name.as_str() == "slow.test" {
            std::future::pending::<()>().await;
        }
        io::Result::Ok(vec![address].into_iter())
    });
    let transport = untimed().resolver(resolver).build().unwrap();
    let slow = send(&transport, get("http://slow.test/"));
    settle().await;
    fetch(&transport, get(A)).await.unwrap();
    assert!(!slow.is_finished());
}

#[tokio::test(start_paused = true)]
async fn the_lookup_has_a_time_of_its_own_and_a_literal_has_none() {
    let address = serve("127.0.0.1:0").await;
    let resolver = tower::service_fn(move |_: Name| async move {
        tokio::time::sleep(LIMIT).await;
        io::Result::Ok(vec![address].into_iter())
    });
    let transport = untimed().resolver(resolver).build().unwrap();
    let response = head_of(&transport, get(A)).await.unwrap();
    let info = response.body().connection_info().unwrap();
    assert_eq!(info.dns_time, Some(LIMIT));
    assert_eq!(info.connect_time, Duration::ZERO);
    assert_eq!(info.peer, Some(address));
    let response = head_of(&transport, get(&format!("http://{address}/"))).await;
    assert_eq!(
        response.unwrap().body().connection_info().unwrap().dns_time,
        None
    );
}

/// The system's resolver, as far as it goes without a network.
#[tokio::test]
async fn the_systems_resolver_knows_this_machine() {
    let address = serve("127.0.0.1:0").await;
    let transport = untimed().build().unwrap();
    let url = format!("http://localhost:{}/", address.port());
    let response = head_of(&transport, get(&url)).await.unwrap();
    assert!(
        response
            .body()
            .connection_info()
            .unwrap()
            .dns_time
            .is_some()
    );
}

/// DNS-07: many who ask at once on several threads, half of whom go away.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lookups_that_many_threads_share_all_end() {
    let address = serve("127.0.0.1:0").await;
    let resolver = tower::service_fn(move |name: Name| async move {
        for _ in 0..name.as_str().len() {
            tokio::task::yield_now().await;
        }
        io::Result::Ok(vec![address].into_iter())
    });
    let transport = untimed().resolver(resolver).max_connections_per_host(4);
    let transport = transport.max_idle_per_host(0).build().unwrap();
    let mut asking = tokio::task::JoinSet::new();
    for n in 0..100 {
        // Pools of their own, with one resolver.
        let transport = transport.with_tls(TlsConfig::default());
        let url = format!("http://{}.test/", "a".repeat(1 + n % 7));
        asking.spawn(async move {
            let mut request = std::pin::pin!(fetch(&transport, get(&url)));
            for _ in 0..n % 5 {
                tokio::select! {
                    biased;
                    answer = &mut request => return drop(answer.unwrap()),
                    () = tokio::task::yield_now() => {}
                }
            }
            if n % 2 == 0 {
                request.await.unwrap();
            }
        });
    }
    while let Some(ended) = asking.join_next().await {
        ended.unwrap();
    }
    fetch(&transport, get(A)).await.unwrap();
}
