//! The two tables of an [`OriginMap`](super::OriginMap), which are changed together.

use std::hash::BuildHasher;
use std::sync::LazyLock;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};
use http::Uri;

use crate::Origin;

/// Spellings of one origin that are remembered; any further one is canonicalised on each use.
pub(super) const SPELLINGS_PER_ORIGIN: usize = 4;

static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);

#[derive(Debug)]
pub(super) struct Tables<V> {
    pub(super) origins: HashMap<Origin, Slot<V>, RandomState>,
    pub(super) spellings: HashTable<Spelling<V>>,
}

#[derive(Debug)]
pub(super) struct Slot<V> {
    pub(super) value: V,
    /// The hashes of this origin's rows in the other table.
    pub(super) spellings: Vec<u64>,
}

#[derive(Debug)]
pub(super) struct Spelling<V> {
    pub(super) hash: u64,
    pub(super) https: bool,
    pub(super) authority: Box<str>,
    pub(super) origin: Origin,
    pub(super) value: V,
}

impl<V> Default for Tables<V> {
    fn default() -> Self {
        Self {
            origins: HashMap::with_hasher(HASHER.clone()),
            spellings: HashTable::new(),
        }
    }
}

impl<V> Tables<V> {
    pub(super) fn has_room_for_spelling(&self, origin: &Origin) -> bool {
        let slot = self.origins.get(origin);
        slot.is_some_and(|slot| slot.spellings.len() < SPELLINGS_PER_ORIGIN)
    }

    pub(super) fn remove(&mut self, origin: &Origin) -> Option<V> {
        let slot = self.origins.remove(origin)?;
        for hash in slot.spellings {
            if let Ok(row) = self.spellings.find_entry(hash, |row| row.origin == *origin) {
                row.remove();
            }
        }
        Some(slot.value)
    }
}

impl<V> Spelling<V> {
    pub(super) fn is(&self, https: bool, authority: &str) -> bool {
        self.https == https && *self.authority == *authority
    }
}

#[inline]
pub(super) fn spelling_of(uri: &Uri) -> Option<(bool, &str, u64)> {
    let authority = uri.authority()?.as_str();
    let https = match uri.scheme_str()? {
        "http" => false,
        "https" => true,
        _ => return None,
    };
    let hash = HASHER.hash_one(authority.as_bytes()) ^ u64::from(https);
    Some((https, authority, hash))
}
