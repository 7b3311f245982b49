//! Opening a connection: a task of its own that no request owns.

mod attend;
mod bound;
mod fault;
mod http;
pub(crate) mod local;
mod open;
mod secure;
mod tcp;

use std::sync::{Arc, Weak};
use std::time::Duration;

use standpipe_core::{Error, ErrorKind, Origin, Phase};
use tokio::runtime::Handle;
use tokio::time::Instant;

pub(crate) use bound::Bound;
pub(crate) use tcp::Tcp;

use crate::conn::DialGuard;
use crate::key::DialConfig;
use crate::pool::{Bell, DialTag, Lifetimes, OriginPool, Permit, Slot};
use crate::proxy::Route;

/// How long a dial pauses that follows a failed one while connections of its origin are in use.
const PAUSE: Duration = Duration::from_millis(50);

/// Begins a dial with `permit` on the current runtime. `tag` tells for whom it stands.
pub(crate) fn spawn(pool: &Arc<OriginPool>, permit: Permit<OriginPool>, tag: DialTag) {
    let guard = DialGuard::new(pool, tag);
    let slot = Slot::new(pool, permit);
    let dial = Dial {
        pool: Arc::downgrade(pool),
        origin: pool.key.origin().clone(),
        route: pool.key.route().clone(),
        config: Arc::clone(&pool.config),
        lifetimes: Arc::clone(&pool.shared.lifetimes),
        bell: pool.shared.alive.enter(),
    };
    let closed = pool.shared.closed();
    let pause = pool.calm.left(Instant::now());
    let pause = pause.max(if tag.pauses { PAUSE } else { Duration::ZERO });
    match Handle::try_current() {
        Ok(runtime) => {
            // The last handle of the transport takes its dials along.
            let dialing = async move {
                closed
                    .run_until_cancelled(dial.begin(slot, guard, pause))
                    .await
            };
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
    /// A task is alive as long as this.
    bell: Bell,
}

impl Dial {
    /// One that follows a failed dial, or a peer that asked for calm, pauses first, and may find itself
    /// needless then.
    async fn begin(self, slot: Slot, guard: DialGuard, pause: Duration) {
        if pause > Duration::ZERO {
            tokio::time::sleep(pause).await;
            let pool = self.pool.upgrade();
            if pool.is_none_or(|pool| !pool.wants_dial()) {
                drop(slot);
                return guard.abandon();
            }
        }
        self.run(slot, guard).await;
    }

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
