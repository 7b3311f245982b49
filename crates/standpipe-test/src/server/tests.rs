use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Version, header};
use http_body_util::{Empty, Full};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Server;
use crate::clients::{http1, http2, text, tls};
use crate::memory::Network;
use crate::{Ca, Gate};

const BOTH: &[&[u8]] = &[b"h2", b"http/1.1"];

async fn tcp(server: &Server) -> TcpStream {
    TcpStream::connect(server.addr()).await.unwrap()
}

fn get(url: &str) -> Request<Empty<Bytes>> {
    Request::get(url).body(Empty::new()).unwrap()
}

fn echo_path(request: &Request<hyper::body::Incoming>) -> Response<Full<Bytes>> {
    Response::new(Full::from(request.uri().path().to_owned()))
}

#[tokio::test]
async fn http1_on_loopback_answers_by_the_handler_and_counts() {
    let server = Server::builder()
        .http1()
        .handler(|request| async move { echo_path(&request) })
        .start()
        .await;
    let mut client = http1(tcp(&server).await).await;
    for path in ["/one", "/two"] {
        let response = client.send_request(get(&server.url(path))).await.unwrap();
        assert_eq!(response.version(), Version::HTTP_11);
        assert_eq!(text(response).await, path);
    }
    let mut other = http1(tcp(&server).await).await;
    other.send_request(get("/three")).await.unwrap();

    let stats = server.stats();
    assert_eq!((stats.connections, stats.open), (2, 2));
    assert_eq!(
        (stats.requests, stats.requests_per_connection),
        (3, vec![2, 1])
    );
    drop(client);
    let stats = server.until(|stats| stats.open == 1).await;
    assert_eq!(stats.peak_open, 2);
}

#[tokio::test]
async fn a_server_without_a_handler_answers_an_empty_200() {
    let server = Server::builder().start().await;
    let mut client = http1(tcp(&server).await).await;
    let response = client.send_request(get("/")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(text(response).await, "");
}

#[tokio::test]
async fn http2_without_tls_is_by_prior_knowledge() {
    let server = Server::builder()
        .http2()
        .handler(|request| async move { echo_path(&request) })
        .start()
        .await;
    let mut client = http2(tcp(&server).await).await;
    let response = client.send_request(get(&server.url("/h2"))).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    assert_eq!(text(response).await, "/h2");
}

#[tokio::test]
async fn with_tls_the_protocol_is_chosen_by_alpn() {
    let ca = Ca::new();
    let server = Server::builder()
        .tls(ca.server_config(&["localhost", "127.0.0.1"], BOTH))
        .handler(|request| async move { Response::new(format!("{:?}", request.version())) })
        .start()
        .await;
    assert!(server.url("/").starts_with("https://127.0.0.1:"));

    let io = tls(ca.client_config(BOTH), "localhost", tcp(&server).await).await;
    let mut client = http2(io.unwrap()).await;
    let response = client.send_request(get(&server.url("/"))).await.unwrap();
    assert_eq!(text(response).await, "HTTP/2.0");

    for alpn in [&BOTH[1..], &[]] {
        let io = tls(ca.client_config(alpn), "127.0.0.1", tcp(&server).await).await;
        let mut client = http1(io.unwrap()).await;
        let response = client.send_request(get("/")).await.unwrap();
        assert_eq!(text(response).await, "HTTP/1.1");
    }
}

#[tokio::test]
async fn a_client_that_does_not_trust_the_authority_or_finds_another_name_fails_the_handshake() {
    let ca = Ca::new();
    let server = Server::builder()
        .tls(ca.server_config(&["localhost"], BOTH))
        .start()
        .await;
    let stranger = Ca::new().client_config(BOTH);
    tls(stranger, "localhost", tcp(&server).await)
        .await
        .unwrap_err();
    let config = ca.client_config(BOTH);
    tls(config, "example.com", tcp(&server).await)
        .await
        .unwrap_err();
    let stats = server.until(|stats| stats.failed_handshakes == 2).await;
    assert_eq!(stats.requests, 0);
}

#[tokio::test]
async fn a_server_that_requires_a_client_certificate_serves_only_who_has_one() {
    let ca = Ca::new();
    let names: &[&str] = &["localhost"];
    let server = Server::builder()
        .http1()
        .tls(ca.server_config_requiring_client_certificate(names, &[]))
        .start()
        .await;
    let with_certificate = |ca: &Ca, issuer: &Ca| {
        let (chain, key) = issuer.client_certificate();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(ca.certificate_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .unwrap()
    };

    let config = Arc::new(with_certificate(&ca, &ca));
    let mut client = http1(tls(config, "localhost", tcp(&server).await).await.unwrap()).await;
    assert_eq!(client.send_request(get("/")).await.unwrap().status(), 200);

    let foreign = Arc::new(with_certificate(&ca, &Ca::new()));
    for config in [ca.client_config(&[]), foreign] {
        // In TLS 1.3 the client learns of the refusal when it first reads.
        let refused = async {
            let mut io = tls(config, "localhost", tcp(&server).await).await?;
            io.read_u8().await
        };
        refused.await.unwrap_err();
    }
    let stats = server.until(|stats| stats.failed_handshakes == 2).await;
    assert_eq!(stats.requests, 1);
}

#[tokio::test]
async fn the_authority_and_what_it_issues_are_read_back_from_pem() {
    let ca = Ca::new();
    let leaf = ca.issue(&["localhost"]);
    let root = CertificateDer::from_pem_slice(ca.pem().as_bytes()).unwrap();
    assert_eq!(root, ca.certificate_der());
    let certificate = CertificateDer::from_pem_slice(leaf.certificate_pem().as_bytes()).unwrap();
    assert_eq!(vec![certificate], leaf.chain_der());
    let key = PrivateKeyDer::from_pem_slice(leaf.key_pem().as_bytes()).unwrap();
    assert_eq!(key, leaf.key_der());
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_streams_is_announced_and_kept() {
    let network = Network::new();
    let gate = Gate::new();
    let at_gate = gate.clone();
    let server = Server::builder()
        .http2()
        .max_concurrent_streams(2)
        .handler(move |_| {
            let gate = at_gate.clone();
            async move {
                gate.wait().await;
                Response::new(Empty::<Bytes>::new())
            }
        })
        .start_on(network.listen("example.com:80"));
    let mut client = http2(network.dial("example.com:80").await.unwrap()).await;
    let url = server.url("/");
    // hyper sends as many as it likes until it has seen the server's settings.
    gate.open();
    client.send_request(get(&url)).await.unwrap();
    gate.close();

    let requests: Vec<_> = (0..3)
        .map(|_| tokio::spawn(client.send_request(get(&url))))
        .collect();
    gate.arrived(2).await;
    // The clock goes on only when no task can.
    let third = tokio::time::timeout(Duration::from_secs(1), gate.arrived(3)).await;
    third.unwrap_err();
    gate.open();
    for request in requests {
        assert_eq!(request.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(server.stats().requests_per_connection, [4]);
}

#[tokio::test]
async fn http1_says_close_in_the_last_answer_and_closes() {
    let server = Server::builder().http1().close_after(2).start().await;
    let mut io = tcp(&server).await;
    let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut peer = String::new();
    io.write_all(&request.repeat(3)).await.unwrap();
    io.read_to_string(&mut peer).await.unwrap_or_default();
    let stats = server.until(|stats| stats.open == 0).await;
    assert_eq!(stats.requests, 2);

    let mut client = http1(tcp(&server).await).await;
    let first = client.send_request(get("/")).await.unwrap();
    assert!(!first.headers().contains_key(header::CONNECTION));
    client.ready().await.unwrap();
    let second = client.send_request(get("/")).await.unwrap();
    assert_eq!(second.headers()[header::CONNECTION], "close");
    client.ready().await.unwrap_err();
}

#[tokio::test]
async fn http2_goes_away_after_the_last_request_and_answers_it() {
    let server = Server::builder().http2().close_after(1).start().await;
    let mut client = http2(tcp(&server).await).await;
    let response = client.send_request(get(&server.url("/"))).await.unwrap();
    assert_eq!(response.status(), 200);
    let stats = server.until(|stats| stats.open == 0).await;
    assert_eq!(stats.requests, 1);
    client
        .send_request(get(&server.url("/")))
        .await
        .unwrap_err();
}

#[tokio::test]
async fn a_drained_server_closes_what_idles_and_answers_what_is_under_way() {
    let gate = Gate::new();
    let server = Server::builder().http1().handler({
        let gate = gate.clone();
        move |request| {
            let gate = gate.clone();
            async move {
                if request.uri().path() == "/wait" {
                    gate.wait().await;
                }
                Response::new(Full::from("whole"))
            }
        }
    });
    let server = server.start().await;
    let (mut idle, mut busy) = (
        http1(tcp(&server).await).await,
        http1(tcp(&server).await).await,
    );
    idle.send_request(get("/")).await.unwrap();
    let answer = tokio::spawn(busy.send_request(get("/wait")));
    gate.arrived(1).await;
    server.drain();
    server.until(|stats| stats.open == 1).await;
    // It may be ready still: the client's own task may not have seen the end yet.
    idle.send_request(get("/")).await.unwrap_err();
    gate.open();
    let answer = answer.await.unwrap().unwrap();
    assert_eq!(answer.headers()[header::CONNECTION], "close");
    assert_eq!(text(answer).await, "whole");
    server.until(|stats| stats.open == 0).await;
    let mut next = http1(tcp(&server).await).await;
    next.send_request(get("/")).await.unwrap();
}

#[tokio::test]
async fn a_drained_http2_server_says_goodbye_and_answers_what_is_under_way() {
    let gate = Gate::new();
    let server = Server::builder().http2().handler({
        let gate = gate.clone();
        move |_| {
            let gate = gate.clone();
            async move {
                gate.wait().await;
                Response::new(Full::from("whole"))
            }
        }
    });
    let server = server.start().await;
    let mut client = http2(tcp(&server).await).await;
    let answer = tokio::spawn(client.send_request(get(&server.url("/"))));
    gate.arrived(1).await;
    server.drain();
    gate.open();
    assert_eq!(text(answer.await.unwrap().unwrap()).await, "whole");
    server.until(|stats| stats.open == 0).await;
    client
        .send_request(get(&server.url("/")))
        .await
        .unwrap_err();
}

#[tokio::test]
async fn an_upgraded_connection_counts_as_open_until_it_is_dropped() {
    let server = Server::builder()
        .http1()
        .handler(|mut request| async move {
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let mut io = TokioIo::new(upgrade.await.unwrap());
                let byte = io.read_u8().await.unwrap();
                io.write_u8(byte + 1).await.unwrap();
            });
            Response::builder()
                .status(101)
                .header("connection", "upgrade")
                .header("upgrade", "x")
                .body(Empty::<Bytes>::new())
                .unwrap()
        })
        .start()
        .await;
    let mut client = http1(tcp(&server).await).await;
    let mut request = get("/");
    request
        .headers_mut()
        .insert("connection", "upgrade".parse().unwrap());
    request
        .headers_mut()
        .insert("upgrade", "x".parse().unwrap());
    let response = client.send_request(request).await.unwrap();
    let mut io = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    assert_eq!(server.stats().open, 1);
    io.write_u8(1).await.unwrap();
    assert_eq!(io.read_u8().await.unwrap(), 2);
    server.until(|stats| stats.open == 0).await;
}

/// In memory, TLS with them; the clock stands still.
#[tokio::test(start_paused = true)]
async fn a_server_in_memory_needs_no_clock() {
    let network = Network::new();
    let ca = Ca::new();
    let server = Server::builder()
        .tls(ca.server_config(&["example.com"], BOTH))
        .handler(|request| async move { echo_path(&request) })
        .start_on(network.listen("example.com:443"));
    assert_eq!(server.url("/a"), "https://example.com:443/a");
    let before = tokio::time::Instant::now();
    for alpn in [BOTH, &BOTH[1..]] {
        let io = network.dial("example.com:443").await.unwrap();
        let io = tls(ca.client_config(alpn), "example.com", io)
            .await
            .unwrap();
        let response = if alpn.len() == 2 {
            http2(io).await.send_request(get(&server.url("/a"))).await
        } else {
            http1(io).await.send_request(get("/a")).await
        };
        assert_eq!(text(response.unwrap()).await, "/a");
    }
    assert_eq!(before.elapsed(), Duration::ZERO);
    server.shutdown().await;
    network.all_closed().await;
    network.dial("example.com:443").await.unwrap_err();
}

/// Every task of a server holds a handler's guard here: of the accepting loop, of a connection of
/// HTTP/1.1 or HTTP/2 and of a stream.
#[tokio::test]
async fn shutdown_and_drop_leave_no_task() {
    for (by_drop, by_http2) in [(false, false), (false, true), (true, false), (true, true)] {
        let network = Network::new();
        let alive = Arc::new(());
        let in_handler = alive.clone();
        let gate = Gate::new();
        let at_gate = gate.clone();
        let builder = match by_http2 {
            true => Server::builder().http2(),
            false => Server::builder().http1(),
        };
        let server = builder
            .handler(move |_| {
                let (gate, held) = (at_gate.clone(), in_handler.clone());
                async move {
                    gate.wait().await;
                    drop(held);
                    Response::new(Empty::<Bytes>::new())
                }
            })
            .start_on(network.listen("example.com:80"));
        let io = network.dial("example.com:80").await.unwrap();
        let url = server.url("/");
        let request = match by_http2 {
            true => tokio::spawn(http2(io).await.send_request(get(&url))),
            false => tokio::spawn(http1(io).await.send_request(get(&url))),
        };
        gate.arrived(1).await;
        assert_eq!(Arc::strong_count(&alive), 3);
        if by_drop {
            drop(server);
            request.await.unwrap().unwrap_err();
        } else {
            server.shutdown().await;
            assert_eq!(Arc::strong_count(&alive), 1);
            request.await.unwrap().unwrap_err();
        }
        network.all_closed().await;
        assert_eq!(Arc::strong_count(&alive), 1);
    }
}
