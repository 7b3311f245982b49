#![doc = include_str!("../README.md")]

mod again;
mod attempt;
mod backoff;
mod budget;
mod copy;
mod drain;
mod facts;
mod future;
mod head;
mod hooks;
mod layer;
mod outcome;
mod peek;
mod plan;
mod policy;
mod random;
mod request;
mod retry_after;
mod service;
mod shared;
mod stats;

pub use attempt::Attempt;
pub use backoff::{Backoff, ExponentialBackoff, Jitter};
#[cfg(feature = "tower")]
pub use budget::TowerBudget;
pub use budget::{Budget, BudgetPolicy, RetryBudget};
pub use future::ResponseFuture;
pub use hooks::{GiveUpEvent, GiveUpReason, RetryEvent};
pub use layer::{RetryLayer, SharedRetryLayer};
pub use peek::{NoPeek, Peek, Peeked, Peeker, Verdict};
pub use policy::{Decision, Methods, Policy, RetryPolicy, TooLong};
pub use request::RequestRetry;
pub use retry_after::parse_retry_after;
pub use service::{Retry, RetryHandle};
pub use stats::RetryStats;
