//! The pool for code that is not async.
//!
//! ```no_run
//! fn main() -> Result<(), standpipe::Error> {
//!     let pool = standpipe::Pool::builder().max_retries(2).build_blocking()?;
//!     let text = pool.get("https://example.com/").send()?.text()?;
//!     println!("{text}");
//!     Ok(())
//! }
//! ```
//!
//! Each call does what the async one of the same name does, and waits for it on the calling thread. The
//! connections are driven by a runtime on one thread of the pool's own, named `standpipe`, which ends
//! with the last handle on it.
//!
//! # Errors
//!
//! A call that waits, inside of what tokio polls, would hold up all other tasks of that thread, for ever
//! where one of these is what it waits for. It is refused with an error of kind
//! [`Runtime`](crate::ErrorKind::Runtime) and does nothing. On tokio's threads for blocking work
//! (`spawn_blocking`, `block_in_place`) it is in order. Other executors, and what is
//! `tokio::task::unconstrained`, are not noticed.

mod context;
mod control;
mod host_client;
mod iter;
mod pool;
mod read;
mod request;
mod response;
mod runtime;

pub use host_client::HostClient;
pub use iter::Iter;
pub use pool::Pool;
pub use request::RequestBuilder;
pub use response::Response;
