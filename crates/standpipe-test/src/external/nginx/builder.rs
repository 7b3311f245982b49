use std::time::Duration;
use std::{fs, io};

use super::config::{self, Tls};
use super::{Nginx, Ports, run};
use crate::external::directory::Directory;
use crate::external::port;

/// The settings of an [`Nginx`]. What is not set here is as nginx has it.
#[derive(Clone, Debug, Default)]
pub struct NginxBuilder {
    pub(super) tls: Option<Tls>,
    pub(super) http2: bool,
    pub(super) directives: Vec<String>,
    pub(super) locations: Vec<(String, String)>,
    documents: Vec<(String, Vec<u8>)>,
}

impl NginxBuilder {
    /// Listens for TLS too, on a port of its own, with this certificate chain and key in PEM. The
    /// URLs name 127.0.0.1, so the certificate should.
    #[must_use]
    pub fn tls(mut self, cert_pem: impl Into<String>, key_pem: impl Into<String>) -> Self {
        self.tls = Some(Tls {
            cert_pem: cert_pem.into(),
            key_pem: key_pem.into(),
        });
        self
    }

    /// Whether HTTP/2 is offered in the TLS handshake. The plain port stays with HTTP/1.1:
    /// [`Nghttpd`](crate::external::Nghttpd) speaks HTTP/2 without TLS.
    #[must_use]
    pub fn http2(mut self, on: bool) -> Self {
        self.http2 = on;
        self
    }

    /// Closes each connection after this many requests: by `connection: close` in HTTP/1.1, by
    /// GOAWAY in HTTP/2.
    #[must_use]
    pub fn keepalive_requests(self, requests: u32) -> Self {
        self.directive(format!("keepalive_requests {requests};"))
    }

    /// Closes a connection that has been idle for this long, counted in milliseconds. Zero allows
    /// one request a connection.
    #[must_use]
    pub fn keepalive_timeout(self, timeout: Duration) -> Self {
        self.directive(format!("keepalive_timeout {}ms;", timeout.as_millis()))
    }

    /// A `location` block: `body` is what stands between its braces, such as
    /// `return 200 'hello';`.
    #[must_use]
    pub fn location(mut self, path: impl Into<String>, body: impl Into<String>) -> Self {
        self.locations.push((path.into(), body.into()));
        self
    }

    /// A file to serve at `path`, which begins with a slash.
    #[must_use]
    pub fn document(mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        self.documents.push((path.into(), bytes.into()));
        self
    }

    /// Any other line for the `server` block, with its semicolon.
    #[must_use]
    pub fn directive(mut self, line: impl Into<String>) -> Self {
        self.directives.push(line.into());
        self
    }

    /// Starts nginx and returns once it listens.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) where nginx is not installed,
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a document's path that leaves the
    /// served folder, [`TimedOut`](io::ErrorKind::TimedOut) where nginx does not listen within
    /// ten seconds. Where nginx refuses the configuration, the error holds its message.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it leaves nothing behind.
    pub async fn start(self) -> io::Result<Nginx> {
        port::retry_taken(|| self.start_once()).await
    }

    async fn start_once(&self) -> io::Result<Nginx> {
        let directory = Directory::create("nginx")?;
        let [http, https] = port::free()?;
        let ports = Ports {
            http,
            https: self.tls.as_ref().map(|_| https),
        };
        self.write_files(&directory, ports)?;
        Ok(Nginx {
            process: run(&directory).await?,
            directory,
            ports,
        })
    }

    fn write_files(&self, directory: &Directory, ports: Ports) -> io::Result<()> {
        if let Some(tls) = &self.tls {
            fs::write(directory.join(config::CERT), &tls.cert_pem)?;
            fs::write(directory.join(config::KEY), &tls.key_pem)?;
        }
        for (path, bytes) in &self.documents {
            directory.write_document(config::ROOT, path, bytes)?;
        }
        fs::write(directory.join(config::FILE), config::render(self, ports))
    }
}
