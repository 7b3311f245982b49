use std::io;
use std::net::Ipv4Addr;
use std::pin::pin;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::{Nghttpd, Nginx};

async fn connect(port: u16) -> io::Result<TcpStream> {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await
}

fn get(uri: impl Into<String>) -> Request<Empty<Bytes>> {
    let request = Request::get(uri.into()).header(header::HOST, "localhost");
    request.body(Empty::new()).unwrap()
}

async fn read(response: Response<hyper::body::Incoming>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

async fn http1_connection(port: u16) -> http1::SendRequest<Empty<Bytes>> {
    let io = TokioIo::new(connect(port).await.unwrap());
    let (sender, connection) = http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn http2_connection(port: u16) -> http2::SendRequest<Empty<Bytes>> {
    let io = TokioIo::new(connect(port).await.unwrap());
    let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    sender
}

#[tokio::test]
#[ignore = "needs nginx and nghttpd"]
async fn nginx_serves_its_locations_and_documents() {
    let nginx = Nginx::builder()
        .location("/hello", "return 201 'hello';")
        .document("/docs/a.txt", "a document")
        .start()
        .await
        .unwrap();
    let mut sender = http1_connection(nginx.port()).await;

    let response = sender.send_request(get("/hello")).await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(read(response).await, "hello");
    let response = sender.send_request(get("/docs/a.txt")).await.unwrap();
    assert_eq!(read(response).await, "a document");
    let response = sender.send_request(get("/nothing")).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);

    let log = nginx.access_log_of(3).await.unwrap();
    let seen: Vec<_> = log
        .lines()
        .iter()
        .map(|line| (line.nth, line.status))
        .collect();
    assert_eq!(seen, [(1, 201), (2, 200), (3, 404)]);
    assert_eq!(log.lines()[1].request, "GET /docs/a.txt HTTP/1.1");
}

#[tokio::test]
#[ignore = "needs nginx and nghttpd"]
async fn nginx_closes_after_the_requests_it_is_told_and_its_log_counts_connections() {
    let nginx = Nginx::builder()
        .keepalive_requests(2)
        .location("/", "return 204;")
        .start()
        .await
        .unwrap();
    for requests in [2, 1] {
        let mut sender = http1_connection(nginx.port()).await;
        for nth in 1..=requests {
            let response = sender.send_request(get("/")).await.unwrap();
            let closes = response
                .headers()
                .get(header::CONNECTION)
                .is_some_and(|it| it == "close");
            assert_eq!(closes, nth == 2);
        }
    }
    let log = nginx.access_log_of(3).await.unwrap();
    assert_eq!(log.connections(), 2);
    let requests = log.requests_per_connection().into_values();
    assert_eq!(requests.collect::<Vec<_>>(), [2, 1]);
}

#[tokio::test]
#[ignore = "needs nginx and nghttpd"]
async fn nginx_closes_an_idle_connection_after_its_timeout() {
    let nginx = Nginx::builder()
        .keepalive_timeout(std::time::Duration::from_millis(50))
        .location("/", "return 204;")
        .start()
        .await
        .unwrap();
    let io = TokioIo::new(connect(nginx.port()).await.unwrap());
    let (mut sender, connection) = http1::handshake(io).await.unwrap();
    let closed = tokio::spawn(connection);
    sender.send_request(get("/")).await.unwrap();
    closed.await.unwrap().unwrap();
    assert!(sender.is_closed());
}

#[tokio::test]
#[ignore = "needs nginx and nghttpd"]
async fn a_stopped_nginx_refuses_and_a_restarted_one_serves_on_the_same_port() {
    let mut nginx = Nginx::builder()
        .location("/", "return 204;")
        .start()
        .await
        .unwrap();
    let mut sender = http1_connection(nginx.port()).await;
    sender.send_request(get("/")).await.unwrap();
    nginx.access_log_of(1).await.unwrap();

    nginx.stop().unwrap();
    let refused = connect(nginx.port()).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    assert!(sender.send_request(get("/")).await.is_err());

    nginx.restart().await.unwrap();
    let mut sender = http1_connection(nginx.port()).await;
    let response = sender.send_request(get("/")).await.unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(nginx.access_log_of(1).await.unwrap().lines().len(), 1);
}

#[tokio::test]
#[ignore = "needs nginx and nghttpd"]
async fn a_dropped_server_leaves_neither_process_nor_files() {
    let nginx = Nginx::builder().start().await.unwrap();
    let nghttpd = Nghttpd::builder().start().await.unwrap();
    let directories = [nginx.directory(), nghttpd.directory()].map(ToOwned::to_owned);
    let ports = [nginx.port(), nghttpd.port()];
    assert!(directories.iter().all(|directory| directory.exists()));
    drop((nginx, nghttpd));
    assert!(!directories.iter().any(|directory| directory.exists()));
    for port in ports {
        connect(port).await.unwrap_err();
    }
}

#[tokio::test]
#[ignore = "needs nginx and nghttpd"]
async fn a_wrong_setting_fails_with_what_the_server_says() {
    let nginx = Nginx::builder().directive("no_such_directive on;");
    let error = nginx.start().await.unwrap_err();
    assert!(error.to_string().contains("no_such_directive"), "{error}");

    let nghttpd = Nghttpd::builder().tls("no certificate", "no key");
    let error = nghttpd.start().await.unwrap_err();
    assert!(error.to_string().contains("did not start"), "{error}");
}

#[tokio::test]
#[ignore = "needs nginx and nghttpd"]
async fn nghttpd_serves_documents_and_counts_its_connections() {
    let nghttpd = Nghttpd::builder()
        .document("/a.txt", "a document")
        .start()
        .await
        .unwrap();
    for _ in 0..2 {
        let mut sender = http2_connection(nghttpd.port()).await;
        for _ in 0..3 {
            let response = sender
                .send_request(get(nghttpd.url("/a.txt")))
                .await
                .unwrap();
            assert_eq!(response.version(), Version::HTTP_2);
            assert_eq!(read(response).await, "a document");
        }
    }
    assert_eq!(nghttpd.connections().unwrap(), 2);
}

#[tokio::test]
#[ignore = "needs nginx and nghttpd"]
async fn nghttpd_announces_the_streams_it_is_told_and_does_so_again_after_a_restart() {
    let mut nghttpd = Nghttpd::builder()
        .max_concurrent_streams(3)
        .start()
        .await
        .unwrap();
    assert_eq!(announced_streams(nghttpd.port()).await, 3);
    nghttpd.restart().await.unwrap();
    assert_eq!(announced_streams(nghttpd.port()).await, 3);
    assert_eq!(nghttpd.connections().unwrap(), 1);
    nghttpd.stop().unwrap();
    connect(nghttpd.port()).await.unwrap_err();
}

async fn announced_streams(port: u16) -> usize {
    let io = TokioIo::new(connect(port).await.unwrap());
    let handshake = http2::handshake(TokioExecutor::new(), io).await;
    let (mut sender, connection) = handshake.unwrap();
    let mut connection = pin!(connection);
    let response = pin!(sender.send_request(get(format!("http://127.0.0.1:{port}/"))));
    tokio::select! {
        response = response => assert_eq!(response.unwrap().status(), StatusCode::NOT_FOUND),
        ended = &mut connection => panic!("the connection ended first: {ended:?}"),
    }
    connection.current_max_send_streams()
}

#[cfg(feature = "server")]
mod tls {
    use std::sync::Arc;

    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, RootCertStore};
    use tokio_rustls::TlsConnector;

    use super::*;

    /// A certificate for 127.0.0.1 and its key in PEM, and a client that trusts it alone.
    fn certificate() -> (String, String, ClientConfig) {
        let names = vec!["127.0.0.1".to_owned()];
        let signed = rcgen::generate_simple_self_signed(names).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(signed.cert.der().clone()).unwrap();
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        (
            signed.cert.pem(),
            signed.signing_key.serialize_pem(),
            client,
        )
    }

    /// The protocol that the server on `port` chooses of h2 and http/1.1.
    async fn chosen_protocol(mut client: ClientConfig, port: u16) -> Vec<u8> {
        client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let name = ServerName::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST));
        let tcp = connect(port).await.unwrap();
        let tls = TlsConnector::from(Arc::new(client))
            .connect(name, tcp)
            .await
            .unwrap();
        tls.get_ref().1.alpn_protocol().unwrap_or_default().to_vec()
    }

    #[tokio::test]
    #[ignore = "needs nginx and nghttpd"]
    async fn nginx_offers_http2_over_tls_where_it_is_told_to() {
        let (cert, key, client) = certificate();
        for (http2, protocol) in [(true, "h2"), (false, "http/1.1")] {
            let builder = Nginx::builder().tls(&cert, &key).http2(http2);
            let nginx = builder.start().await.unwrap();
            let port = nginx.https_port().unwrap();
            assert_eq!(nginx.https_url("/a"), format!("https://127.0.0.1:{port}/a"));
            assert_eq!(
                chosen_protocol(client.clone(), port).await,
                protocol.as_bytes()
            );
            connect(nginx.port()).await.unwrap();
        }
    }

    #[tokio::test]
    #[ignore = "needs nginx and nghttpd"]
    async fn nghttpd_speaks_tls_where_it_is_told_to() {
        let (cert, key, client) = certificate();
        let nghttpd = Nghttpd::builder().tls(cert, key).start().await.unwrap();
        assert!(nghttpd.url("/").starts_with("https://"));
        assert_eq!(chosen_protocol(client, nghttpd.port()).await, b"h2");
    }
}
