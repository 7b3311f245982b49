//! Opening a connection: a task of its own that no request owns.

mod bound;
mod fault;
mod http;
pub(crate) mod local;
mod open;
mod secure;
mod tcp;

use std::sync::{Arc, Weak};

use standpipe_core::{Error, ErrorKind, Origin, Phase};
use tokio::runtime::Handle;

pub(crate) use bound::Bound;
pub(crate) use tcp::Tcp;

use crate::conn::DialGuard;
use crate::key::DialConfig;
use crate::pool::{Lifetimes, OriginPool, Permit, Slot};
use crate::proxy::Route;

/// Begins a dial with `permit` on the current runtime. `covers` tells for whom it stands; see
/// [`State::dial_failed`](crate::pool).
pub(crate) fn spawn(pool: &Arc<OriginPool>, permit: Permit<OriginPool>, covers: u64) {
    let guard = DialGuard::new(pool, covers);
    let slot = Slot::new(pool, permit);
    let dial = Dial {
        pool: Arc::downgrade(pool),
        origin: pool.key.origin().clone(),
        route: pool.key.route().clone(),
        config: Arc::clone(&pool.config),
        lifetimes: Arc::clone(&pool.shared.lifetimes),
    };
    let closed = pool.shared.closed();
    match Handle::try_current() {
        Ok(runtime) => {
            // The last handle of the transport takes its dials along.
            let dialing = async move { closed.run_until_cancelled(dial.run(slot, guard)).await };
            drop(runtime.spawn(dialing));
        }
        Err(error) => {
            drop(slot);
            let error = Error::new(ErrorKind::Runtime).with_source(error);
            guard.fail(error.with_phase(Phase::Dial));
        }
    }
}

struct Dial {
    /// Weak, so that a dial does not keep a pool alive that nobody uses any more.
    pool: Weak<OriginPool>,
    origin: Origin,
    route: Route,
    config: Arc<DialConfig>,
    lifetimes: Arc<Lifetimes>,
}

impl Dial {
    async fn run(self, slot: Slot, guard: DialGuard) {
        match self.open().await {
            Ok(opened) => self.hand_over(opened, slot, guard).await,
            Err(error) => {
                drop(slot);
                guard.fail(error.with_phase(Phase::Dial));
            }
        }
    }
}
