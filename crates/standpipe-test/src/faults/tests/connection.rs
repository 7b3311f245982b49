//! What goes wrong with a connection as a whole.

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::*;
use crate::clients::{http1, http2};
use crate::faults::{At, ConnectionFault, End, Fault};

#[tokio::test(start_paused = true)]
async fn single_dials_are_refused_in_memory() {
    let network = Network::new();
    let server = hello()
        .connection(1, ConnectionFault::Refuse)
        .connections(3..5, ConnectionFault::Refuse)
        .request_on(2, 0, Reply::new(503))
        .start_on(network.listen(ADDRESS));
    let mut seen = Vec::new();
    for _ in 0..6 {
        match network.dial(ADDRESS).await {
            Ok(io) => {
                let response = http1(io).await.send_request(get()).await.unwrap();
                seen.push(response.status().as_u16());
            }
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
                seen.push(0);
            }
        }
    }
    assert_eq!(seen, [200, 0, 503, 0, 0, 200]);
    assert_eq!(server.stats().connections, 3);
}

#[tokio::test]
async fn a_socket_refuses_all_dials_from_a_number_on() {
    let server = hello()
        .connections(1.., ConnectionFault::Refuse)
        .start()
        .await;
    let io = TcpStream::connect(server.addr()).await.unwrap();
    let mut client = http1(io).await;
    assert_eq!(client.send_request(get()).await.unwrap().status(), 200);
    for _ in 0..2 {
        let error = TcpStream::connect(server.addr()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
    // What is open goes on.
    client.ready().await.unwrap();
    assert_eq!(client.send_request(get()).await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_reset_or_closed_at_once() {
    for protocol in BOTH {
        for end in [End::Reset, End::Close] {
            let script = hello().connection(0, ConnectionFault::AtOnce(end));
            let mut test = Test::new(protocol, script).await;
            test.get().await.unwrap_err();
            let stats = test.server.until(|stats| stats.open == 0).await;
            assert_eq!((stats.requests, stats.bytes_in), (0, 0));
        }
    }
    let network = Network::new();
    let _server = hello()
        .connection(0, ConnectionFault::AtOnce(End::Reset))
        .connection(1, ConnectionFault::AtOnce(End::Close))
        .start_on(network.listen(ADDRESS));
    let reset = network.dial(ADDRESS).await.unwrap().read_u8().await;
    assert_eq!(reset.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    let closed = network.dial(ADDRESS).await.unwrap().read_u8().await;
    assert_eq!(closed.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_stalls_at_once_is_never_read() {
    for protocol in BOTH {
        let script = hello().connection(0, ConnectionFault::AtOnce(End::Stall));
        let mut test = Test::new(protocol, script).await;
        test.get_stalls().await;
        let stats = test.server.stats();
        assert_eq!((stats.open, stats.requests, stats.bytes_in), (1, 0, 0));
        test.server.shutdown().await;
        drop(test.client);
        test.network.all_closed().await;
    }
}

#[tokio::test(start_paused = true)]
async fn garbage_before_any_protocol_is_none() {
    for protocol in BOTH {
        let garbage = Bytes::from_static(b"220 mail.example.com ESMTP\r\n");
        let script = hello().connection(0, ConnectionFault::Garbage(garbage));
        let mut test = Test::new(protocol, script).await;
        let error = test.get().await.unwrap_err();
        if protocol == Protocol::Http2 {
            assert_eq!(code_of(&error), crate::h2peer::code::FRAME_SIZE_ERROR);
        }
        let stats = test.server.until(|stats| stats.open == 0).await;
        assert_eq!((stats.requests, stats.bytes_out), (0, 28));
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_falls_silent_after_so_many_answers() {
    for protocol in BOTH {
        let script = hello().connection(0, ConnectionFault::FallSilent { after: 2 });
        let mut test = Test::new(protocol, script).await;
        for _ in 0..2 {
            let response = test.get().await.unwrap();
            assert_eq!(body(response).await.unwrap(), "hello");
        }
        let before = test.server.stats();
        test.get_stalls().await;
        let stats = test.server.stats();
        assert_eq!((stats.open, stats.requests), (1, 2));
        assert_eq!(stats.bytes_in, before.bytes_in);
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_answers_no_ping() {
    use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
    for silent in [false, true] {
        let network = Network::new();
        let mut script = hello().http2();
        if silent {
            script = script.connection(0, ConnectionFault::FallSilent { after: 1 });
        }
        let server = script.start_on(network.listen(ADDRESS));
        let io = TokioIo::new(network.dial(ADDRESS).await.unwrap());
        let (client, connection) = conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(10 * SECOND)
            .keep_alive_timeout(SECOND)
            .keep_alive_while_idle(true)
            .handshake(io)
            .await
            .unwrap();
        let mut client: Http2 = client;
        let connection = tokio::spawn(connection);
        assert_eq!(client.send_request(get()).await.unwrap().status(), 200);
        let ended = timeout(3600 * SECOND, connection).await;
        assert_eq!(ended.is_ok(), silent);
        drop(server);
    }
}

#[tokio::test]
async fn on_loopback_all_is_the_same() {
    let server = hello()
        .request(0, Fault::Reset(At::BeforeHead))
        .request(1, Fault::Close(At::Body(2)))
        .request(2, Fault::Reset(At::Body(4)))
        .connection(3, ConnectionFault::AtOnce(End::Reset))
        .start()
        .await;
    assert!(server.url("/a").starts_with("http://127.0.0.1:"));
    let dial = async || http1(TcpStream::connect(server.addr()).await.unwrap()).await;

    assert_reset(&dial().await.send_request(get()).await.unwrap_err());

    let response = dial().await.send_request(get()).await.unwrap();
    body(response).await.unwrap_err();

    let mut reset = dial().await.send_request(get()).await.unwrap().into_body();
    assert_eq!(piece(&mut reset).await.unwrap(), "hell");
    assert_reset(&piece(&mut reset).await.unwrap_err());

    let mut io = TcpStream::connect(server.addr()).await.unwrap();
    let error = io.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);

    let response = dial().await.send_request(get()).await.unwrap();
    assert_eq!(body(response).await.unwrap(), "hello");
    let stats = server.until(|stats| stats.open == 0).await;
    assert_eq!((stats.connections, stats.requests), (5, 4));
}

#[tokio::test]
async fn http2_on_loopback_drains_after_a_goaway() {
    let script = hello().http2().request(
        0,
        Fault::GoAway {
            code: 0,
            answered: true,
        },
    );
    let server = script.start().await;
    let io = TcpStream::connect(server.addr()).await.unwrap();
    let mut client: Http2 = http2(io).await;
    let response = client.send_request(get()).await.unwrap();
    assert_eq!(body(response).await.unwrap(), "hello");
    server.until(|stats| stats.open == 0).await;
}
