use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What is told to whom, as it happens; without a lock held.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) wait: Option<Arc<dyn Fn(Duration) + Send + Sync>>,
    pub(crate) reject: Option<Arc<dyn Fn(Option<Duration>) + Send + Sync>>,
    pub(crate) pause: Option<Arc<dyn Fn(Duration) + Send + Sync>>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("wait", &self.wait.is_some())
            .field("reject", &self.reject.is_some())
            .field("pause", &self.pause.is_some())
            .finish()
    }
}
