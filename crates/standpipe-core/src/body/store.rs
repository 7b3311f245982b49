use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::memory::Reserved;

/// Pieces from this size on are kept as they are; smaller ones are copied together, so that a body
/// of many small pieces takes no more memory than its bytes.
const KEPT_WHOLE: usize = 4096;

/// The bytes and trailers that were read from a body so far.
#[derive(Debug, Default)]
pub(super) struct Store {
    pieces: Vec<Bytes>,
    tail: BytesMut,
    length: usize,
    trailers: Option<HeaderMap>,
    reserved: Reserved,
}

impl Store {
    /// Adds `bytes`, unless that would be more than `cap` in all, or than the process may keep. Whether it
    /// did.
    pub(super) fn push(&mut self, bytes: &Bytes, cap: usize) -> bool {
        match self.length.checked_add(bytes.len()) {
            Some(length) if length <= cap && self.reserved.grow(bytes.len()) => {
                self.length = length;
            }
            _ => return false,
        }
        if bytes.len() < KEPT_WHOLE {
            self.tail.extend_from_slice(bytes);
        } else {
            self.seal();
            self.pieces.push(bytes.clone());
        }
        true
    }

    pub(super) fn set_trailers(&mut self, trailers: HeaderMap) {
        self.trailers = Some(trailers);
    }

    pub(super) fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }

    /// Makes all that is kept readable as pieces.
    pub(super) fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push(std::mem::take(&mut self.tail).freeze());
        }
    }

    /// The piece at `index`, of those that are sealed.
    pub(super) fn piece(&self, index: usize) -> Option<&Bytes> {
        self.pieces.get(index)
    }

    pub(super) fn sealed(&self) -> usize {
        self.pieces.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0 && self.trailers.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::memory::ReplayMemory;

    #[test]
    fn small_pieces_are_copied_together_and_large_ones_are_not_copied() {
        let mut store = Store::default();
        for byte in b"abc" {
            assert!(store.push(&Bytes::copy_from_slice(&[*byte]), 10_000));
        }
        let large = Bytes::from(vec![7; KEPT_WHOLE]);
        assert!(store.push(&large, 10_000));
        store.seal();
        assert_eq!(store.sealed(), 2);
        assert_eq!(store.piece(0).unwrap(), "abc");
        assert_eq!(store.piece(1).unwrap().as_ptr(), large.as_ptr());
    }

    /// RTY-15
    #[test]
    fn what_would_pass_the_cap_is_not_taken() {
        let mut store = Store::default();
        assert!(store.push(&Bytes::from_static(b"1234"), 5));
        assert!(!store.push(&Bytes::from_static(b"56"), 5));
        assert!(store.push(&Bytes::from_static(b"5"), 5));
    }

    #[test]
    fn what_the_process_has_no_room_for_is_not_taken() {
        static MEMORY: ReplayMemory = ReplayMemory::new(5);
        let store = || Store {
            reserved: Reserved::in_memory(&MEMORY),
            ..Store::default()
        };
        let (mut one, mut two) = (store(), store());
        assert!(one.push(&Bytes::from_static(b"123"), 10));
        assert!(!two.push(&Bytes::from_static(b"456"), 10));
        assert!(two.push(&Bytes::from_static(b"45"), 10));
        drop(one);
        assert_eq!(MEMORY.used(), 2);
        assert!(two.push(&Bytes::from_static(b"678"), 10));
    }
}
