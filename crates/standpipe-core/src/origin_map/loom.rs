//! Models of the map: two who meet at one origin.

use std::sync::Arc;

use http::Uri;
use loom::thread;

use super::OriginMap;
use crate::Origin;

fn uri() -> Uri {
    Uri::from_static("http://A.b/")
}

fn origin() -> Origin {
    Origin::parse("http://a.b").unwrap()
}

/// Two make a value for a new origin at once: both go on with the one that is in the map.
#[test]
fn two_who_make_a_value_at_once_go_on_with_one() {
    loom::model(|| {
        let map = Arc::new(OriginMap::new());
        let other = Arc::clone(&map);
        let making = thread::spawn(move || other.get_or_insert_with(&uri(), |_| 1).unwrap());
        let mine = map.get_or_insert_with(&uri(), |_| 2).unwrap();
        assert_eq!(making.join().unwrap(), mine);
        assert_eq!(map.get(&uri()), Some(mine));
    });
}

/// An origin is removed while it is looked up, which remembers its spelling: no spelling stays behind
/// that would find the value that was removed.
#[test]
fn a_spelling_remembered_while_its_origin_is_removed_goes_with_it() {
    loom::model(|| {
        let map = Arc::new(OriginMap::new());
        map.insert_if_absent(&origin(), 1);
        let other = Arc::clone(&map);
        let removing = thread::spawn(move || other.remove_if(&origin(), |_| true));
        let found = map.get(&uri());
        assert_eq!(removing.join().unwrap(), Some(1));
        assert!(matches!(found, None | Some(1)));
        assert_eq!(map.get(&uri()), None);
        assert!(map.is_empty());
    });
}

/// An origin is removed while another one meets it: the one who meets it has the old value or a new one, and
/// the map has the new one or none.
#[test]
fn an_origin_met_while_it_is_removed_has_one_value_in_the_map() {
    loom::model(|| {
        let map = Arc::new(OriginMap::new());
        map.insert_if_absent(&origin(), 1);
        let other = Arc::clone(&map);
        let removing = thread::spawn(move || other.remove_if(&origin(), |value| *value == 1));
        let met = map.get_or_insert_with(&uri(), |_| 2).unwrap();
        removing.join().unwrap();
        let left = map.get_origin(&origin());
        assert_eq!(left, (met == 2).then_some(2));
        assert_eq!(map.get(&uri()), left);
    });
}

/// A value is replaced while its origin is met in a spelling that is remembered: the one who meets it has the
/// old value or the new one, and from then on every spelling finds the new one.
#[test]
fn a_spelling_remembered_while_its_value_is_replaced_finds_the_new_one() {
    loom::model(|| {
        let map = Arc::new(OriginMap::new());
        map.insert_if_absent(&origin(), 1);
        let other = Arc::clone(&map);
        let replacing = thread::spawn(move || other.replace_if(&origin(), 2, |value| *value == 1));
        let met = map.get_or_insert_with(&uri(), |_| unreachable!("it is known"));
        assert!(matches!(met, Ok(1 | 2)));
        assert_eq!(replacing.join().unwrap(), Ok(1));
        assert_eq!(map.get(&uri()), Some(2));
        assert_eq!(map.get_origin(&origin()), Some(2));
    });
}
