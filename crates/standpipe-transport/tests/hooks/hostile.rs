//! Hooks that panic, and hooks that use the transport.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use standpipe_core::sync::Mutex;
use standpipe_core::{ConnectionFacts, Error, Origin};
use standpipe_test::memory::Network;
use standpipe_transport::{Closed, PoolEvents, Transport};

use super::support::{
    A, accept, answer_to, echoing, failure_of, fetch, get, head_of, over, over_http2, path, secs,
    send, settle, stats,
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
    for http2 in [false, true] {
        let network = Network::new();
        let (server, transport) = if http2 {
            (echoing().http2(), over_http2(&network))
        } else {
            (echoing(), over(&network))
        };
        network.fail_next_dials(1, std::io::ErrorKind::ConnectionRefused);
        let _server = server.start_on(network.listen("a.test:80"));
        let transport = transport.events(Panics).build().unwrap();
        failure_of(send(&transport, get(A))).await;
        for _ in 0..3 {
            assert_eq!(fetch(&transport, get(A)).await.unwrap(), "/");
        }
        // Dropped in the middle, and while the test unwinds nothing.
        send(&transport, get(A)).abort();
        settle().await;
        transport.close_idle();
        settle().await;
        assert_eq!(fetch(&transport, get(A)).await.unwrap(), "/");
        assert!(transport.shutdown(secs(1)).await.complete);
        let stats = stats(&transport);
        assert_eq!((stats.active, stats.waiting), (0, 0));
        assert_eq!(stats.created, stats.closed.total());
    }
}

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
            let (server, transport) = if http2 {
                (echoing().http2(), over_http2(&network))
            } else {
                (echoing(), over(&network))
            };
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
    }
}

/// PAN-01, CAN-19: while a task unwinds, its request is dropped and a hook panics: the process goes on.
#[tokio::test(start_paused = true)]
async fn a_hook_that_panics_while_another_panic_unwinds_does_not_abort() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let transport = over(&network).events(Panics).build().unwrap();
    let other = transport.clone();
    let unwinding = tokio::spawn(async move {
        let response = head_of(&other, get(A)).await.unwrap();
        let _held = response;
        panic!("with a response in hand");
    });
    let mut peer = accept(&listener).await;
    path(&mut peer).await;
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc";
    peer.write(head).await.unwrap();
    assert!(unwinding.await.unwrap_err().is_panic());
    settle().await;
    assert_eq!(network.open_connections(), 0);
    assert_eq!(stats(&transport).active, 0);
}
