use std::fmt::Write as _;
use std::hash::{BuildHasher, Hasher, RandomState};

/// What stands between the parts: 32 characters by chance, so that no part has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Boundary(String);

impl Boundary {
    pub(super) fn random() -> Self {
        let mut text = String::with_capacity(32);
        for _ in 0..2 {
            // Keyed by the system's randomness; what is hashed does not matter.
            let hasher = RandomState::new().build_hasher();
            let _ = write!(text, "{:016x}", hasher.finish());
        }
        Self(text)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}
