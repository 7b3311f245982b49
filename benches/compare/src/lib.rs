//! What a request costs: the clients that are compared, and the load that is put on them.
//!
//! `benches/compare/run` builds this, runs it and prints the table. To add a client, add a function
//! to `clients.rs` and its name to the `match` there.

mod clients;
mod command;
mod load;

pub use clients::run;
pub use command::command;
pub use load::{Load, Protocol};

/// Any error; a benchmark stops at the first one.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The length of the body that the server answers with.
pub const BODY: usize = 128;
