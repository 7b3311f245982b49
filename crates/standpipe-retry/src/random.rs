use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use standpipe_core::sync::atomic::{AtomicU64, Ordering};

/// Numbers for jitter, without a lock: SplitMix64 (Steele, Lea, Flood, 2014) over a counter.
#[derive(Debug)]
pub(crate) struct Random(AtomicU64);

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// Seeded differently in each process and for each layer.
    pub(crate) fn unseeded() -> Self {
        Self::seeded(RandomState::new().hash_one(GOLDEN))
    }

    /// A number from 0 up to, and without, 1.
    pub(crate) fn next(&self) -> f64 {
        let mut z = self
            .0
            .fetch_add(GOLDEN, Ordering::Relaxed)
            .wrapping_add(GOLDEN);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        // The upper 53 bits are as many as a float holds exactly.
        (z >> 11) as f64 / (1u64 << 53) as f64
    }
}
