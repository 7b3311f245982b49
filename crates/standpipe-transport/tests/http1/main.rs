//! HTTP/1.1 against a server that is played by hand: what keeps a connection, what ends it, and what is
//! refused.

mod ends;
mod expect;
mod framing;
mod informational;
#[path = "../support/polls.rs"]
mod polls;
#[path = "../support/scripted.rs"]
mod scripted;
mod smuggling;
#[path = "../support/mod.rs"]
mod support;
mod targets;
mod upload;
