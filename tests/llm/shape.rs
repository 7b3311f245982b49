//! What the two APIs differ in.

use std::time::Duration;

use http::request::Parts;
use serde_json::Value;
use standpipe::HostConfig;
use standpipe::sse::Event;

use crate::server::{Fault, Limits, Piece, Reply};

/// How an API speaks, on both sides.
pub(crate) trait Shape: Send + Sync {
    // The server's side.

    fn host(&self) -> &'static str;

    /// Refuses what is not as the API wants it: another path, no key, no version, no JSON.
    fn refusal(&self, head: &Parts, asked: &Value) -> Option<Reply>;

    /// How many tokens the API reckons a request with.
    fn tokens_of(&self, asked: &Value) -> u32;

    /// What is left of the limits, as each answer says it.
    fn limit_headers(&self, limits: &Limits) -> Vec<(&'static str, String)>;

    fn too_fast(&self, after: Duration) -> Reply;

    fn no_money(&self) -> Reply;

    fn overloaded(&self) -> Reply;

    /// The stream of an answer that says [`TEXT`].
    fn stream(&self, fault: Fault) -> Vec<Piece>;

    // The client's side.

    fn path(&self) -> &'static str;

    /// The key and what else each request has.
    fn config(&self) -> HostConfig;

    /// The body of a request, which may take so many tokens.
    fn body(&self, prompt: &str, max_tokens: u32) -> Value;

    fn text_of(&self, event: &Event) -> Option<String>;

    fn is_last(&self, event: &Event) -> bool;

    fn is_failure(&self, event: &Event) -> bool;
}

/// What every answer says, in its tokens.
pub(crate) const TEXT: [&str; 4] = ["Water", " runs", " down", "hill."];

/// What an answer says that it has taken.
pub(crate) const INPUT_TOKENS: u32 = 25;
pub(crate) const OUTPUT_TOKENS: u32 = 15;

/// After how many tokens a stream fails that does.
const FAILS_AFTER: usize = 2;

/// The tokens of a stream up to its fault, each as `delta` writes it; true when it came to the end.
pub(crate) fn tokens(
    fault: Fault,
    keep_alive: Option<&str>,
    delta: impl Fn(&str) -> String,
) -> (Vec<Piece>, bool) {
    let mut pieces = Vec::new();
    if let Fault::SlowToken(mut left) = fault {
        const BETWEEN: Duration = Duration::from_secs(15);
        while let Some(say) = keep_alive.filter(|_| left > BETWEEN) {
            pieces.extend([Piece::Wait(BETWEEN), Piece::Say(say.to_owned())]);
            left -= BETWEEN;
        }
        pieces.push(Piece::Wait(left));
    }
    let fails = matches!(fault, Fault::InMidStream | Fault::Broken);
    let said = if fails { &TEXT[..FAILS_AFTER] } else { &TEXT };
    pieces.extend(said.iter().map(|token| Piece::Say(delta(token))));
    if matches!(fault, Fault::Broken) {
        // What was said before it arrives: a reset would take it along.
        pieces.extend([Piece::Wait(Duration::from_millis(10)), Piece::Break]);
    }
    (pieces, !fails)
}

/// The value of a header, where it is text.
pub(crate) fn header<'a>(head: &'a Parts, name: &str) -> Option<&'a str> {
    head.headers.get(name)?.to_str().ok()
}
