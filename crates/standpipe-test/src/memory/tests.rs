use std::io::ErrorKind;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::Uri;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::ServiceExt;

use super::{MemoryStream, Network};
use crate::Peer;

/// Polls once, as a task does that nobody wakes.
fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

async fn pair(network: &Network) -> (MemoryStream, MemoryStream) {
    let listener = network.listen("example.com:80");
    let client = network.dial("example.com:80").await.unwrap();
    (client, listener.accept().await)
}

async fn dial_error(network: &Network, uri: &str) -> ErrorKind {
    let uri: Uri = uri.parse().unwrap();
    network.connector().oneshot(uri).await.unwrap_err().kind()
}

#[tokio::test]
async fn what_one_side_writes_the_other_reads_and_a_drop_is_the_end() {
    let (mut client, mut server) = pair(&Network::new()).await;
    client.write_all(b"ping").await.unwrap();
    let mut word = [0; 4];
    server.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"ping");

    server.write_all(b"pong").await.unwrap();
    drop(server);
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"pong");
    let error = client.write_all(b"more").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn a_stream_is_drained_when_the_peer_has_read_all_or_is_gone() {
    for by_reading in [true, false] {
        let (mut client, mut server) = pair(&Network::new()).await;
        server.drained().await;
        server.write_all(b"ab").await.unwrap();
        {
            let mut drained = pin!(server.drained());
            assert!(poll(drained.as_mut()).is_pending());
            client.read_u8().await.unwrap();
            assert!(poll(drained.as_mut()).is_pending());
        }
        let drained = tokio::spawn(async move { server.drained().await });
        tokio::task::yield_now().await;
        match by_reading {
            true => assert_eq!(client.read_u8().await.unwrap(), b'b'),
            false => drop(client),
        }
        drained.await.unwrap();
    }
}

#[tokio::test]
async fn a_drop_wakes_the_reader_and_the_writer_who_wait() {
    let network = Network::with_buffer_size(4);
    let (client, server) = pair(&network).await;
    let (mut reads, mut writes) = tokio::io::split(client);
    let wait = tokio::spawn(async move {
        let mut byte = [0; 1];
        tokio::join!(reads.read(&mut byte), writes.write_all(b"too much"))
    });
    tokio::task::yield_now().await;
    drop(server);
    let (read, written) = wait.await.unwrap();
    assert_eq!(read.unwrap(), 0);
    assert_eq!(written.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn a_shutdown_of_the_writing_half_leaves_the_other_direction_open() {
    let (mut client, mut server) = pair(&Network::new()).await;
    client.shutdown().await.unwrap();
    let mut byte = [0; 1];
    assert_eq!(server.read(&mut byte).await.unwrap(), 0);
    server.write_all(b"x").await.unwrap();
    assert_eq!(client.read(&mut byte).await.unwrap(), 1);
    let error = client.write_all(b"y").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn a_full_buffer_makes_the_writer_wait_for_the_reader() {
    let (mut client, mut server) = pair(&Network::with_buffer_size(3)).await;
    let sent: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    let mut received = Vec::new();
    {
        let mut write = pin!(client.write_all(&sent));
        assert!(poll(write.as_mut()).is_pending());
        let read = async {
            while received.len() < sent.len() {
                server.read_buf(&mut received).await.unwrap();
                assert!(received.len() <= sent.len());
            }
        };
        tokio::join!(async { write.await.unwrap() }, read);
    }
    assert_eq!(received, sent);
}

#[tokio::test]
async fn a_reset_fails_the_peers_reads_and_writes_and_loses_what_was_not_read() {
    let (mut client, mut server) = pair(&Network::new()).await;
    server.write_all(b"lost").await.unwrap();
    server.reset();
    let error = client.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let error = client.write_all(b"x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_reset_wakes_the_peer() {
    let (mut client, server) = pair(&Network::new()).await;
    let read = tokio::spawn(async move { client.read_u8().await });
    tokio::task::yield_now().await;
    server.reset();
    let error = read.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_dial_where_nobody_listens_is_refused() {
    let network = Network::new();
    let refused = ErrorKind::ConnectionRefused;
    assert_eq!(dial_error(&network, "http://example.com/").await, refused);
    let listener = network.listen("example.com:80");
    assert_eq!(dial_error(&network, "https://example.com/").await, refused);
    drop(listener);
    assert_eq!(dial_error(&network, "http://example.com/").await, refused);
    assert_eq!(network.dials(), 3);
    assert_eq!(network.peak_connections(), 0);
}

#[tokio::test]
async fn a_uri_leads_to_its_host_in_any_spelling_and_its_schemes_port() {
    let network = Network::new();
    for (address, uri) in [
        ("example.com:80", "http://EXAMPLE.com/path"),
        ("Example.com:443", "https://example.com"),
        ("example.com:8080", "http://example.com:8080/"),
        ("[::1]:9000", "http://[0:0:0:0:0:0:0:1]:9000/"),
        ("proxy:3128", "proxy:3128"),
    ] {
        let listener = network.listen(address);
        let uri: Uri = uri.parse().unwrap();
        let client = network.connector().oneshot(uri).await.unwrap();
        let server = listener.try_accept().expect("a connection");
        assert_eq!(server.address(), address.to_lowercase());
        assert_eq!(client.inner().number(), server.number());
    }
}

#[tokio::test]
async fn a_uri_that_leads_nowhere_is_invalid() {
    let network = Network::new();
    for uri in ["/path", "ftp://example.com/", "http://user@example.com/"] {
        assert_eq!(dial_error(&network, uri).await, ErrorKind::InvalidInput);
    }
    assert_eq!(network.dials(), 0);
}

#[test]
#[should_panic(expected = "example.com:80 is listened on already")]
fn two_listeners_on_one_address_panic() {
    let network = Network::new();
    let _first = network.listen("example.com:80");
    let _second = network.listen("EXAMPLE.com:80");
}

#[test]
#[should_panic(expected = "an address is a host and a port")]
fn an_address_without_a_port_panics() {
    let _ = Network::new().listen("example.com");
}

#[tokio::test]
async fn connections_are_accepted_in_the_order_of_their_dials_by_whoever_waits() {
    let network = Network::new();
    let listener = network.listen("example.com:80");
    let mut first = pin!(listener.accept());
    let mut second = pin!(listener.accept());
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_pending());
    let _a = network.dial("example.com:80").await.unwrap();
    let _b = network.dial("example.com:80").await.unwrap();
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.number(), second.number()), (1, 2));
    assert!(listener.try_accept().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_held_dial_waits_until_it_is_released_in_the_order_of_arrival() {
    let network = Network::new();
    let listener = network.listen("example.com:80");
    let hold = network.hold_dials();
    let mut first = tokio::spawn(dial(&network));
    hold.arrived(1).await;
    let mut second = tokio::spawn(dial(&network));
    hold.arrived(2).await;
    assert_eq!((network.dials(), hold.waiting()), (2, 2));

    let hour = Duration::from_secs(3600);
    tokio::time::timeout(hour, &mut first).await.unwrap_err();
    hold.release(1);
    assert_eq!(hold.waiting(), 1);
    first.await.unwrap();
    tokio::time::timeout(hour, &mut second).await.unwrap_err();
    assert!(listener.try_accept().is_some());
    assert!(listener.try_accept().is_none());
    drop(hold);
    second.await.unwrap();
    drop(dial(&network).await);
}

#[tokio::test]
async fn more_are_released_than_wait_and_the_next_to_come_go_through() {
    let network = Network::new();
    let _listener = network.listen("example.com:80");
    let hold = network.hold_dials();
    hold.release(1);
    let _first = dial(&network).await;
    let mut second = pin!(network.dial("example.com:80"));
    assert!(poll(second.as_mut()).is_pending());
}

#[tokio::test]
async fn of_two_holds_the_last_to_go_lets_the_dials_through() {
    let network = Network::new();
    let _listener = network.listen("example.com:80");
    let (one, two) = (network.hold_dials(), network.hold_dials());
    let mut held = pin!(network.dial("example.com:80"));
    assert!(poll(held.as_mut()).is_pending());
    drop(one);
    assert!(poll(held.as_mut()).is_pending());
    drop(two);
    assert!(poll(held.as_mut()).is_ready());
}

#[tokio::test]
async fn a_dial_dropped_while_it_is_held_reaches_nobody() {
    let network = Network::new();
    let listener = network.listen("example.com:80");
    let hold = network.hold_dials();
    {
        let mut dropped = pin!(network.dial("example.com:80"));
        assert!(poll(dropped.as_mut()).is_pending());
    }
    assert_eq!(hold.waiting(), 0);
    drop(hold);
    assert!(listener.try_accept().is_none());
    assert_eq!((network.dials(), network.peak_connections()), (1, 0));
}

#[tokio::test]
async fn a_dropped_listener_refuses_what_is_held_and_resets_what_was_not_accepted() {
    let network = Network::new();
    let listener = network.listen("example.com:80");
    let mut waiting = network.dial("example.com:80").await.unwrap();
    let hold = network.hold_dials();
    let mut held = pin!(network.dial("example.com:80"));
    let mut elsewhere = pin!(network.dial("other.com:80"));
    assert!(poll(held.as_mut()).is_pending());
    assert!(poll(elsewhere.as_mut()).is_pending());
    drop(listener);
    let error = held.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    let error = waiting.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(poll(elsewhere.as_mut()).is_pending());
    assert_eq!(hold.waiting(), 1);
}

#[tokio::test]
async fn the_next_dials_fail_as_asked_and_those_after_them_do_not() {
    let network = Network::new();
    let _listener = network.listen("example.com:80");
    network.fail_next_dials(1, ErrorKind::TimedOut);
    network.fail_next_dials(1, ErrorKind::HostUnreachable);
    for kind in [ErrorKind::TimedOut, ErrorKind::HostUnreachable] {
        assert_eq!(dial_error(&network, "http://example.com/").await, kind);
    }
    let _connected = dial(&network).await;
}

#[tokio::test]
async fn a_held_dial_fails_by_what_was_asked_before_it_was_released() {
    let network = Network::new();
    let _listener = network.listen("example.com:80");
    let hold = network.hold_dials();
    let mut held = pin!(network.dial("example.com:80"));
    assert!(poll(held.as_mut()).is_pending());
    network.fail_next_dials(1, ErrorKind::TimedOut);
    hold.release(1);
    assert_eq!(held.await.unwrap_err().kind(), ErrorKind::TimedOut);
}

#[tokio::test]
async fn a_connection_is_open_while_the_clients_side_lives() {
    let network = Network::new();
    let listener = network.listen("example.com:80");
    let (a, b) = (dial(&network).await, dial(&network).await);
    drop(listener.accept().await);
    assert_eq!(network.open_connections(), 2);
    let mut closed = pin!(network.all_closed());
    drop(a);
    assert!(poll(closed.as_mut()).is_pending());
    drop(b);
    closed.await;
    assert_eq!(
        (network.open_connections(), network.peak_connections()),
        (0, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn hyper_utils_client_takes_the_connector() {
    use http_body_util::{BodyExt, Empty};
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioExecutor;

    let network = Network::new();
    let listener = network.listen("example.com:80");
    let client =
        Client::builder(TokioExecutor::new()).build::<_, Empty<bytes::Bytes>>(network.connector());
    let server = async {
        let mut peer = Peer::new(listener.accept().await);
        let head = peer.read_head().await.unwrap();
        assert!(head.starts_with("GET /hello HTTP/1.1\r\nhost: example.com\r\n"));
        peer.respond("200 OK", "hello").await.unwrap();
        peer
    };
    let request = client.get(Uri::from_static("http://example.com/hello"));
    let (response, mut peer) = tokio::join!(request, server);
    let body = response.unwrap().into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "hello");
    drop(client);
    peer.closed().await;
    network.all_closed().await;
}

fn dial(network: &Network) -> impl Future<Output = MemoryStream> + use<> {
    let network = network.clone();
    async move { network.dial("example.com:80").await.unwrap() }
}
