//! What is counted, and how so many count at once for so little.

mod cells;
mod histogram;
mod rare;
pub(crate) mod slot;

pub(crate) use cells::{Cells, Class, Ending, Sums};
pub(crate) use histogram::Distribution;
pub(crate) use rare::{Connections, Rare, count, count_time, nanos};

use standpipe_core::sync::atomic::{AtomicU64, Ordering};

/// Adds `n`. `owned` says that only this thread writes the cell: then it needs no locked
/// instruction, which is most of what counting costs.
#[inline]
fn add(cell: &AtomicU64, n: u64, owned: bool) {
    if owned {
        let sum = cell.load(Ordering::Relaxed).wrapping_add(n);
        cell.store(sum, Ordering::Release);
    } else {
        cell.fetch_add(n, Ordering::Release);
    }
}
