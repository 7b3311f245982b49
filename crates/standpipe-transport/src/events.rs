use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use standpipe_core::{ConnectionFacts, Error, Origin};

/// Why a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[repr(u8)]
pub enum CloseReason {
    /// The peer closed it, or said that it would: an end of the stream, `Connection: close`, GOAWAY. An
    /// HTTP/1.1 answer that cannot be understood counts here as well: hyper tells it to the request alone.
    Peer,
    /// Reading or writing failed, or the peer broke the protocol of HTTP/2.
    Error,
    /// It idled for as long as it may.
    IdleTimeout,
    /// More connections idled than may.
    IdleLimit,
    /// It had lived for as long as it may.
    Lifetime,
    /// It had carried as many requests as it may.
    MaxRequests,
    /// Its place was given to another origin that was short of one.
    Yielded,
    /// The limit of its origin was lowered.
    LimitLowered,
    /// Its request or its response body was dropped, or timed out, before its end.
    Cancelled,
    /// A request timed out on it, nothing came since, and its place was needed.
    Suspect,
    /// The user closed it: `evict` or `close_idle`.
    Evicted,
    /// The name of its origin no longer resolves to its address.
    Address,
    /// The process had run out of file descriptors.
    Descriptors,
    /// It was handed out by an upgrade, and whoever had it has dropped it.
    Upgraded,
    /// The transport was shut down, or its last handle dropped.
    Shutdown,
    /// The runtime that drove it has ended.
    Runtime,
}

impl CloseReason {
    /// All reasons, in the order of their declaration.
    pub const ALL: [Self; 16] = [
        Self::Peer,
        Self::Error,
        Self::IdleTimeout,
        Self::IdleLimit,
        Self::Lifetime,
        Self::MaxRequests,
        Self::Yielded,
        Self::LimitLowered,
        Self::Cancelled,
        Self::Suspect,
        Self::Evicted,
        Self::Address,
        Self::Descriptors,
        Self::Upgraded,
        Self::Shutdown,
        Self::Runtime,
    ];

    /// A word for it, such as `idle_timeout`: for labels and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Error => "error",
            Self::IdleTimeout => "idle_timeout",
            Self::IdleLimit => "idle_limit",
            Self::Lifetime => "lifetime",
            Self::MaxRequests => "max_requests",
            Self::Yielded => "yielded",
            Self::LimitLowered => "limit_lowered",
            Self::Cancelled => "cancelled",
            Self::Suspect => "suspect",
            Self::Evicted => "evicted",
            Self::Address => "address",
            Self::Descriptors => "descriptors",
            Self::Upgraded => "upgraded",
            Self::Shutdown => "shutdown",
            Self::Runtime => "runtime",
        }
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self as u8)
    }

    /// Whether a connection that was used and closed for this reason is to be replaced where a
    /// number of connections is to be kept: not where the pool itself wanted fewer.
    pub(crate) fn calls_for_another(self) -> bool {
        matches!(
            self,
            Self::Peer
                | Self::Error
                | Self::Lifetime
                | Self::MaxRequests
                | Self::Cancelled
                | Self::Suspect
                | Self::Evicted
                | Self::Address
        )
    }
}

/// A connection that was closed; see [`PoolEvents::closed`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Closed<'a> {
    /// What is known of the connection.
    pub connection: &'a ConnectionFacts,
    /// Why it was closed.
    pub reason: CloseReason,
    /// How long ago it was opened.
    pub age: Duration,
    /// How many requests it carried.
    pub uses: u64,
}

/// What happens in a pool, told as it happens. All methods do nothing unless overridden.
///
/// They are called by whichever thread caused the event, on the request's own path, so they should be quick:
/// count, or send to a channel. No lock is held meanwhile, so they may use the transport: send a request, read
/// its statistics, drop its last handle. A panic in one is caught and goes no further than the panic hook's
/// message.
///
/// # Order
///
/// Of one connection, [`created`](PoolEvents::created) comes first and [`closed`](PoolEvents::closed) last, each
/// once. Nothing else is ordered between threads.
#[allow(unused_variables, reason = "the names are for the reader")]
pub trait PoolEvents: Send + Sync + 'static {
    /// Whether it is told of each use of a connection: [`leased`](PoolEvents::leased),
    /// [`reused`](PoolEvents::reused) and [`returned`](PoolEvents::returned). Asked once, when it is set. For
    /// one that has no use for these, a request pays a branch and no call.
    fn follows_uses(&self) -> bool {
        true
    }

    /// A connection was opened and is about to be used.
    fn created(&self, origin: &Origin, connection: &ConnectionFacts) {}

    /// A request begins to use a connection, or a stream of it. From then on it is in use, until
    /// [`returned`](PoolEvents::returned) was told as often or it is closed.
    fn leased(&self, origin: &Origin, connection: &ConnectionFacts) {}

    /// A request goes out on a connection that carried `uses_before` others; told after
    /// [`leased`](PoolEvents::leased).
    fn reused(&self, origin: &Origin, connection: &ConnectionFacts, uses_before: u64) {}

    /// A request is done with a connection, which is in order. Where it was dropped before its end, this is told
    /// of a connection that others share, and an HTTP/1.1 connection is closed.
    fn returned(&self, origin: &Origin, connection: &ConnectionFacts) {}

    /// The socket of a connection is closed.
    fn closed(&self, origin: &Origin, closed: &Closed<'_>) {}

    /// A connection could not be opened.
    fn dial_failed(&self, origin: &Origin, error: &Error) {}

    /// A request has its connection after a wait.
    fn waited(&self, origin: &Origin, wait: Duration) {}

    /// A request was refused because too many wait.
    fn queue_full(&self, origin: &Origin) {}
}

/// The hooks of a transport, if it has any.
#[derive(Clone, Default)]
pub(crate) struct Events(Option<Arc<Hooks>>);

#[derive(Clone)]
struct Hooks {
    all: Vec<Arc<dyn PoolEvents>>,
    /// Whether one of them is told of each use.
    uses: bool,
}

impl Events {
    /// Those there are, and `hook`.
    pub(crate) fn and(&self, hook: impl PoolEvents) -> Self {
        let before = self.0.as_deref();
        let mut all = before.map_or_else(Vec::new, |hooks| hooks.all.clone());
        let uses = hook.follows_uses() || before.is_some_and(|hooks| hooks.uses);
        all.push(Arc::new(hook));
        Self(Some(Arc::new(Hooks { all, uses })))
    }

    /// Tells the hooks. Without any this is one branch.
    #[inline]
    pub(crate) fn tell(&self, event: impl Fn(&dyn PoolEvents)) {
        if let Some(hooks) = &self.0 {
            hooks.tell(event);
        }
    }

    /// The same of what happens with each request.
    #[inline]
    pub(crate) fn tell_use(&self, event: impl Fn(&dyn PoolEvents)) {
        if let Some(hooks) = &self.0
            && hooks.uses
        {
            hooks.tell(event);
        }
    }
}

impl Hooks {
    #[cold]
    fn tell(&self, event: impl Fn(&dyn PoolEvents)) {
        for hook in &self.all {
            call(hook, &event);
        }
    }
}

/// Events are told from `Drop` too, where a panic during another one would abort the process.
fn call(hook: &Arc<dyn PoolEvents>, event: impl Fn(&dyn PoolEvents)) {
    let told = catch_unwind(AssertUnwindSafe(|| event(hook.as_ref())));
    // What a panic carries may itself panic when it is dropped.
    if let Err(payload) = told {
        let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Some(_)" } else { "None" })
    }
}
