//! Hooks that panic, and hooks that use the transport.

use std::sync::Arc;
use std::time::Duration;

use standpipe_core::sync::Mutex;
use standpipe_core::{ConnectionFacts, Error, Origin};
use standpipe_test::memory::Network;
use standpipe_transport::{Closed, PoolEvents, Transport};
use tokio::task::JoinHandle;

use crate::assert_balanced;
use crate::support::{
    A, accept, answer_to, echo, echoing, failure_of, fetch, get, over, path, secs, send, settle,
    stats,
};

struct Panics;

impl PoolEvents for Panics {
    fn created(&self, _: &Origin, _: &ConnectionFacts) {
        panic!("created");
    }

    fn reused(&self, _: &Origin, _: &ConnectionFacts, _: u64) {
        panic!("reused");
    }

    fn returned(&self, _: &Origin, _: &ConnectionFacts) {
        panic!("returned");
    }

    fn closed(&self, _: &Origin, _: &Closed<'_>) {
        panic!("closed");
    }

    fn dial_failed(&self, _: &Origin, _: &Error) {
        panic!("dial failed");
    }

    fn waited(&self, _: &Origin, _: Duration) {
        panic!("waited");
    }

    fn queue_full(&self, _: &Origin) {
        panic!("queue full");
    }
}

/// PAN-01
#[tokio::test(start_paused = true)]
async fn a_hook_that_panics_harms_nobody() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network)
        .max_connections_per_host(1)
        .max_idle_per_host(1)
        .max_waiting_per_host(Some(1))
        .events(Panics)
        .build()
        .unwrap();
    network.fail_next_dials(1, std::io::ErrorKind::ConnectionRefused);
    failure_of(send(&transport, get(A))).await;
    for _ in 0..2 {
        let first = send(&transport, get(A));
        let mut peer = accept(&listener).await;
        path(&mut peer).await;
        let second = send(&transport, get(A));
        failure_of(send(&transport, get(A))).await;
        peer.respond("200 OK", "first").await.unwrap();
        assert_eq!(answer_to(first).await.unwrap(), "first");
        echo(&mut peer).await;
        assert_eq!(answer_to(second).await.unwrap(), "/");
        transport.close_idle();
        peer.closed().await;
        settle().await;
        assert_balanced(&transport);
    }
    let now = stats(&transport);
    assert_eq!((now.created, now.closed.total(), now.queue_full), (2, 2, 2));
    assert!(transport.shutdown(secs(1)).await.complete);
}

type Fetched = JoinHandle<Result<bytes::Bytes, Error>>;

/// A hook that uses the transport whenever it is told something.
#[derive(Clone, Default)]
struct Enters {
    transport: Arc<Mutex<Option<Transport>>>,
    sent: Arc<Mutex<Vec<Fetched>>>,
}

impl Enters {
    fn enter(&self) {
        let Some(transport) = self.transport.lock().clone() else {
            return;
        };
        assert!(transport.stats().total.created < 1000);
        let mut sent = self.sent.lock();
        if sent.len() < 20 {
            let sending = async move { fetch(&transport, get(A)).await };
            // Begun at once, on the stack of the event.
            let mut sending = Box::pin(sending);
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            drop(sent);
            let polled = sending.as_mut().poll(&mut cx);
            assert!(polled.is_pending());
            sent = self.sent.lock();
            sent.push(tokio::spawn(sending));
        }
    }
}

impl PoolEvents for Enters {
    fn created(&self, _: &Origin, _: &ConnectionFacts) {
        self.enter();
    }

    fn reused(&self, _: &Origin, _: &ConnectionFacts, _: u64) {
        self.enter();
    }

    fn returned(&self, _: &Origin, _: &ConnectionFacts) {
        self.enter();
    }

    fn closed(&self, _: &Origin, _: &Closed<'_>) {
        self.enter();
    }

    fn dial_failed(&self, _: &Origin, _: &Error) {
        self.enter();
    }

    fn waited(&self, _: &Origin, _: Duration) {
        self.enter();
    }
}

/// PAN-02
#[tokio::test(start_paused = true)]
async fn a_hook_may_send_requests_and_read_the_statistics() {
    let network = Network::new();
    let _server = echoing()
        .close_after(2)
        .start_on(network.listen("a.test:80"));
    let hook = Enters::default();
    let transport = over(&network)
        .max_connections_per_host(2)
        .max_idle_per_host(2)
        .events(hook.clone())
        .build()
        .unwrap();
    *hook.transport.lock() = Some(transport.clone());
    for _ in 0..4 {
        fetch(&transport, get(A)).await.unwrap();
    }
    settle().await;
    let sent = std::mem::take(&mut *hook.sent.lock());
    assert!(sent.len() > 10, "{}", sent.len());
    *hook.transport.lock() = None;
    for sent in sent {
        sent.await.unwrap().unwrap();
    }
    settle().await;
    assert_balanced(&transport);
    let now = stats(&transport);
    assert_eq!((now.active, now.waiting, now.dialing), (0, 0, 0));
    assert_eq!(network.peak_connections(), 2);
}

/// Drops the last handle of the transport when it is told something.
struct Drops(Arc<Mutex<Option<Transport>>>);

impl PoolEvents for Drops {
    fn returned(&self, _: &Origin, _: &ConnectionFacts) {
        let last = self.0.lock().take();
        drop(last);
    }
}

/// PAN-02
#[tokio::test(start_paused = true)]
async fn a_hook_may_drop_the_last_handle() {
    let network = Network::new();
    let server = echoing().start_on(network.listen("a.test:80"));
    let last = Arc::new(Mutex::new(None));
    let transport = over(&network).events(Drops(Arc::clone(&last)));
    let transport = transport.build().unwrap();
    let sent = send(&transport, get(A));
    *last.lock() = Some(transport);
    assert_eq!(answer_to(sent).await.unwrap(), "/");
    settle().await;
    assert!(last.lock().is_none());
    assert_eq!(network.open_connections(), 0);
    server.shutdown().await;
    settle().await;
    let tasks = tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks();
    assert_eq!(tasks, 0);
}
