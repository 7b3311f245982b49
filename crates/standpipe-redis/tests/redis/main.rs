//! Against a real redis-server, which each test starts on a port of its own, but for one that is
//! silent. Times are real, as the server's are; no test depends on how long the machine takes.

mod fleet;
mod outage;
mod store;

use std::num::NonZeroU32;
use std::time::Duration;

use redis::Client;
use standpipe_rate_limit::{Ask, Charge, Quota, Store, Verdict};
use standpipe_redis::RedisStore;
use standpipe_test::external::Redis;

pub(crate) fn n(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

pub(crate) fn client(redis: &Redis) -> Client {
    Client::open(redis.url()).unwrap()
}

/// A store with time enough for a busy machine.
pub(crate) fn store(redis: &Redis, name: &str) -> RedisStore {
    RedisStore::new(client(redis), name, n(4)).timeout(Duration::from_secs(5))
}

/// One in each hour, `burst` at once: what is admitted is the burst.
pub(crate) fn hourly(burst: u32) -> Quota {
    Quota::per_hour(n(1)).burst(n(burst))
}

pub(crate) fn ask(charges: &[(Quota, u32)], longest: Duration) -> Ask {
    let charge = |&(quota, units): &(Quota, u32)| Charge::new(quota, units);
    Ask::new(charges.iter().map(charge).collect(), longest)
}

/// Whether `store` admits at once.
pub(crate) async fn admits(store: &RedisStore, charges: &[(Quota, u32)]) -> bool {
    let answer = store.admit(ask(charges, Duration::ZERO)).await;
    matches!(answer.verdict, Verdict::Admitted { .. })
}
