//! A pool that is used from several runtimes.

use standpipe_core::ErrorKind;
use standpipe_test::memory::Network;
use tokio::runtime::{Builder, Runtime};

use crate::support::{A, Polled, echoing, fetch, get, over, secs, send, stats, until};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A thread that serves until the test ends.
fn serving(
    network: &Network,
) -> (
    tokio::sync::oneshot::Sender<()>,
    std::thread::JoinHandle<()>,
) {
    let listener = network.listen("a.test:80");
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let thread = std::thread::spawn(move || {
        runtime().block_on(async move {
            let _server = echoing().start_on(listener);
            let _ = stopped.await;
        });
    });
    (stop, thread)
}

/// IDLE-13: the head's runtime stands still, and the permit that it was woken for serves another's.
#[test]
fn a_head_whose_runtime_stands_still_does_not_keep_another_runtime_from_dialling() {
    let network = Network::new();
    let (stop, servers) = serving(&network);
    let transport = over(&network)
        .max_connections_per_host(1)
        .max_idle_per_host(1)
        .build()
        .unwrap();
    let (still, running) = (runtime(), runtime());
    let hold = network.hold_dials();
    // The dial belongs to the runtime that ends; its waiters to two others.
    let ending = runtime();
    ending.block_on(async {
        drop(send(&transport, get(A)));
        hold.arrived(1).await;
    });
    let head = still.block_on(async { Polled::waiting(&transport, get(A)) });
    let answer = {
        let _entered = running.enter();
        send(&transport, get(A))
    };
    running.block_on(until(|| stats(&transport).waiting == 3));
    drop(ending);
    drop(hold);
    let answered = running.block_on(async {
        tokio::time::timeout(secs(30), async {
            // The head is granted what was dialled and does not collect it: it goes on when the head
            // leaves.
            until(|| stats(&transport).dialing + stats(&transport).active > 0).await;
            drop(head);
            crate::support::answer_to(answer).await
        })
        .await
    });
    match answered.expect("no hang") {
        Ok(text) => assert_eq!(text, "/"),
        // The end of a dial's runtime may be told to those who waited for it.
        Err(error) => assert_eq!(error.kind(), ErrorKind::Runtime, "{error:?}"),
    }
    let next = running.block_on(async { fetch(&transport, get(A)).await });
    assert_eq!(next.unwrap(), "/");
    drop(stop);
    servers.join().unwrap();
}

/// IDLE-13: outside any runtime there is an error that says so, and no panic.
#[test]
fn without_a_runtime_a_dial_fails_with_an_error_that_says_so() {
    let network = Network::new();
    let (stop, servers) = serving(&network);
    let transport = over(&network).build().unwrap();
    let mut request = Polled::new(&transport, get(A));
    let error = request.poll().unwrap().map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Runtime);
    let next = runtime().block_on(async { fetch(&transport, get(A)).await });
    assert_eq!(next.unwrap(), "/");
    drop(stop);
    servers.join().unwrap();
}

/// DRN-03: the connections' runtime does not run, and the shutdown ends all the same.
#[test]
fn a_shutdown_from_another_runtime_does_not_wait_for_one_that_stands_still() {
    let network = Network::new();
    let (stop, servers) = serving(&network);
    let transport = over(&network).build().unwrap();
    let still = runtime();
    still
        .block_on(async { fetch(&transport, get(A)).await })
        .unwrap();
    let mut builder = Builder::new_current_thread();
    let other = builder.enable_all().start_paused(true).build().unwrap();
    let report = other.block_on(transport.shutdown(secs(5)));
    assert!(!report.complete, "its driver has had no turn");
    drop(still);
    assert_eq!(network.open_connections(), 0);
    assert!(other.block_on(transport.shutdown(secs(5))).complete);
    drop(stop);
    servers.join().unwrap();
}
