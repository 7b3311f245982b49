use std::time::Duration;

/// What happens between a [`RedisStore`](crate::RedisStore) and its Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedisEvent {
    /// Redis does not answer, or not in time: from now on the fallback decides.
    Lost {
        /// What the last request to it failed with.
        error: String,
    },
    /// Redis answers again and decides.
    Back {
        /// How long it was away.
        after: Duration,
    },
}
