//! The clients that a whole process shares.

mod shutdown;
mod slot;

use std::sync::LazyLock;
use std::time::Duration;

use standpipe_core::{Error, ErrorKind, Phase};

#[cfg(feature = "blocking")]
use crate::blocking;
use crate::{Pool, PoolConfig};
pub use shutdown::{SharedShutdown, SharedShutdownReport};
use slot::{Client, Slot};

/// Lazy, as the locks are made at run time in a model of loom.
static POOL: LazyLock<Slot<Pool>> = LazyLock::new(Slot::new);

#[cfg(feature = "blocking")]
static BLOCKING: LazyLock<Slot<blocking::Pool>> = LazyLock::new(Slot::new);

/// How the clients of the process stand; see [`shared_stats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedStats {
    /// That of [`shared`].
    pub pool: SharedState,
    /// That of [`shared_blocking`].
    #[cfg(feature = "blocking")]
    pub blocking: SharedState,
}

/// How one client of the process stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedState {
    /// Whether it was used, or set up, at all.
    pub initialized: bool,
    /// Whether it was shut down since. The next use makes a new one.
    pub closed: bool,
}

/// The pool that the whole process shares.
///
/// It is made on the first use, with [`PoolConfig::shared`] or as [`init_shared`] says, and anew on the
/// first use after it was shut down. However many threads ask at once, one is made. It may be used from
/// several runtimes: a connection whose runtime has ended is replaced.
///
/// Code that only wants a client for a moment does well with it; a service that has a client of its own
/// keeps a [`Pool`].
///
/// ```no_run
/// # async fn run() -> Result<(), standpipe::Error> {
/// let text = standpipe::shared().get("https://example.com/").send().await?.text().await?;
/// # Ok(()) }
/// ```
pub fn shared() -> Pool {
    match POOL.get_or_make(|| preset().build()) {
        Ok(pool) => pool,
        Err(error) => unreachable!("the preset is in order: {error}"),
    }
}

/// The same for code that is not async. It is a pool of its own, with limits and connections of its own.
///
/// # Errors
///
/// [`Runtime`](ErrorKind::Runtime) where its thread cannot be started; the next use tries again.
#[cfg(feature = "blocking")]
pub fn shared_blocking() -> Result<blocking::Pool, Error> {
    BLOCKING.get_or_make(|| preset().build_blocking())
}

fn preset() -> crate::PoolBuilder {
    // The first use cannot fail.
    Pool::builder()
        .config(PoolConfig::shared())
        .configure_transport(crate::TransportBuilder::proxies_told_by_dials)
}

/// Makes the pool of [`shared`] as `builder` says, in place of the preset. It may be called before the
/// first use, and again after a shutdown.
///
/// ```
/// use standpipe::{ErrorKind, Pool, PoolConfig};
///
/// # fn main() -> Result<(), standpipe::Error> {
/// standpipe::init_shared(Pool::builder().config(PoolConfig::shared()).max_connections(Some(10)))?;
/// assert_eq!(standpipe::shared().config().max_connections, Some(10));
///
/// let late = standpipe::init_shared(Pool::builder()).unwrap_err();
/// assert_eq!(late.kind(), ErrorKind::Config);
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`Config`](ErrorKind::Config) where there is one already, which stays as it is, and what
/// [`PoolBuilder::build`](crate::PoolBuilder::build) refuses.
pub fn init_shared(builder: impl TryInto<Pool, Error = Error>) -> Result<Pool, Error> {
    init(&POOL, || builder.try_into(), "shared pool")
}

/// As [`init_shared`], for the pool of [`shared_blocking`].
///
/// # Errors
///
/// Those of [`init_shared`], and those of
/// [`build_blocking`](crate::PoolBuilder::build_blocking).
#[cfg(feature = "blocking")]
pub fn init_shared_blocking(
    builder: impl TryInto<blocking::Pool, Error = Error>,
) -> Result<blocking::Pool, Error> {
    init(&BLOCKING, || builder.try_into(), "shared blocking pool")
}

/// Shuts the clients of the process down, each as [`Pool::shutdown`] does it: at once they take no more
/// requests, and what is under way has until the end of `grace`. The next use of either makes a new one,
/// even while this one ends.
///
/// ```
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let pool = standpipe::shared();
/// let report = standpipe::shutdown_shared(Duration::from_secs(5)).await;
/// assert!(report.pool.unwrap().complete);
/// assert!(pool.is_closed() && standpipe::shared_stats().pool.closed);
/// assert!(!standpipe::shared().is_closed());
/// # }
/// ```
///
/// # Cancel safety
///
/// As [`Pool::shutdown`]: the clients are closed when this returns.
///
/// # Panics
///
/// The future, where it has to wait and is polled outside a tokio runtime.
pub fn shutdown_shared(grace: Duration) -> SharedShutdown {
    SharedShutdown::new(
        grace,
        POOL.close(),
        #[cfg(feature = "blocking")]
        BLOCKING.close(),
    )
}

/// Whether each client of the process was used, and whether it is closed. It makes none.
pub fn shared_stats() -> SharedStats {
    SharedStats {
        pool: POOL.state(),
        #[cfg(feature = "blocking")]
        blocking: BLOCKING.state(),
    }
}

fn init<C: Client>(
    slot: &Slot<C>,
    make: impl FnOnce() -> Result<C, Error>,
    what: &str,
) -> Result<C, Error> {
    let late = || {
        Error::new(ErrorKind::Config)
            .with_phase(Phase::Check)
            .with_message(format!(
                "the {what} is in use already; it is set up before its first use, or after a shutdown"
            ))
    };
    if slot.is_open() {
        return Err(late());
    }
    // Outside of the slot: what makes it is the user's code.
    let client = make()?;
    match slot.put(client.clone()) {
        true => Ok(client),
        false => Err(late()),
    }
}

impl Client for Pool {
    fn is_closed(&self) -> bool {
        Self::is_closed(self)
    }
}

#[cfg(feature = "blocking")]
impl Client for blocking::Pool {
    fn is_closed(&self) -> bool {
        Self::is_closed(self)
    }
}
