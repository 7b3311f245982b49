use std::sync::Arc;

use standpipe_core::sync::atomic::AtomicU64;

use super::Registry;
use crate::Recorder;
use crate::label::Methods;
use crate::redact::SecretKeys;
use crate::settings::Settings;

/// How a [`Registry`] will be; see [`Registry::builder`].
#[must_use = "a registry counts when it is built"]
pub struct RegistryBuilder {
    recorder: Box<dyn Recorder>,
    max_hosts: usize,
    methods: Methods,
    secret_keys: SecretKeys,
}

impl RegistryBuilder {
    pub(super) fn new() -> Self {
        Self {
            recorder: Box::new(()),
            max_hosts: 1_000,
            methods: Methods::default(),
            secret_keys: SecretKeys::default(),
        }
    }

    /// Tells `recorder` too what happens. `()`, which is the default, is told nothing.
    pub fn recorder(mut self, recorder: impl Recorder) -> Self {
        self.recorder = Box::new(recorder);
        self
    }

    /// How many hosts have an entry and series of their own; any further one counts for `_OTHER`.
    /// 1,000 unless set. With 0 all hosts are one.
    pub fn max_hosts(mut self, n: usize) -> Self {
        self.max_hosts = n;
        self
    }

    /// The methods that are labels by name, in place of the well-known ones; any other is `_OTHER`.
    /// They are compared with regard to case, and the first 64 count.
    pub fn known_methods<'a>(mut self, methods: impl IntoIterator<Item = &'a str>) -> Self {
        self.methods = Methods::new(methods);
        self
    }

    /// The query parameters whose values are left out of a span's `url.full`, in place of
    /// [`SECRET_QUERY_KEYS`](crate::SECRET_QUERY_KEYS). They are compared without regard to case.
    pub fn secret_query_keys<K: AsRef<str>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.secret_keys = SecretKeys::new(keys);
        self
    }

    /// Builds the registry.
    pub fn build(self) -> Registry {
        let settings = Settings {
            recorder: self.recorder,
            methods: self.methods,
            secret_keys: Arc::new(self.secret_keys),
            recorder_panics: AtomicU64::new(0),
        };
        Registry::of(settings, self.max_hosts)
    }
}

impl std::fmt::Debug for RegistryBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryBuilder")
            .field("max_hosts", &self.max_hosts)
            .field("methods", &self.methods)
            .finish_non_exhaustive()
    }
}
