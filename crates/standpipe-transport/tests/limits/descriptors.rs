//! A process that runs out of file descriptors.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http::Uri;
use standpipe_test::memory::{MemoryConnector, Network};
use standpipe_transport::{CloseReason, Transport};
use tower::Service;

use crate::support::{
    A, B, accept, answer_to, echoing, failure_of, fetch, get, over, pass, path, secs, send, settle,
    stats,
};

/// `EMFILE` on all systems that have it.
const EMFILE: i32 = 24;

type Connecting<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// A connector for which no more than so many sockets may be open.
#[derive(Clone)]
struct Bounded {
    inner: MemoryConnector,
    network: Network,
    sockets: usize,
    refused: Arc<AtomicUsize>,
}

impl Service<Uri> for Bounded {
    type Response = <MemoryConnector as Service<Uri>>::Response;
    type Error = io::Error;
    type Future = Connecting<Self::Response, io::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        if self.network.open_connections() >= self.sockets {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Box::pin(async { Err(io::Error::from_raw_os_error(EMFILE)) });
        }
        let connecting = self.inner.call(uri);
        Box::pin(async { connecting.await.map_err(io::Error::other) })
    }
}

fn bounded(network: &Network, sockets: usize) -> (Transport, Arc<AtomicUsize>) {
    let refused = Arc::<AtomicUsize>::default();
    let connector = Bounded {
        inner: network.connector(),
        network: network.clone(),
        sockets,
        refused: Arc::clone(&refused),
    };
    let builder = over(network).connector(connector);
    (builder.build().unwrap(), refused)
}

/// RES-01
#[tokio::test(start_paused = true)]
async fn idle_connections_of_all_origins_make_room_for_a_dial_that_found_no_descriptor() {
    let network = Network::new();
    let _a = echoing().start_on(network.listen("a.test:80"));
    let _b = echoing().start_on(network.listen("b.test:80"));
    let (transport, refused) = bounded(&network, 1);
    fetch(&transport, get(A)).await.unwrap();
    fetch(&transport, get(B)).await.unwrap();
    assert_eq!(refused.load(Ordering::Relaxed), 1);
    assert_eq!(stats(&transport).closed.of(CloseReason::Descriptors), 1);
    fetch(&transport, get(B)).await.unwrap();
    assert_eq!(refused.load(Ordering::Relaxed), 1);
}

/// RES-01
#[tokio::test(start_paused = true)]
async fn where_nothing_idles_the_dial_fails_without_a_loop_and_later_ones_work() {
    let network = Network::new();
    let a = network.listen("a.test:80");
    let _b = echoing().start_on(network.listen("b.test:80"));
    let (transport, refused) = bounded(&network, 1);
    let held = send(&transport, get(A));
    let mut peer = accept(&a).await;
    path(&mut peer).await;
    let error = failure_of(send(&transport, get(B))).await;
    assert!(error.kind().is_local() || error.is_connect(), "{error:?}");
    pass(secs(30)).await;
    assert_eq!(refused.load(Ordering::Relaxed), 1);
    peer.respond("200 OK", "").await.unwrap();
    answer_to(held).await.unwrap();
    settle().await;
    fetch(&transport, get(B)).await.unwrap();
}

/// RES-03
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_more_sockets_are_open_than_are_allowed_in_all() {
    let network = Network::new();
    let urls: Vec<String> = (0..6).map(|n| format!("http://h{n}.test/")).collect();
    let _servers: Vec<_> = (0..6)
        .map(|n| echoing().start_on(network.listen(&format!("h{n}.test:80"))))
        .collect();
    let transport = over(&network).max_connections(Some(5)).build().unwrap();
    let all: Vec<_> = (0..600)
        .map(|n| {
            let sent = send(&transport, get(&urls[n % urls.len()]));
            if n % 7 == 0 {
                sent.abort();
            }
            sent
        })
        .collect();
    for sent in all {
        match sent.await {
            Ok(answer) => drop(crate::support::read(answer.unwrap()).await.unwrap()),
            Err(error) => assert!(error.is_cancelled()),
        }
    }
    assert!(
        network.peak_connections() <= 5,
        "{}",
        network.peak_connections()
    );
}
