//! What is known of particular APIs, as data. The layers know none of it: they take what is here through
//! [`PoolConfig::llm`](crate::PoolConfig::llm), [`PoolConfig::provider_errors`](crate::PoolConfig::provider_errors)
//! and what users hand on.
//!
//! The facts are those of the providers' pages and of their own clients, as of autumn 2026. How much an
//! answer's headers say is left of a limit is read by the rate limiter itself, for all of them.

mod errors;
mod fields;
mod usage;

pub use errors::{FINAL_ERRORS, FinalError, classify};
pub use usage::{TokenUsage, token_usage};

/// The statuses upon which the APIs of language models are asked again: those of their own clients, less
/// 409, which to most APIs is a conflict that stays. 529 is Anthropic's word for being overloaded.
pub const RETRY_STATUSES: [u16; 7] = [408, 429, 500, 502, 503, 504, 529];

/// Headers that carry keys, or tell whose they are: what
/// [`PoolConfig::secret_headers`](crate::PoolConfig::secret_headers) holds for these APIs.
pub const SECRET_HEADERS: [&str; 6] = [
    "authorization",
    // Anthropic.
    "x-api-key",
    "anthropic-*",
    "openai-*",
    // Azure.
    "api-key",
    // Gemini.
    "x-goog-api-key",
];
