#[cfg(all(test, standpipe_loom))]
mod loom;
mod tables;
#[cfg(test)]
mod tests;

use hashbrown::hash_map::Entry;
use http::Uri;

use tables::{SPELLINGS_PER_ORIGIN, Slot, Spelling, Tables, spelling_of};

use crate::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use crate::{Error, Origin};

/// One value per [`Origin`], found by a request's URI as it is written.
///
/// Looking up a known spelling hashes the authority's bytes once and allocates nothing. A new
/// spelling (`EXAMPLE.com:443`) is canonicalised once and remembered, a bounded number for each
/// origin.
///
/// No code of the caller runs under the map's lock, save `Clone` and `Drop` of `V`, which is
/// meant to be an `Arc`.
///
/// ```
/// use standpipe_core::OriginMap;
///
/// let map: OriginMap<u32> = OriginMap::new();
/// let uri = "https://Example.com:443/v1".parse().unwrap();
/// assert_eq!(map.get(&uri), None);
/// assert_eq!(map.get_or_insert_with(&uri, |_origin| 7).unwrap(), 7);
/// assert_eq!(map.get(&"https://example.com/".parse().unwrap()), Some(7));
/// ```
#[derive(Debug)]
pub struct OriginMap<V> {
    tables: RwLock<Tables<V>>,
}

impl<V> Default for OriginMap<V> {
    fn default() -> Self {
        Self {
            tables: RwLock::new(Tables::default()),
        }
    }
}

impl<V> OriginMap<V> {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many origins it holds.
    pub fn len(&self) -> usize {
        self.read().origins.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn read(&self) -> RwLockReadGuard<'_, Tables<V>> {
        self.tables.read()
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tables<V>> {
        self.tables.write()
    }
}

impl<V: Clone> OriginMap<V> {
    /// The value for the origin of `uri`, when its spelling is known or canonicalises to a known
    /// origin.
    pub fn get(&self, uri: &Uri) -> Option<V> {
        if let Some(value) = self.get_spelling(uri) {
            return Some(value);
        }
        let origin = Origin::of_uri(uri).ok()?;
        let value = self.get_origin(&origin)?;
        self.remember(uri, &origin);
        Some(value)
    }

    /// The value for the origin of `uri`, made by `make` when there is none.
    ///
    /// `make` runs outside the lock; where two callers meet, both may run theirs and the value of
    /// the first one to end stays.
    ///
    /// # Errors
    ///
    /// As [`Origin::of_uri`].
    pub fn get_or_insert_with(
        &self,
        uri: &Uri,
        make: impl FnOnce(&Origin) -> V,
    ) -> Result<V, Error> {
        if let Some(value) = self.get_spelling(uri) {
            return Ok(value);
        }
        let origin = Origin::of_uri(uri)?;
        let value = match self.get_origin(&origin) {
            Some(value) => value,
            None => self.insert_if_absent(&origin, make(&origin)),
        };
        self.remember(uri, &origin);
        Ok(value)
    }

    /// As [`get_or_insert_with`](OriginMap::get_or_insert_with), where what `make` made goes in only if
    /// `condition` still holds then, and is made again if not.
    ///
    /// `condition` runs under the lock: a [`snapshot`](OriginMap::snapshot) that is taken after it ceased to
    /// hold has all that went in while it held.
    ///
    /// # Errors
    ///
    /// As [`Origin::of_uri`].
    pub fn get_or_insert_if(
        &self,
        uri: &Uri,
        mut make: impl FnMut(&Origin) -> V,
        condition: impl Fn() -> bool,
    ) -> Result<V, Error> {
        if let Some(value) = self.get_spelling(uri) {
            return Ok(value);
        }
        let origin = Origin::of_uri(uri)?;
        let value = loop {
            if let Some(value) = self.get_origin(&origin) {
                break value;
            }
            if let Ok(value) = self.insert_if(&origin, make(&origin), &condition) {
                break value;
            }
        };
        self.remember(uri, &origin);
        Ok(value)
    }

    /// The value for `origin`.
    pub fn get_origin(&self, origin: &Origin) -> Option<V> {
        let tables = self.read();
        tables.origins.get(origin).map(|slot| slot.value.clone())
    }

    /// Puts `value` there for `origin` unless there is one; returns the one that is there now.
    pub fn insert_if_absent(&self, origin: &Origin, value: V) -> V {
        match self.insert_if(origin, value, || true) {
            Ok(value) | Err(value) => value,
        }
    }

    /// `value` comes back where there is none and `condition` does not hold.
    fn insert_if(&self, origin: &Origin, value: V, condition: impl Fn() -> bool) -> Result<V, V> {
        let mut tables = self.write();
        let slot = match tables.origins.entry(origin.clone()) {
            Entry::Occupied(slot) => slot.into_mut(),
            Entry::Vacant(_) if !condition() => return Err(value),
            Entry::Vacant(slot) => slot.insert(Slot {
                value,
                spellings: Vec::new(),
            }),
        };
        Ok(slot.value.clone())
    }

    /// Removes the value for `origin` if `condition` holds for it, and returns it.
    ///
    /// `condition` runs under the lock: no other call can find the value meanwhile.
    pub fn remove_if(&self, origin: &Origin, condition: impl FnOnce(&V) -> bool) -> Option<V> {
        self.remove_if_counted(origin, |value, _| condition(value))
    }

    /// As [`remove_if`](OriginMap::remove_if), where `condition` is also told how many clones of
    /// the value the map itself holds (one, and one for each spelling it remembers).
    ///
    /// So an `Arc` that nobody else holds can be told by its reference count, and stays so until
    /// it is removed.
    pub fn remove_if_counted(
        &self,
        origin: &Origin,
        condition: impl FnOnce(&V, usize) -> bool,
    ) -> Option<V> {
        let mut tables = self.write();
        let slot = tables.origins.get(origin)?;
        if !condition(&slot.value, 1 + slot.spellings.len()) {
            return None;
        }
        tables.remove(origin)
    }

    /// Puts `value` in the place of the one for `origin`, in every spelling, if `condition` holds for
    /// that one, and returns it.
    ///
    /// `condition` runs under the lock: every other call finds the old value or the new one.
    ///
    /// # Errors
    ///
    /// `value` itself, when there is none to replace or the condition does not hold.
    pub fn replace_if(
        &self,
        origin: &Origin,
        value: V,
        condition: impl FnOnce(&V) -> bool,
    ) -> Result<V, V> {
        let mut tables = self.write();
        let Tables { origins, spellings } = &mut *tables;
        let Some(slot) = origins.get_mut(origin) else {
            return Err(value);
        };
        if !condition(&slot.value) {
            return Err(value);
        }
        for hash in &slot.spellings {
            let rows = spellings.iter_hash_mut(*hash);
            for row in rows.filter(|row| row.origin == *origin) {
                row.value = value.clone();
            }
        }
        Ok(std::mem::replace(&mut slot.value, value))
    }

    /// All origins with their values, at one moment.
    pub fn snapshot(&self) -> Vec<(Origin, V)> {
        let tables = self.read();
        let pairs = tables.origins.iter();
        pairs
            .map(|(origin, slot)| (origin.clone(), slot.value.clone()))
            .collect()
    }

    fn get_spelling(&self, uri: &Uri) -> Option<V> {
        let (https, authority, hash) = spelling_of(uri)?;
        let tables = self.read();
        tables
            .spellings
            .find(hash, |row| row.is(https, authority))
            .map(|row| row.value.clone())
    }

    fn remember(&self, uri: &Uri, origin: &Origin) {
        let Some((https, authority, hash)) = spelling_of(uri) else {
            return;
        };
        // Asked under the lock that is shared first, so that an origin written in ever new ways
        // does not stop the others.
        if !self.read().has_room_for_spelling(origin) {
            return;
        }
        let mut tables = self.write();
        let Tables { origins, spellings } = &mut *tables;
        // The key itself, not the caller's copy of it: an origin is kept in memory once.
        let Some((origin, slot)) = origins.get_key_value_mut(origin) else {
            return;
        };
        let known = spellings
            .find(hash, |row| row.is(https, authority))
            .is_some();
        if known || slot.spellings.len() >= SPELLINGS_PER_ORIGIN {
            return;
        }
        // Most origins are spelt in one way: there may be many of them, and room for four costs more.
        slot.spellings.reserve_exact(1);
        slot.spellings.push(hash);
        let row = Spelling {
            hash,
            https,
            authority: authority.into(),
            origin: origin.clone(),
            value: slot.value.clone(),
        };
        spellings.insert_unique(hash, row, |row| row.hash);
    }
}
