use std::fmt;
use std::sync::Arc;

use standpipe_metrics::{HostLabels, HostRecord, Recorder};

/// A recorder that a builder and its clones have in common.
#[derive(Clone)]
pub(super) struct SharedRecorder(Arc<dyn Recorder>);

impl SharedRecorder {
    pub(super) fn new(recorder: impl Recorder) -> Self {
        Self(Arc::new(recorder))
    }
}

impl Recorder for SharedRecorder {
    fn host(&self, host: &HostLabels<'_>) -> Option<Arc<dyn HostRecord>> {
        self.0.host(host)
    }
}

impl fmt::Debug for SharedRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder")
    }
}
