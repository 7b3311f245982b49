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
    authority: Box<str>,
    /// So that a registry does not outlive its users here.
    owner: Weak<Owner>,
}

pub(super) fn find(registry: usize, uri: &Uri) -> Option<Handle> {
    let (https, authority) = key_of(uri)?;
    let found = NEAR.try_with(|near| {
        let near = near.try_borrow().ok()?;
        let near = near[place_of(authority)].as_ref()?;
        let same =
            near.registry == registry && near.https == https && *near.authority == *authority;
        same.then(|| near.owner.upgrade()).flatten()
    });
    found.ok().flatten().map(Handle::of)
}

#[inline(never)]
pub(super) fn keep(registry: usize, uri: &Uri, handle: &Handle) {
    let (Some((https, authority)), Some(owner)) = (key_of(uri), handle.downgrade()) else {
        return;
    };
    let new = Near {
        registry,
        https,
        authority: authority.into(),
        owner,
    };
    let _ = NEAR.try_with(|near| {
        // The one before is dropped after the borrow has ended.
        let before = near
            .try_borrow_mut()
            .ok()
            .and_then(|mut near| near[place_of(authority)].replace(new));
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

/// Spreads what differs at either end: hosts of one domain, and ports of one host.
fn place_of(authority: &str) -> usize {
    let bytes = authority.as_bytes();
    let (head, tail) = match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => (short(bytes), 0),
    };
    let mixed = (head ^ tail.rotate_left(23)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 60) as usize % PLACES
}

/// Of fewer than eight bytes.
#[cold]
fn short(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |word, byte| word << 8 | u64::from(*byte))
}
