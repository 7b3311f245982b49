//! Lookups under way, each shared by all who ask for its name meanwhile.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{Shared, WeakShared};
use standpipe_core::sync::Mutex;
use standpipe_core::{Error, ErrorKind};

use super::fault;
use super::resolver::BoxResolver;
use crate::dial::Bound;

type Answer = Result<Arc<[SocketAddr]>, Error>;
type Lookup = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A resolver that is asked once for a name, however many ask for it at the same time.
///
/// Whoever waits drives the lookup, so it belongs to nobody in particular: one that goes away
/// leaves it to the others, and with the last of them it ends.
#[derive(Debug)]
pub(crate) struct Lookups {
    resolver: BoxResolver,
    under_way: Mutex<UnderWay>,
}

#[derive(Debug, Default)]
struct UnderWay {
    by_name: HashMap<Box<str>, (u64, WeakShared<Lookup>)>,
    begun: u64,
}

impl Lookups {
    pub(crate) fn new(resolver: BoxResolver) -> Arc<Self> {
        Arc::new(Self {
            resolver,
            under_way: Mutex::default(),
        })
    }

    /// The addresses of `name`, of which there is at least one.
    pub(crate) async fn resolve(self: &Arc<Self>, name: &str, limit: Option<Duration>) -> Answer {
        let (number, lookup) = self.join(name);
        let bound = Bound::begin(limit);
        let answer = bound.keep(ErrorKind::DnsTimeout, lookup).await;
        if matches!(&answer, Err(error) if error.kind() == ErrorKind::DnsTimeout) {
            // Nobody else shall join what has hung for so long.
            self.forget(name, number);
        }
        answer
    }

    fn join(self: &Arc<Self>, name: &str) -> (u64, Shared<Lookup>) {
        let mut under_way = self.under_way.lock();
        if let Some((number, lookup)) = under_way.by_name.get(name)
            && let Some(lookup) = lookup.upgrade()
        {
            return (*number, lookup);
        }
        under_way.begun += 1;
        let number = under_way.begun;
        let lookup = self.begin(name, number).shared();
        if let Some(weak) = lookup.downgrade() {
            under_way.by_name.insert(name.into(), (number, weak));
        }
        (number, lookup)
    }

    /// No code of the resolver's runs before the first poll, for this is called under the lock.
    fn begin(self: &Arc<Self>, name: &str, number: u64) -> Lookup {
        let entry = Entry {
            lookups: Arc::downgrade(self),
            name: name.into(),
            number,
        };
        let resolver = Arc::clone(&self.resolver);
        Box::pin(async move {
            let lookup = async { resolver.resolve(&entry.name).await };
            match AssertUnwindSafe(lookup).catch_unwind().await {
                Ok(Ok(addresses)) if addresses.is_empty() => Err(fault::empty()),
                Ok(Ok(addresses)) => Ok(addresses.into()),
                Ok(Err(error)) => Err(fault::of_resolver(error)),
                // All who share the lookup shall hear of it, not find a future that panicked.
                Err(_) => Err(Error::new(ErrorKind::Dns).with_message("the resolver panicked")),
            }
        })
    }

    fn forget(&self, name: &str, number: u64) {
        let mut under_way = self.under_way.lock();
        if matches!(under_way.by_name.get(name), Some((there, _)) if *there == number) {
            under_way.by_name.remove(name);
        }
    }
}

/// A lookup's place in the list, which ends with it.
struct Entry {
    lookups: Weak<Lookups>,
    name: Box<str>,
    number: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(lookups) = self.lookups.upgrade() {
            lookups.forget(&self.name, self.number);
        }
    }
}
