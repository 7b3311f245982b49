//! What is counted, and how so many count at once for so little.

mod cells;
mod histogram;
mod rare;
pub(crate) mod slot;

pub(crate) use cells::{Cells, Class, Ending, Sums};
pub(crate) use histogram::{Distribution, Took};
pub(crate) use rare::{Connections, Rare, count, count_time, nanos};

use standpipe_core::sync::atomic::{AtomicU64, Ordering};

/// Adds `n`, and says what there was before. `owned` says that only this thread writes the cell: then
/// it needs no locked instruction, which is most of what counting costs.
#[inline]
fn add(cell: &AtomicU64, n: u64, owned: bool) -> u64 {
    if owned {
        let before = cell.load(Ordering::Relaxed);
        cell.store(before.wrapping_add(n), Ordering::Release);
        before
    } else {
        cell.fetch_add(n, Ordering::Release)
    }
}
