mod access_log;
mod builder;
mod config;

use std::path::Path;
use std::{fs, io};

use super::directory::Directory;
use super::process::{Process, poll_until};

pub use self::access_log::{Access, AccessLog};
pub use self::builder::NginxBuilder;

/// A running nginx, on a port of 127.0.0.1 for plain HTTP/1.1 and, with
/// [`tls`](NginxBuilder::tls), on another for TLS.
///
/// Dropping it kills the process and removes its files.
#[derive(Debug)]
pub struct Nginx {
    // First, so that the process is gone before its directory.
    process: Process,
    directory: Directory,
    ports: Ports,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    http: u16,
    https: Option<u16>,
}

impl Nginx {
    /// The settings of an nginx that is not yet running: no TLS, nginx's own defaults, and 404 for
    /// every path.
    pub fn builder() -> NginxBuilder {
        NginxBuilder::default()
    }

    /// The port for plain HTTP/1.1.
    pub fn port(&self) -> u16 {
        self.ports.http
    }

    /// The port for TLS, where it was switched on.
    pub fn https_port(&self) -> Option<u16> {
        self.ports.https
    }

    /// The plain URL of `path`, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ports.http)
    }

    /// The TLS URL of `path`, which begins with a slash.
    ///
    /// # Panics
    ///
    /// Without [`tls`](NginxBuilder::tls).
    pub fn https_url(&self, path: &str) -> String {
        let port = self.ports.https.expect("this nginx was built without TLS");
        format!("https://127.0.0.1:{port}{path}")
    }

    /// The requests that nginx has logged since it started. It logs a request once its response
    /// is sent, so the last ones may be missing still: see [`access_log_of`](Self::access_log_of).
    ///
    /// # Errors
    ///
    /// Where the log cannot be read.
    pub fn access_log(&self) -> io::Result<AccessLog> {
        AccessLog::parse(&fs::read_to_string(
            self.directory.join(config::ACCESS_LOG),
        )?)
    }

    /// The same, once nginx has logged `requests` of them or more.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](io::ErrorKind::TimedOut) where it has not within ten seconds.
    pub async fn access_log_of(&self, requests: usize) -> io::Result<AccessLog> {
        let complete = poll_until(|| {
            let log = self.access_log()?;
            Ok((log.lines().len() >= requests).then_some(log))
        });
        complete.await?.ok_or_else(|| {
            let message = format!("nginx has not logged {requests} requests");
            io::Error::new(io::ErrorKind::TimedOut, message)
        })
    }

    /// What nginx wrote to its error log.
    ///
    /// # Errors
    ///
    /// Where the log cannot be read.
    pub fn error_log(&self) -> io::Result<String> {
        fs::read_to_string(self.directory.join(config::ERROR_LOG))
    }

    /// The temporary directory that holds its files: configuration, logs, documents.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Kills nginx, which cuts all its connections. Its ports refuse until
    /// [`restart`](Self::restart).
    ///
    /// # Errors
    ///
    /// Where the process cannot be killed.
    pub fn stop(&mut self) -> io::Result<()> {
        self.process.stop()
    }

    /// Stops nginx and starts it on the same ports, with empty logs: it counts connections from
    /// one again.
    ///
    /// # Errors
    ///
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) where another process took a port meanwhile; else
    /// as [`start`](NginxBuilder::start).
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it leaves nginx stopped.
    pub async fn restart(&mut self) -> io::Result<()> {
        self.stop()?;
        self.process = run(&self.directory).await?;
        Ok(())
    }
}

/// Runs nginx on the configuration that is in `directory`.
async fn run(directory: &Directory) -> io::Result<Process> {
    let pid_file = directory.join(config::PID_FILE);
    remove(&pid_file)?;
    remove(&directory.join(config::ACCESS_LOG))?;
    let args = [
        "-p".as_ref(),
        directory.path().as_os_str(),
        "-c".as_ref(),
        config::FILE.as_ref(),
        "-e".as_ref(),
        "stderr".as_ref(),
    ];
    let log = directory.join(config::ERROR_LOG);
    // nginx writes its pid after it listens, so the file says more than a connection that is
    // accepted: another process may be the one that accepts.
    let is_listening = || fs::metadata(&pid_file).is_ok_and(|file| file.len() > 0);
    Process::start(("nginx", "nginx-light"), &args, &log, is_listening).await
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
