use std::hash::BuildHasher;
#[cfg(all(test, standpipe_loom))]
mod loom;

use std::sync::LazyLock;

use foldhash::fast::RandomState;
use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashTable};
use http::Uri;

use crate::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use crate::{Error, Origin};

/// Spellings of one origin that are remembered; any further one is canonicalised on each use.
const SPELLINGS_PER_ORIGIN: usize = 4;

static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);

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

#[derive(Debug)]
struct Tables<V> {
    origins: HashMap<Origin, Slot<V>, RandomState>,
    spellings: HashTable<Spelling<V>>,
}

#[derive(Debug)]
struct Slot<V> {
    value: V,
    /// The hashes of this origin's rows in the other table.
    spellings: Vec<u64>,
}

#[derive(Debug)]
struct Spelling<V> {
    hash: u64,
    https: bool,
    authority: Box<str>,
    origin: Origin,
    value: V,
}

impl<V> Default for OriginMap<V> {
    fn default() -> Self {
        Self {
            tables: RwLock::new(Tables {
                origins: HashMap::with_hasher(HASHER.clone()),
                spellings: HashTable::new(),
            }),
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

impl<V> Tables<V> {
    fn has_room_for_spelling(&self, origin: &Origin) -> bool {
        let slot = self.origins.get(origin);
        slot.is_some_and(|slot| slot.spellings.len() < SPELLINGS_PER_ORIGIN)
    }

    fn remove(&mut self, origin: &Origin) -> Option<V> {
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
    fn is(&self, https: bool, authority: &str) -> bool {
        self.https == https && *self.authority == *authority
    }
}

#[inline]
fn spelling_of(uri: &Uri) -> Option<(bool, &str, u64)> {
    let authority = uri.authority()?.as_str();
    let https = match uri.scheme_str()? {
        "http" => false,
        "https" => true,
        _ => return None,
    };
    let hash = HASHER.hash_one(authority.as_bytes()) ^ u64::from(https);
    Some((https, authority, hash))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn all_spellings_of_an_origin_find_one_value() {
        let map = OriginMap::new();
        let made = map
            .get_or_insert_with(&uri("https://Example.com/"), |origin| origin.to_string())
            .unwrap();
        assert_eq!(made, "https://example.com");
        for spelling in ["https://EXAMPLE.com:443/x", "HTTPS://example.COM./"] {
            let found = map.get_or_insert_with(&uri(spelling), |_| unreachable!("made twice"));
            assert_eq!(found.unwrap(), made);
        }
        assert_eq!(map.get(&uri("http://example.com/")), None);
        assert_eq!(map.len(), 1);
    }

    #[test]
    fn spellings_are_remembered_up_to_a_bound_and_found_beyond_it() {
        let map = OriginMap::new();
        for n in 0u32..64 {
            let host: String = ('a'..='f')
                .enumerate()
                .map(|(bit, c)| {
                    if n >> bit & 1 == 1 {
                        c.to_ascii_uppercase()
                    } else {
                        c
                    }
                })
                .collect();
            map.get_or_insert_with(&uri(&format!("http://{host}.x/")), |_| 1u8)
                .unwrap();
        }
        assert_eq!(map.len(), 1);
        assert_eq!(map.read().spellings.len(), SPELLINGS_PER_ORIGIN);
        // Beyond the bound a look-up only shares the lock; it would hang here if it did not.
        let reading = map.read();
        let found = std::thread::scope(|threads| {
            let finding = threads.spawn(|| map.get(&uri("http://ABCDEF.x/")));
            finding.join().unwrap()
        });
        assert_eq!(found, Some(1));
        drop(reading);
    }

    #[test]
    fn what_nobody_but_the_map_holds_is_told_by_the_count_of_its_clones() {
        let map = OriginMap::new();
        for spelling in ["http://a.b/", "http://A.b/", "http://a.B:80/"] {
            map.get_or_insert_with(&uri(spelling), |_| Arc::new(()))
                .unwrap();
        }
        let origin = Origin::parse("http://a.b").unwrap();
        let unheld = |value: &Arc<()>, copies| Arc::strong_count(value) == copies;
        let held = map.get_origin(&origin);
        assert!(map.remove_if_counted(&origin, unheld).is_none());
        drop(held);
        assert!(map.remove_if_counted(&origin, unheld).is_some());
        assert!(map.is_empty());
    }

    #[test]
    fn removal_takes_every_spelling_along_and_honours_its_condition() {
        let map = OriginMap::new();
        let value = Arc::new(());
        for spelling in ["http://a.b/", "http://A.b/", "http://a.B:80/"] {
            map.get_or_insert_with(&uri(spelling), |_| Arc::clone(&value))
                .unwrap();
        }
        let origin = Origin::parse("http://a.b").unwrap();
        assert!(map.remove_if(&origin, |_| false).is_none());
        assert!(map.remove_if(&origin, |_| true).is_some());
        assert_eq!(Arc::strong_count(&value), 1);
        assert!(map.is_empty() && map.get(&uri("http://A.b/")).is_none());
    }

    #[test]
    fn a_replaced_value_is_found_by_every_spelling_and_the_old_one_is_held_no_more() {
        let map = OriginMap::new();
        let old = Arc::new(1);
        let spellings = ["http://a.b/", "http://A.b/", "http://a.B:80/"];
        for spelling in spellings {
            map.get_or_insert_with(&uri(spelling), |_| Arc::clone(&old))
                .unwrap();
        }
        let origin = Origin::parse("http://a.b").unwrap();
        let refused = map.replace_if(&origin, Arc::new(2), |value| **value == 2);
        assert_eq!(refused.unwrap_err(), Arc::new(2));
        let replaced = map.replace_if(&origin, Arc::new(3), |value| Arc::ptr_eq(value, &old));
        drop(replaced.unwrap());
        assert_eq!(Arc::strong_count(&old), 1);
        for spelling in spellings {
            assert_eq!(map.get(&uri(spelling)), Some(Arc::new(3)), "{spelling}");
        }
        assert_eq!(map.get_origin(&origin), Some(Arc::new(3)));

        // The map's count of its own clones is still right.
        let unheld = |value: &Arc<i32>, copies| Arc::strong_count(value) == copies;
        assert!(map.remove_if_counted(&origin, unheld).is_some());
        assert!(map.replace_if(&origin, Arc::new(4), |_| true).is_err());
        assert!(map.is_empty());
    }

    #[test]
    fn wrong_uris_are_refused_and_leave_nothing_behind() {
        let map = OriginMap::<u8>::new();
        for bad in ["/relative", "ftp://a/", "http://u:p@a/"] {
            map.get_or_insert_with(&uri(bad), |_| unreachable!("made for {bad}"))
                .unwrap_err();
        }
        assert!(map.is_empty());
    }
}
