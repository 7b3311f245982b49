//! The busy hosts that a thread asked last, found without a lock.
//!
//! The map of all hosts is one lock and one reference count for all threads; at a few hundred
//! thousand requests per second, threads wait there for each other longer than all the rest takes.

use std::cell::RefCell;
use std::sync::Weak;

use http::Uri;

use crate::host::{Handle, Owner};

const PLACES: usize = 16;

thread_local! {
    static NEAR: RefCell<[Option<Near>; PLACES]> = const { RefCell::new([const { None }; PLACES]) };
}

struct Near {
    registry: usize,
    https: bool,
    ends: Ends,
    authority: Box<str>,
    /// So that a registry does not outlive its users here.
    owner: Weak<Owner>,
}

/// The first and the last eight bytes of a name, which are all of it where it has sixteen or fewer.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ends {
    head: u64,
    tail: u64,
}

pub(super) fn find(registry: usize, uri: &Uri) -> Option<Handle> {
    let (https, authority) = key_of(uri)?;
    let ends = Ends::of(authority);
    let found = NEAR.try_with(|near| {
        let near = near.try_borrow().ok()?;
        let near = near[ends.place()].as_ref()?;
        let same = near.registry == registry && near.https == https;
        (same && near.is_of(authority, ends))
            .then(|| near.owner.upgrade())
            .flatten()
    });
    found.ok().flatten().map(Handle::of)
}

#[inline(never)]
pub(super) fn keep(registry: usize, uri: &Uri, handle: &Handle) {
    let (Some((https, authority)), Some(owner)) = (key_of(uri), handle.downgrade()) else {
        return;
    };
    let ends = Ends::of(authority);
    let new = Near {
        registry,
        https,
        ends,
        authority: authority.into(),
        owner,
    };
    let _ = NEAR.try_with(|near| {
        // The one before is dropped after the borrow has ended.
        let before = near
            .try_borrow_mut()
            .ok()
            .and_then(|mut near| near[ends.place()].replace(new));
        drop(before);
    });
}

fn key_of(uri: &Uri) -> Option<(bool, &str)> {
    let https = match uri.scheme_str()? {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    Some((https, uri.authority()?.as_str()))
}

impl Near {
    #[inline]
    fn is_of(&self, authority: &str, ends: Ends) -> bool {
        self.ends == ends
            && self.authority.len() == authority.len()
            && (authority.len() <= 16 || *self.authority == *authority)
    }
}

impl Ends {
    #[inline]
    fn of(authority: &str) -> Self {
        let bytes = authority.as_bytes();
        match (bytes.first_chunk(), bytes.last_chunk()) {
            (Some(head), Some(tail)) => Self {
                head: u64::from_le_bytes(*head),
                tail: u64::from_le_bytes(*tail),
            },
            _ => Self {
                head: short(bytes),
                tail: 0,
            },
        }
    }

    /// Spreads what differs at either end: hosts of one domain, and ports of one host.
    #[inline]
    fn place(self) -> usize {
        let mixed = (self.head ^ self.tail.rotate_left(23)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 60) as usize % PLACES
    }
}

/// Of fewer than eight bytes.
#[cold]
fn short(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |word, byte| word << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_wherever_they_differ() {
        let of = |name: &str| Near {
            registry: 1,
            https: true,
            ends: Ends::of(name),
            authority: name.into(),
            owner: Weak::new(),
        };
        let mut names = vec!["".to_owned()];
        for len in 1..40 {
            let name = "a".repeat(len);
            for at in 0..len {
                let mut other = name.clone();
                other.replace_range(at..=at, "b");
                names.push(other);
            }
            names.push(name);
        }
        for (n, name) in names.iter().enumerate() {
            let near = of(name);
            for (m, other) in names.iter().enumerate() {
                assert_eq!(near.is_of(other, Ends::of(other)), n == m, "{name} {other}");
            }
        }
    }
}
