//! The pool of the whole process. The tests take turns, since they share it.

mod support;

use standpipe::{ErrorKind, Pool, PoolConfig, SharedState};
use standpipe_test::Server;
use standpipe_test::memory::Network;
use support::{URL, echo_on, on, peer, secs, settle};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, MutexGuard};

/// Alone with the process, and without a shared pool.
async fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    let turn = TURN.lock().await;
    let _ = standpipe::shutdown_shared(secs(0)).await;
    turn
}

fn state() -> SharedState {
    standpipe::shared_stats().pool
}

#[tokio::test]
async fn the_first_use_makes_the_preset_and_all_later_ones_get_the_same() {
    let _alone = alone().await;
    let made = standpipe::shared();
    assert_eq!(*made.config(), PoolConfig::shared());
    assert!(state().initialized && !state().closed);
    let _ = made.shutdown(secs(0)).await;
    assert!(state().initialized && state().closed);
    // Closed by whoever had it, it is replaced too.
    assert!(!standpipe::shared().is_closed());
    assert!(state().initialized && !state().closed);
}

#[tokio::test]
async fn it_is_set_up_before_its_first_use_and_not_after() {
    let _alone = alone().await;
    let network = Network::new();
    let _server = echo_on(&network, "a.test:80");
    standpipe::init_shared(on(&network).max_retries(1)).unwrap();
    let answer = standpipe::shared().get(URL).send().await.unwrap();
    assert!(answer.status().is_success());

    let late = standpipe::init_shared(Pool::builder().max_retries(2)).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Config);
    assert!(late.to_string().contains("in use already"), "{late}");
    assert_eq!(standpipe::shared().config().max_retries, 1);

    let _ = standpipe::shutdown_shared(secs(0)).await;
    let refused = standpipe::init_shared(Pool::builder().max_hosts(0)).unwrap_err();
    assert!(refused.to_string().contains("max_hosts"), "{refused}");
    // The refusal has left nothing behind.
    standpipe::init_shared(Pool::builder().max_retries(2)).unwrap();
    assert_eq!(standpipe::shared().config().max_retries, 2);
}

/// DRN-03
#[tokio::test(start_paused = true)]
async fn its_shutdown_waits_for_what_is_under_way_while_the_next_one_is_used() {
    let _alone = alone().await;
    let network = Network::new();
    let listener = network.listen("a.test:80");
    standpipe::init_shared(on(&network)).unwrap();
    let under_way = support::spawn_get(&standpipe::shared(), URL);
    let mut server = peer(&listener).await;
    server.read_head().await.unwrap();

    let closed = standpipe::shared();
    let shutdown = tokio::spawn(standpipe::shutdown_shared(secs(10)));
    settle().await;
    assert!(closed.is_closed() && state().closed);
    let refused = closed.get(URL).send().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Shutdown);
    assert!(!standpipe::shared().is_closed());
    assert!(!shutdown.is_finished());

    server.respond("200 OK", "in time").await.unwrap();
    assert_eq!(under_way.await.unwrap().unwrap(), "in time");
    let report = shutdown.await.unwrap().pool.unwrap();
    assert_eq!((report.finished, report.cut), (1, 0));
    // A second one finds the pool that came after, and a third that none was made since.
    assert!(standpipe::shutdown_shared(secs(0)).await.pool.is_some());
    assert_eq!(standpipe::shutdown_shared(secs(0)).await.pool, None);
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// IDLE-13
#[test]
fn it_goes_on_in_the_next_runtime_when_the_one_it_was_made_in_has_ended() {
    let (serving, first, second) = (runtime(), runtime(), runtime());
    let _alone = serving.block_on(alone());
    let network = Network::new();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let listener = network.listen("a.test:80");
    let servers = std::thread::spawn(move || {
        serving.block_on(async move {
            let _server = Server::builder().handler(support::echo).start_on(listener);
            let _ = stopped.await;
        });
    });
    let get = || async {
        let request = standpipe::shared().get(URL).timeout(secs(30));
        request.send().await.unwrap().text().await.unwrap()
    };
    first.block_on(async {
        standpipe::init_shared(on(&network)).unwrap();
        assert!(get().await.starts_with("GET /"));
    });
    drop(first);
    second.block_on(async {
        assert!(get().await.starts_with("GET /"));
        let _ = standpipe::shutdown_shared(secs(0)).await;
    });
    drop(stop);
    servers.join().unwrap();
}

/// DRN-04
#[cfg(feature = "blocking")]
#[test]
fn the_blocking_one_is_a_pool_of_its_own_and_both_are_shut_down_together() {
    let runtime = runtime();
    let _alone = runtime.block_on(alone());
    assert!(
        !standpipe::shared_stats().blocking.initialized
            || standpipe::shared_stats().blocking.closed
    );
    let made = standpipe::shared_blocking().unwrap();
    assert_eq!(*made.get_ref().config(), PoolConfig::shared());
    assert!(!state().initialized || state().closed);
    let late = standpipe::init_shared_blocking(Pool::builder()).unwrap_err();
    assert!(late.to_string().contains("shared blocking pool"), "{late}");

    let other = standpipe::shared();
    let report = runtime.block_on(standpipe::shutdown_shared(secs(5)));
    assert!(report.pool.unwrap().complete && report.blocking.unwrap().complete);
    assert!(made.is_closed() && other.is_closed());
    let stats = standpipe::shared_stats();
    assert!(stats.blocking.closed && stats.pool.closed);

    let network = Network::new();
    standpipe::init_shared_blocking(on(&network).max_retries(0)).unwrap();
    let next = standpipe::shared_blocking().unwrap();
    let refused = next.get("http://nobody.test/").send().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Connect);
    assert!(!standpipe::shared_stats().blocking.closed);
    assert!(state().closed);
}
