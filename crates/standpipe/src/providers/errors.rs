use standpipe_retry::{Peeked, Verdict};

use super::fields::fields;

/// An error that stays until somebody pays or raises a limit, though its status is one that passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FinalError {
    /// Whose it is.
    pub api: &'static str,
    /// The field of the body's JSON that says it, at whatever depth.
    pub field: &'static str,
    /// What that says.
    pub value: &'static str,
}

const fn openai(field: &'static str, value: &'static str) -> FinalError {
    FinalError {
        api: "OpenAI",
        field,
        value,
    }
}

const fn anthropic(field: &'static str, value: &'static str) -> FinalError {
    FinalError {
        api: "Anthropic",
        field,
        value,
    }
}

/// The errors that [`classify`] takes as final.
pub const FINAL_ERRORS: &[FinalError] = &[
    openai("type", "insufficient_quota"),
    openai("code", "insufficient_quota"),
    openai("code", "credit_balance_exhausted"),
    openai("code", "organization_spend_limit_exceeded"),
    openai("code", "project_spend_limit_exceeded"),
    openai("code", "organization_usage_limit_exceeded"),
    anthropic("error_code", "enforced_spend_limit_reached"),
];

/// Says of an answer whether one of [`FINAL_ERRORS`] is in its body; what
/// [`PoolConfig::provider_errors`](crate::PoolConfig::provider_errors) asks.
///
/// A body that is cut off, or is no JSON, is read as far as it goes.
pub fn classify(answer: &Peeked<'_>) -> Verdict {
    verdict_on(answer.body)
}

fn verdict_on(body: &[u8]) -> Verdict {
    let is_final = |(field, value): (&[u8], &[u8])| {
        let same =
            |known: &FinalError| known.field.as_bytes() == field && known.value.as_bytes() == value;
        FINAL_ERRORS.iter().any(same)
    };
    match fields(body).any(is_final) {
        true => Verdict::Final,
        false => Verdict::Retry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_no_money_left_is_told_from_who_is_too_fast() {
        for body in [
            r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota",
                "param":null,"code":"credit_balance_exhausted"}}"#,
            r#"{ "error": { "type": "requests", "code": "project_spend_limit_exceeded" } }"#,
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"spent",
                "details":{"error_code":"enforced_spend_limit_reached"}}}"#,
            // Cut off behind it.
            r#"{"error":{"code":"insufficient_quota","message":"You exc"#,
        ] {
            assert_eq!(verdict_on(body.as_bytes()), Verdict::Final, "{body}");
        }
        for body in [
            r#"{"error":{"type":"requests","code":"rate_limit_exceeded"}}"#,
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}"#,
            r#"{"error":{"message":"not \"code\": \"insufficient_quota\", but too fast"}}"#,
            r#"{"error":{"message":"insufficient_quota"}}"#,
            "<html>429</html>",
            "",
        ] {
            assert_eq!(verdict_on(body.as_bytes()), Verdict::Retry, "{body}");
        }
    }

    #[test]
    fn each_error_of_the_table_is_final() {
        for known in FINAL_ERRORS {
            let body = format!(r#"{{"error":{{"{}":"{}"}}}}"#, known.field, known.value);
            assert_eq!(verdict_on(body.as_bytes()), Verdict::Final, "{known:?}");
        }
    }
}
