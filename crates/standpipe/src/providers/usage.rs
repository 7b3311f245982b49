use super::fields::fields;

/// How many tokens an answer says that it has taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenUsage {
    /// Those of the request.
    pub input: u32,
    /// Those of the answer.
    pub output: u32,
}

impl TokenUsage {
    /// Both together, for [`Settle`](crate::Settle).
    pub fn total(&self) -> u32 {
        self.input.saturating_add(self.output)
    }
}

/// The names of the counts of a request's and an answer's tokens.
const INPUT: [&[u8]; 2] = [b"input_tokens", b"prompt_tokens"];
const OUTPUT: [&[u8]; 2] = [b"output_tokens", b"completion_tokens"];

/// What the JSON of an answer, or of an event of its stream, says of the tokens it has taken: by
/// Anthropic's names or OpenAI's. None where it says nothing.
///
/// ```
/// use standpipe::providers::token_usage;
///
/// let answer = br#"{"content": [], "usage": {"input_tokens": 25, "output_tokens": 150}}"#;
/// assert_eq!(token_usage(answer).unwrap().total(), 175);
/// ```
///
/// With it a limit in tokens takes what an answer has cost, in place of what was reckoned beforehand:
///
/// ```
/// # async fn run(pool: standpipe::Pool) -> Result<(), standpipe::Error> {
/// use standpipe::{Settle, providers::token_usage};
///
/// let response = pool.post("https://api.example.com/v1/messages").cost(4_000).send().await?;
/// let settle = response.extensions().get::<Settle>().cloned();
/// let body = response.bytes().await?;
/// if let (Some(settle), Some(usage)) = (settle, token_usage(&body)) {
///     settle.settle(usage.total());
/// }
/// # Ok(()) }
/// ```
pub fn token_usage(json: &[u8]) -> Option<TokenUsage> {
    let mut found: Option<TokenUsage> = None;
    for (name, value) in fields(json) {
        let is_input = INPUT.contains(&name);
        if !is_input && !OUTPUT.contains(&name) {
            continue;
        }
        let Some(count) = std::str::from_utf8(value)
            .ok()
            .and_then(|text| text.parse().ok())
        else {
            continue;
        };
        let usage = found.get_or_insert_default();
        match is_input {
            true => usage.input = count,
            false => usage.output = count,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_vendors_names_are_read() {
        for (json, input, output) in [
            (
                r#"{"usage":{"input_tokens":25,"cache_read_input_tokens":9,"output_tokens":150}}"#,
                25,
                150,
            ),
            (
                r#"{"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,
                    "completion_tokens_details":{"reasoning_tokens":4}}}"#,
                19,
                10,
            ),
            (
                r#"{"type":"message_delta","usage":{"output_tokens":15}}"#,
                0,
                15,
            ),
        ] {
            assert_eq!(
                token_usage(json.as_bytes()),
                Some(TokenUsage { input, output }),
                "{json}"
            );
        }
        for nothing in [
            "",
            "{}",
            r#"{"usage":null}"#,
            r#"{"text":"\"input_tokens\": 5"}"#,
        ] {
            assert_eq!(token_usage(nothing.as_bytes()), None, "{nothing}");
        }
    }
}
