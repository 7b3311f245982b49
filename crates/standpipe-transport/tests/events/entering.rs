//! Hooks that use the transport.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use standpipe_core::sync::Mutex;
use standpipe_core::{ConnectionFacts, Error, Origin};
use standpipe_test::memory::Network;
use standpipe_transport::{Closed, PoolEvents, Transport};
use tokio::task::JoinHandle;

use crate::recorder::assert_balanced;
use crate::support::{
    A, accept, answer_to, echoing, echoing_by, failure_of, fetch, get, over, path, secs, send,
    settle, stats,
};

/// What a hook does with the transport.
type Deed = fn(&Transport);

/// A hook that uses the transport, whatever it is told.
#[derive(Clone)]
struct Uses(Arc<(OnceLock<Transport>, Deed)>);

impl Uses {
    fn new(deed: Deed) -> Self {
        Self(Arc::new((OnceLock::new(), deed)))
    }

    fn act(&self) {
        if let Some(transport) = self.0.0.get() {
            (self.0.1)(transport);
        }
    }
}

impl PoolEvents for Uses {
    fn created(&self, _: &Origin, _: &ConnectionFacts) {
        self.act();
    }

    fn reused(&self, _: &Origin, _: &ConnectionFacts, _: u64) {
        self.act();
    }

    fn returned(&self, _: &Origin, _: &ConnectionFacts) {
        self.act();
    }

    fn closed(&self, _: &Origin, _: &Closed<'_>) {
        self.act();
    }

    fn dial_failed(&self, _: &Origin, _: &Error) {
        self.act();
    }

    fn waited(&self, _: &Origin, _: Duration) {
        self.act();
    }
}

/// PAN-02
#[tokio::test(start_paused = true)]
async fn a_hook_may_use_the_transport_in_any_way() {
    let deeds: [(&str, Deed); 5] = [
        ("stats", |transport| drop(transport.stats())),
        ("close_idle", Transport::close_idle),
        ("evict", |transport| {
            transport.evict(&Origin::parse(A).unwrap());
        }),
        ("warm", |transport| {
            let warm = transport.warm(&Origin::parse(A).unwrap(), 1);
            drop(tokio::spawn(warm));
        }),
        ("a request", |transport| {
            // One that is dropped at once, in the queue or with a connection.
            use tower::Service;
            drop(transport.clone().call(get(A)));
        }),
    ];
    for (name, deed) in deeds {
        for http2 in [false, true] {
            let network = Network::new();
            let (server, transport) = echoing_by(http2, &network);
            let _server = server.start_on(network.listen("a.test:80"));
            let uses = Uses::new(deed);
            let transport = transport
                .events(uses.clone())
                .max_connections(Some(2))
                .max_connections_per_host(2)
                .max_idle_per_host(2)
                .build()
                .unwrap();
            // A request that re-enters from `reused` would end in itself.
            if name != "a request" {
                uses.0.0.set(transport.clone()).unwrap();
            }
            for _ in 0..3 {
                let sent = [(); 4].map(|()| send(&transport, get(A)));
                for sent in sent {
                    let answered = tokio::time::timeout(secs(60), answer_to(sent)).await;
                    answered.expect(name).expect(name);
                }
            }
            let _ = uses.0.0.set(transport.clone());
            if name != "a request" {
                transport.close_idle();
            }
            let shutdown = tokio::time::timeout(secs(60), transport.shutdown(secs(5)));
            shutdown.await.expect(name);
            assert_eq!(stats(&transport).active, 0, "{name}");
        }
    }
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

/// Drops the handle that it holds when a connection comes back or closes.
#[derive(Clone, Default)]
struct Drops(Arc<Mutex<Option<Transport>>>);

impl Drops {
    fn act(&self) {
        let last = self.0.lock().take();
        drop(last);
    }
}

impl PoolEvents for Drops {
    fn returned(&self, _: &Origin, _: &ConnectionFacts) {
        self.act();
    }

    fn closed(&self, _: &Origin, _: &Closed<'_>) {
        self.act();
    }
}

/// PAN-02
#[tokio::test(start_paused = true)]
async fn a_hook_may_drop_the_last_handle() {
    for closes in [false, true] {
        let network = Network::new();
        let listener = network.listen("a.test:80");
        let drops = Drops::default();
        let transport = over(&network).events(drops.clone()).build().unwrap();
        let sent = send(&transport, get(A));
        let mut peer = accept(&listener).await;
        path(&mut peer).await;
        *drops.0.lock() = Some(transport);
        if closes {
            peer.close().await.unwrap();
            failure_of(sent).await;
        } else {
            peer.respond("200 OK", "ok").await.unwrap();
            answer_to(sent).await.unwrap();
        }
        settle().await;
        assert!(drops.0.lock().is_none());
        assert_eq!(network.open_connections(), 0);
        let tasks = tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks();
        assert_eq!(tasks, 0);
    }
}
