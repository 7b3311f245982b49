#![doc = include_str!("../README.md")]

mod body;
mod classify;
mod closing;
mod connection;
#[cfg(feature = "serde")]
#[doc(hidden)]
pub mod data;
mod deadline;
mod error;
#[doc(hidden)]
pub mod oneshot;
mod origin;
mod origin_map;
#[doc(hidden)]
pub mod queue;
mod resend;
#[doc(hidden)]
pub mod sync;

pub use body::{Body, Replay, ReplayBody, Unread};
pub use classify::{Classify, HttpClassifier, Outcome};
pub use closing::{Closed, Closing};
pub use connection::{ConnectionFacts, ConnectionInfo};
pub use deadline::Deadline;
pub use error::{BoxError, Error, ErrorKind, Phase, RequestSent, RetryInfo};
pub use origin::{Origin, parse_uri};
pub use origin_map::OriginMap;
pub use resend::ResendCount;
