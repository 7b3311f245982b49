//! What an HTTP/2 connection may carry holds for a burst too.

mod support;

use standpipe_test::memory::Network;

use crate::support::{A, answer_to, echoing, get, over_http2, send};

/// IDLE-09
#[tokio::test(start_paused = true)]
async fn requests_at_once_do_not_exceed_what_an_http2_connection_may_carry() {
    let network = Network::new();
    let server = echoing().http2().start_on(network.listen("a.test:80"));
    let transport = over_http2(&network).max_requests_per_connection(Some(10));
    let transport = transport.build().unwrap();
    let sent: Vec<_> = (0..35).map(|_| send(&transport, get(A))).collect();
    for sent in sent {
        answer_to(sent).await.unwrap();
    }
    let carried = server.stats().requests_per_connection;
    assert!(carried.iter().all(|&n| n <= 10), "{carried:?}");
    assert_eq!(carried.iter().sum::<usize>(), 35);
}
