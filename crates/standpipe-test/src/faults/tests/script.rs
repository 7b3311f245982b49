//! How a script is written.

use super::*;
use crate::Ca;
use crate::faults::{At, ConnectionFault, End, Fault};

async fn statuses(test: &mut Test, n: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..n {
        statuses.push(test.get().await.unwrap().status().as_u16());
    }
    statuses
}

#[tokio::test(start_paused = true)]
async fn of_the_lines_that_fit_the_first_counts() {
    let script = hello()
        .request(1, Reply::new(501))
        .requests(..3, Reply::new(502))
        .request_on(0, 4, Reply::new(503))
        .requests_on(1, 1.., Reply::new(504));
    let mut test = Test::new(Protocol::Http1, script).await;
    assert_eq!(statuses(&mut test, 6).await, [502, 501, 502, 200, 503, 200]);
    test.client = Client::dial(Protocol::Http1, &test.network).await;
    assert_eq!(statuses(&mut test, 3).await, [200, 504, 504]);
    let stats = test.server.stats();
    assert_eq!(stats.requests_per_connection, [6, 3]);
}

#[tokio::test]
#[should_panic(expected = "a fault of TLS")]
async fn a_fault_of_tls_needs_tls() {
    let network = Network::new();
    let script = hello().connection(0, ConnectionFault::PlainHttp);
    script.start_on(network.listen(ADDRESS));
}

#[tokio::test]
#[should_panic(expected = "a fault of HTTP/2")]
async fn a_fault_of_http2_needs_http2() {
    let network = Network::new();
    let script = hello().request(0, Fault::refused_stream());
    script.start_on(network.listen(ADDRESS));
}

#[tokio::test]
#[should_panic(expected = "a socket refuses all dials")]
async fn a_socket_cannot_refuse_a_single_dial() {
    let script = hello().connection(1, ConnectionFault::Refuse);
    script.start().await;
}

#[test]
#[should_panic(expected = "a code from 100 to 199")]
fn an_informational_answer_is_no_200() {
    let fault = Fault::Informational {
        status: 200,
        times: 1,
    };
    let _ = hello().request(0, fault);
}

#[test]
#[should_panic(expected = "within a head")]
fn a_stream_is_not_reset_within_a_head() {
    let fault = Fault::ResetStream {
        code: 0,
        at: At::Head(1),
    };
    let _ = hello().request(0, fault);
}

/// Where TLS left the choice to the client, the script's mistake shows only then.
#[tokio::test(start_paused = true)]
async fn a_fault_of_http2_on_a_connection_of_http1_closes_it() {
    let ca = Ca::new();
    let alpn: &[&[u8]] = &[b"http/1.1"];
    let network = Network::new();
    let server = hello()
        .tls(ca.server_config(&["api.example.com"], alpn))
        .request(0, Fault::refused_stream())
        .connection(1, ConnectionFault::StreamLimit(1))
        .start_on(network.listen(ADDRESS));
    for _ in 0..2 {
        let io = network.dial(ADDRESS).await.unwrap();
        let io = clients::tls(ca.client_config(alpn), "api.example.com", io);
        let mut client: Http1 = clients::http1(io.await.unwrap()).await;
        client.send_request(get()).await.unwrap_err();
        server.until(|stats| stats.open == 0).await;
    }
}

/// Tasks of connections and of streams.
#[tokio::test(start_paused = true)]
async fn shutdown_and_drop_leave_no_task() {
    let ends = [
        ConnectionFault::AtOnce(End::Stall),
        ConnectionFault::FallSilent { after: 0 },
    ];
    for protocol in BOTH {
        for by_drop in [false, true] {
            for fault in ends.clone() {
                let script = hello()
                    .connection(1, fault)
                    .requests(.., Fault::Stall(At::BeforeHead));
                let Test {
                    network,
                    server,
                    mut client,
                } = Test::new(protocol, script).await;
                let _silent = Client::dial(protocol, &network).await;
                let stalled = tokio::spawn(async move { client.send(get()).await });
                server
                    .until(|stats| stats.requests == 1 && stats.connections == 2)
                    .await;
                match by_drop {
                    true => drop(server),
                    false => server.shutdown().await,
                }
                stalled.await.unwrap().unwrap_err();
                network.dial(ADDRESS).await.unwrap_err();
            }
        }
    }
}
