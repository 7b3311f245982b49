use std::collections::VecDeque;

use bytes::Bytes;

const ZEROS: &[u8] = &[0; 16 * 1024];

/// Bytes of a body, of which runs of zeros take no memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    parts: VecDeque<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Bytes(Bytes),
    Zeros(u64),
}

impl Content {
    pub(super) fn push(&mut self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        if !bytes.is_empty() {
            self.parts.push_back(Part::Bytes(bytes));
        }
    }

    pub(super) fn push_zeros(&mut self, n: u64) {
        if n > 0 {
            self.parts.push_back(Part::Zeros(n));
        }
    }

    pub(super) fn len(&self) -> u64 {
        let len = |part: &Part| match part {
            Part::Bytes(bytes) => bytes.len() as u64,
            Part::Zeros(n) => *n,
        };
        self.parts.iter().map(len).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Makes it `n` bytes long where it is shorter.
    pub(super) fn fill(&mut self, n: u64) {
        let missing = n.saturating_sub(self.len());
        let missing = usize::try_from(missing).expect("a body that fits into memory");
        self.push(vec![b'.'; missing]);
    }

    /// Takes up to `max` bytes from the front.
    pub(super) fn take(&mut self, max: usize) -> Bytes {
        let Some(part) = self.parts.front_mut() else {
            return Bytes::new();
        };
        let (taken, left) = match part {
            Part::Bytes(bytes) => {
                let taken = bytes.split_to(bytes.len().min(max));
                (taken, bytes.len() as u64)
            }
            Part::Zeros(left) => {
                let run = usize::try_from(*left).unwrap_or(usize::MAX);
                let taken = Bytes::from_static(&ZEROS[..run.min(max).min(ZEROS.len())]);
                *left -= taken.len() as u64;
                (taken, *left)
            }
        };
        if left == 0 {
            self.parts.pop_front();
        }
        taken
    }
}
