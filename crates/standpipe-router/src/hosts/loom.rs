//! Models of the hosts: services that are replaced while others make, use and evict.

use http::Uri;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use standpipe_core::Origin;

use super::Hosts;
use crate::builder::Settings;

fn hosts(max_hosts: usize) -> Arc<Hosts<usize>> {
    Arc::new(Hosts::new(Settings {
        max_hosts,
        idle: None,
        ..Settings::default()
    }))
}

/// Up to three preemptions, unless `LOOM_MAX_PREEMPTIONS` asks for more.
fn model(check: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(check);
}

fn uri(text: &'static str) -> Uri {
    Uri::from_static(text)
}

fn origin(text: &str) -> Origin {
    Origin::parse(text).unwrap()
}

/// The settings change, and the hosts are rebuilt, while a host is made: no host is left with a service made of
/// the earlier settings.
#[test]
fn a_host_made_during_a_rebuild_is_of_the_new_settings_in_the_end() {
    model(|| {
        let hosts = hosts(2);
        let settings = Arc::new(AtomicUsize::new(1));
        let (other, read) = (Arc::clone(&hosts), Arc::clone(&settings));
        let making = thread::spawn(move || {
            let new_host = |_: &Origin| read.load(Ordering::Relaxed);
            other.lease(&uri("http://a/"), new_host).unwrap().0.service
        });
        settings.store(2, Ordering::Relaxed);
        hosts.rebuild(|_, made_of| (*made_of == 1).then_some(2));
        let met = making.join().unwrap();
        assert!(matches!(met, 1 | 2));
        assert_eq!(hosts.get(&origin("http://a")).unwrap().service, 2);
    });
}

/// A host is used and its service replaced while another host comes over the bound: it does not go while a
/// request is on it, whichever of its services that has.
#[test]
fn a_host_in_use_stays_while_its_service_is_replaced_and_another_comes_over_the_bound() {
    model(|| {
        let hosts = hosts(1);
        drop(hosts.lease(&uri("http://a/"), |_| 1).unwrap());
        let other = Arc::clone(&hosts);
        let using = thread::spawn(move || {
            let lease = other.lease(&uri("http://a/"), |_| 1).unwrap();
            other.rebuild(|origin, _| (origin.host() == "a").then_some(2));
            let known = other.get(&lease.0.place.origin);
            let known = known.expect("it is in use");
            assert!(Arc::ptr_eq(&known.place, &lease.0.place));
            assert_eq!(known.service, 2);
        });
        drop(hosts.lease(&uri("http://b/"), |_| 1).unwrap());
        using.join().unwrap();
    });
}
