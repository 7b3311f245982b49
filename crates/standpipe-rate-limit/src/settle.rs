use std::sync::Arc;

use standpipe_core::sync::atomic::{AtomicU32, Ordering};

use crate::shared::Shared;

/// Says what a request cost in the end, once its answer is known; it is in the extensions of each
/// response under a quota by cost.
///
/// What was taken too little becomes a debt, which those after it wait for; what was taken too much
/// is given back. Without it the estimate stands.
///
/// ```
/// use standpipe_rate_limit::Settle;
///
/// fn read_usage<B>(response: &http::Response<B>, tokens: u32) {
///     if let Some(settle) = response.extensions().get::<Settle>() {
///         settle.settle(tokens);
///     }
/// }
/// ```
///
/// # Clone
///
/// All clones settle the same request: what is said last counts, and said twice counts once.
#[derive(Clone, Debug)]
pub struct Settle(Arc<Account>);

#[derive(Debug)]
struct Account {
    shared: Arc<Shared>,
    charged: AtomicU32,
}

impl Settle {
    pub(crate) fn new(shared: Arc<Shared>, charged: u32) -> Self {
        Self(Arc::new(Account {
            shared,
            charged: AtomicU32::new(charged),
        }))
    }

    /// The request cost `actual` units.
    ///
    /// Where the quota is in a [`Store`](crate::Store), the difference goes there with this
    /// process's next admission.
    pub fn settle(&self, actual: u32) {
        let charged = self.0.charged.swap(actual, Ordering::AcqRel);
        if charged != actual {
            self.0.shared.settle(i64::from(actual) - i64::from(charged));
        }
    }

    /// The units taken for the request so far.
    pub fn charged(&self) -> u32 {
        self.0.charged.load(Ordering::Acquire)
    }
}
