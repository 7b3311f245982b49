use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::{fs, io};

use super::directory::Directory;
use super::port;
use super::process::Process;

const CERT: &str = "cert.pem";
const KEY: &str = "key.pem";
const LOG: &str = "frames.log";
const ROOT: &str = "root";

/// A running nghttpd, on a port of 127.0.0.1: HTTP/2 alone, by prior knowledge, or over TLS with
/// [`tls`](NghttpdBuilder::tls).
///
/// Dropping it kills the process and removes its files.
#[derive(Debug)]
pub struct Nghttpd {
    // First, so that the process is gone before its directory.
    process: Process,
    directory: Directory,
    port: u16,
    args: Vec<OsString>,
    scheme: &'static str,
}

/// The settings of an [`Nghttpd`]. What is not set here is as nghttpd has it.
#[derive(Clone, Debug, Default)]
pub struct NghttpdBuilder {
    max_concurrent_streams: Option<u32>,
    tls: Option<(String, String)>,
    documents: Vec<(String, Vec<u8>)>,
}

impl Nghttpd {
    /// The settings of an nghttpd that is not yet running: no TLS, 100 streams a connection, and
    /// 404 for every path.
    pub fn builder() -> NghttpdBuilder {
        NghttpdBuilder::default()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of `path`, which begins with a slash: `https` with TLS, else `http`.
    pub fn url(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.scheme, self.port)
    }

    /// How many connections nghttpd has spoken HTTP/2 on since it started.
    ///
    /// # Errors
    ///
    /// Where the log cannot be read.
    pub fn connections(&self) -> io::Result<usize> {
        Ok(connections(&self.frame_log()?))
    }

    /// What nghttpd has printed since it started: each frame it sent or received, after the
    /// number of its connection, as in `[id=1] [  0.863] recv SETTINGS frame …`.
    ///
    /// # Errors
    ///
    /// Where the log cannot be read.
    pub fn frame_log(&self) -> io::Result<String> {
        let bytes = fs::read(self.directory.join(LOG))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The temporary directory that holds its log and its documents.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Kills nghttpd, which cuts all its connections. Its port refuses until
    /// [`restart`](Self::restart).
    ///
    /// # Errors
    ///
    /// Where the process cannot be killed.
    pub fn stop(&mut self) -> io::Result<()> {
        self.process.stop()
    }

    /// Stops nghttpd and starts it on the same port, with an empty log: it counts connections
    /// from one again.
    ///
    /// # Errors
    ///
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) where another process took the port meanwhile;
    /// else as [`start`](NghttpdBuilder::start).
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it leaves nghttpd stopped.
    pub async fn restart(&mut self) -> io::Result<()> {
        self.stop()?;
        self.process = run(&self.directory, &self.args).await?;
        Ok(())
    }
}

impl NghttpdBuilder {
    /// How many streams may be open at once on a connection.
    #[must_use]
    pub fn max_concurrent_streams(mut self, streams: u32) -> Self {
        self.max_concurrent_streams = Some(streams);
        self
    }

    /// Speaks TLS, with this certificate chain and key in PEM. The URLs name 127.0.0.1, so the
    /// certificate should.
    #[must_use]
    pub fn tls(mut self, cert_pem: impl Into<String>, key_pem: impl Into<String>) -> Self {
        self.tls = Some((cert_pem.into(), key_pem.into()));
        self
    }

    /// A file to serve at `path`, which begins with a slash.
    #[must_use]
    pub fn document(mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        self.documents.push((path.into(), bytes.into()));
        self
    }

    /// Starts nghttpd and returns once it listens.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) where nghttpd is not installed,
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a document's path that leaves the
    /// served folder, [`TimedOut`](io::ErrorKind::TimedOut) where nghttpd does not listen within
    /// ten seconds. Where nghttpd refuses a setting, the error holds its message.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it leaves nothing behind.
    pub async fn start(self) -> io::Result<Nghttpd> {
        port::retry_taken(|| self.start_once()).await
    }

    async fn start_once(&self) -> io::Result<Nghttpd> {
        let directory = Directory::create("nghttpd")?;
        let [port] = port::free()?;
        self.write_files(&directory)?;
        let args = self.args(&directory, port);
        Ok(Nghttpd {
            process: run(&directory, &args).await?,
            directory,
            port,
            args,
            scheme: if self.tls.is_some() { "https" } else { "http" },
        })
    }

    fn write_files(&self, directory: &Directory) -> io::Result<()> {
        fs::create_dir(directory.join(ROOT))?;
        if let Some((cert_pem, key_pem)) = &self.tls {
            fs::write(directory.join(CERT), cert_pem)?;
            fs::write(directory.join(KEY), key_pem)?;
        }
        for (path, bytes) in &self.documents {
            directory.write_document(ROOT, path, bytes)?;
        }
        Ok(())
    }

    fn args(&self, directory: &Directory, port: u16) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec!["--verbose".into(), "--address=127.0.0.1".into()];
        args.extend(["--htdocs".into(), directory.join(ROOT).into_os_string()]);
        if let Some(streams) = self.max_concurrent_streams {
            args.push(format!("--max-concurrent-streams={streams}").into());
        }
        if self.tls.is_none() {
            args.push("--no-tls".into());
        }
        args.push(port.to_string().into());
        if self.tls.is_some() {
            args.extend([KEY, CERT].map(|name| directory.join(name).into_os_string()));
        }
        args
    }
}

async fn run(directory: &Directory, args: &[OsString]) -> io::Result<Process> {
    let args: Vec<&OsStr> = args.iter().map(OsString::as_os_str).collect();
    let log = directory.join(LOG);
    // nghttpd says so after it listens, which tells more than a connection that is accepted:
    // another process may be the one that accepts.
    let is_listening =
        || fs::read(&log).is_ok_and(|text| text.windows(9).any(|word| word == b": listen "));
    Process::start(("nghttpd", "nghttp2-server"), &args, &log, is_listening).await
}

/// The connections in a frame log: each frame stands after its `[id=N]`.
fn connections(log: &str) -> usize {
    let ids = log.lines().filter_map(|line| {
        let (id, rest) = line.strip_prefix("[id=")?.split_once(']')?;
        rest.contains(" recv ").then_some(id)
    });
    ids.collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_sent_no_frame_is_not_counted() {
        let log = "IPv4: listen 127.0.0.1:1
[id=1] [  0.863] send SETTINGS frame <length=6, flags=0x00, stream_id=0>
          (niv=1)
[id=2] [  0.863] recv SETTINGS frame <length=0, flags=0x00, stream_id=0>
[id=2] [  0.864] recv HEADERS frame <length=9, flags=0x05, stream_id=1>
[id=1] [  0.863] closed
[id=12] [  0.870] recv SETTINGS frame <length=0, flags=0x00, stream_id=0>
";
        assert_eq!(connections(log), 2);
    }

    #[test]
    fn key_and_certificate_follow_the_port_with_tls_alone() {
        let directory = Directory::create("test").unwrap();
        let plain = Nghttpd::builder().max_concurrent_streams(3);
        let args = plain.args(&directory, 7);
        assert!(args.contains(&"--max-concurrent-streams=3".into()));
        assert_eq!(args[args.len() - 2..], ["--no-tls", "7"]);

        let args = plain.tls("cert", "key").args(&directory, 7);
        assert!(!args.contains(&"--no-tls".into()));
        let tail = ["7".into(), directory.join(KEY), directory.join(CERT)];
        assert!(args.ends_with(&tail.map(OsString::from)));
    }
}
