use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::{fs, io};

use super::directory::Directory;
use super::port;
use super::process::Process;

const LOG: &str = "redis.log";

/// A running redis-server, on a port of 127.0.0.1, that keeps nothing on disk: each start begins
/// empty.
///
/// Dropping it kills the process and removes its files.
#[derive(Debug)]
pub struct Redis {
    // First, so that the process is gone before its directory.
    process: Process,
    directory: Directory,
    port: u16,
    args: Vec<OsString>,
}

impl Redis {
    /// Starts redis-server and returns once it accepts connections.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) where redis-server is not installed,
    /// [`TimedOut`](io::ErrorKind::TimedOut) where it does not listen within ten seconds.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it leaves nothing behind.
    pub async fn start() -> io::Result<Self> {
        port::retry_taken(Self::start_once).await
    }

    async fn start_once() -> io::Result<Self> {
        let directory = Directory::create("redis")?;
        let [port] = port::free()?;
        let args = args(&directory, port);
        Ok(Self {
            process: run(&directory, &args).await?,
            directory,
            port,
            args,
        })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL, with the scheme `redis`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// The temporary directory that holds its log.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Kills redis-server, which cuts all its connections. Its port refuses until
    /// [`restart`](Self::restart).
    ///
    /// # Errors
    ///
    /// Where the process cannot be killed.
    pub fn stop(&mut self) -> io::Result<()> {
        self.process.stop()
    }

    /// Stops redis-server and starts it on the same port, empty.
    ///
    /// # Errors
    ///
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) where another process took the port meanwhile; else
    /// as [`start`](Redis::start).
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it leaves redis-server stopped.
    pub async fn restart(&mut self) -> io::Result<()> {
        self.stop()?;
        self.process = run(&self.directory, &self.args).await?;
        Ok(())
    }
}

fn args(directory: &Directory, port: u16) -> Vec<OsString> {
    let port = port.to_string();
    let mut args: Vec<OsString> = ["--bind", "127.0.0.1", "--port", &port, "--appendonly", "no"]
        .map(OsString::from)
        .into();
    args.extend(["--save", "", "--dir"].map(OsString::from));
    args.push(directory.path().into());
    args
}

async fn run(directory: &Directory, args: &[OsString]) -> io::Result<Process> {
    let args: Vec<&OsStr> = args.iter().map(OsString::as_os_str).collect();
    let log = directory.join(LOG);
    // It says so after it listens, which tells more than a connection that is accepted: another
    // process may be the one that accepts.
    let is_listening =
        || fs::read_to_string(&log).is_ok_and(|log| log.contains("Ready to accept connections"));
    Process::start(("redis-server", "redis-server"), &args, &log, is_listening).await
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn say(port: u16, line: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream
            .write_all(format!("{line}\r\nQUIT\r\n").as_bytes())
            .await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    #[ignore = "needs redis-server"]
    async fn it_answers_on_its_port_refuses_once_stopped_and_begins_again_empty() {
        let mut redis = Redis::start().await.unwrap();
        assert!(redis.url().ends_with(&format!(":{}/", redis.port())));
        assert_eq!(
            say(redis.port(), "SET a b").await.unwrap(),
            "+OK\r\n+OK\r\n"
        );
        redis.stop().unwrap();
        let error = say(redis.port(), "GET a").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        redis.restart().await.unwrap();
        assert_eq!(say(redis.port(), "GET a").await.unwrap(), "$-1\r\n+OK\r\n");
        let directory = redis.directory().to_owned();
        drop(redis);
        assert!(!directory.exists());
    }
}
