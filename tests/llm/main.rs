//! Two published APIs of language models, end to end: their servers behave as the real ones do, and one
//! pool speaks to both. Over TLS and HTTP/2 on a network in memory, by a clock that is paused.

mod anthropic;
mod client;
mod limits;
mod openai;
mod retries;
mod server;
mod shape;
mod streams;
mod together;

use std::time::Duration;

use shape::Shape;

/// One of the APIs.
type Of = &'static dyn Shape;

const ANTHROPIC: Of = &anthropic::Anthropic;
const OPENAI: Of = &openai::OpenAi;

/// How many tokens an answer may have.
const MAX_TOKENS: u32 = 175;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}
