use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use standpipe_core::Error;

use super::OriginPool;
use super::state::Warmth;

/// The future of [`Transport::warm`](crate::Transport::warm).
#[must_use = "futures do nothing unless polled"]
#[derive(Debug)]
pub struct Warm {
    pool: Arc<OriginPool>,
    watcher: u64,
    target: usize,
    /// How many dials may yet begin. So a peer that closes what was opened is not dialled for ever.
    dials: usize,
}

impl Warm {
    pub(crate) fn new(pool: Arc<OriginPool>, target: usize) -> Self {
        Self {
            watcher: pool.watch(),
            dials: target,
            target,
            pool,
        }
    }
}

impl Future for Warm {
    type Output = Result<usize, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            let more = this.dials > 0;
            match this.pool.poll_watcher(this.watcher, this.target, more, cx) {
                Warmth::Done(done) => {
                    let origin = this.pool.key.origin();
                    return Poll::Ready(done.map_err(|error| error.with_origin(origin.clone())));
                }
                Warmth::Wait(spent) => {
                    drop(spent);
                    return Poll::Pending;
                }
                Warmth::MayDial => {
                    // Without a free permit nothing more can be had now.
                    this.dials = if this.pool.dial_ahead() {
                        this.dials - 1
                    } else {
                        0
                    };
                }
            }
        }
    }
}

impl Drop for Warm {
    fn drop(&mut self) {
        self.pool.unwatch(self.watcher);
    }
}
