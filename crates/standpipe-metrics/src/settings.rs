use std::fmt;
use std::sync::Arc;

use standpipe_core::sync::atomic::AtomicU64;

use crate::Recorder;
use crate::label::Methods;
use crate::redact::SecretKeys;

/// What all hosts of a registry share.
pub(crate) struct Settings {
    pub(crate) recorder: Box<dyn Recorder>,
    pub(crate) methods: Methods,
    pub(crate) secret_keys: Arc<SecretKeys>,
    pub(crate) recorder_panics: AtomicU64,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("methods", &self.methods)
            .field("secret_keys", &self.secret_keys)
            .finish_non_exhaustive()
    }
}
