//! Real servers of other makers, for what a scripted server cannot prove: nginx, nghttpd and
//! redis-server.
//!
//! Each runs as a process of its own on loopback, on a port that was free, out of a temporary
//! directory. Dropping the handle kills the process, reaps it and removes the directory. The
//! programs must be installed: in Debian they are in the packages `nginx-light`,
//! `nghttp2-server` and `redis-server`. Without them `start` fails with [`NotFound`](std::io::ErrorKind::NotFound),
//! so the tests that use this module are marked `#[ignore = "needs nginx and nghttpd"]`.
//!
//! Starting waits on tokio's clock for a process that knows nothing of it: where a test pauses
//! time, it starts its servers first.
//!
//! ```no_run
//! use standpipe_test::external::Nginx;
//!
//! # async fn example() -> std::io::Result<()> {
//! let nginx = Nginx::builder()
//!     .keepalive_requests(100)
//!     .location("/hello", "return 200 'hello';")
//!     .start()
//!     .await?;
//! let url = nginx.url("/hello");
//! // ... send 250 requests to `url`, then:
//! let log = nginx.access_log_of(250).await?;
//! assert_eq!(log.connections(), 3);
//! # Ok(())
//! # }
//! ```

mod directory;
mod nghttpd;
mod nginx;
mod port;
mod process;
mod redis;
#[cfg(test)]
mod tests;

pub use self::nghttpd::{Nghttpd, NghttpdBuilder};
pub use self::nginx::{Access, AccessLog, Nginx, NginxBuilder};
pub use self::redis::Redis;
