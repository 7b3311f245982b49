use std::sync::Arc;

use super::tables::SPELLINGS_PER_ORIGIN;
use super::*;

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
