//! The servers that the requests go to when no URL is given.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use standpipe::TlsConfig;
use standpipe_test::{Ca, Server, ServerBuilder};

/// Real servers on loopback; they end when this is dropped.
pub(crate) struct Servers {
    ca: Ca,
    servers: Vec<OneServer>,
}

struct OneServer {
    about: &'static str,
    server: Server,
    host: &'static str,
    paths: &'static [&'static str],
}

impl Servers {
    pub(crate) async fn start() -> Self {
        let ca = Ca::new();
        let tls = |alpn: &[&[u8]]| ca.server_config(&["localhost", "127.0.0.1"], alpn);
        let both: &[&[u8]] = &[b"h2", b"http/1.1"];
        let servers = vec![
            OneServer::start("HTTP/2 by ALPN", greeting().tls(tls(both))).await,
            OneServer::start(
                "HTTP/2 by ALPN, 4 streams a connection",
                greeting().tls(tls(both)).max_concurrent_streams(4),
            )
            .await
            .named("localhost"),
            OneServer::start("HTTP/1.1 by ALPN", greeting().tls(tls(&[b"http/1.1"]))).await,
            OneServer::start("HTTP/1.1, with a page that is missing", greeting())
                .await
                .asked_for(&["/", "/about", "/missing"]),
            OneServer::start("HTTP/1.1, answers after 50 ms", slow_greeting()).await,
            OneServer::start("HTTP/1.1, closes after 5 requests", closing()).await,
        ];
        Self { ca, servers }
    }

    /// Settings that trust the authority of these servers.
    pub(crate) fn tls(&self) -> TlsConfig {
        TlsConfig::default().roots([self.ca.certificate_der()])
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        self.servers.iter().flat_map(OneServer::urls).collect()
    }
}

impl OneServer {
    async fn start(about: &'static str, server: ServerBuilder) -> Self {
        Self {
            about,
            server: server.start().await,
            host: "127.0.0.1",
            paths: &["/"],
        }
    }

    fn named(self, host: &'static str) -> Self {
        Self { host, ..self }
    }

    fn asked_for(self, paths: &'static [&'static str]) -> Self {
        Self { paths, ..self }
    }

    fn url(&self, path: &str) -> String {
        self.server.url(path).replace("127.0.0.1", self.host)
    }

    fn urls(&self) -> impl Iterator<Item = String> {
        self.paths.iter().map(|path| self.url(path))
    }
}

impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "servers of this process:")?;
        for one in &self.servers {
            writeln!(f, "  {:<24} {}", one.url(""), one.about)?;
        }
        Ok(())
    }
}

fn greeting() -> ServerBuilder {
    Server::builder().handler(answer)
}

fn closing() -> ServerBuilder {
    greeting().close_after(5)
}

fn slow_greeting() -> ServerBuilder {
    Server::builder().handler(|request| async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        answer(request).await
    })
}

async fn answer(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from("hello from upstairs\n"));
    if request.uri().path() == "/missing" {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}
