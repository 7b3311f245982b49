//! Anthropic's Messages.

use std::time::Duration;

use http::request::Parts;
use serde_json::{Value, json};
use standpipe::HostConfig;
use standpipe::sse::Event;

use crate::server::{Fault, Limits, Piece, Reply};
use crate::shape::{INPUT_TOKENS, OUTPUT_TOKENS, Shape, header, tokens};

pub(crate) const KEY: &str = "sk-ant-of-the-test";

pub(crate) struct Anthropic;

fn event(name: &str, mut data: Value) -> String {
    data["type"] = name.into();
    format!("event: {name}\ndata: {data}\n\n")
}

fn error(kind: &str, message: &str) -> Value {
    json!({ "type": "error", "error": { "type": kind, "message": message }, "request_id": "req_011C" })
}

impl Shape for Anthropic {
    fn host(&self) -> &'static str {
        "api.anthropic.com"
    }

    fn refusal(&self, head: &Parts, asked: &Value) -> Option<Reply> {
        let (status, kind) = if head.uri.path() != self.path() || head.method != http::Method::POST
        {
            (404, "not_found_error")
        } else if header(head, "x-api-key") != Some(KEY) {
            (401, "authentication_error")
        } else if header(head, "anthropic-version") != Some("2023-06-01")
            || header(head, "content-type") != Some("application/json")
            || !asked["messages"].is_array()
            || !asked["max_tokens"].is_u64()
        {
            (400, "invalid_request_error")
        } else {
            return None;
        };
        Some(Reply::json(status, &error(kind, "refused")))
    }

    fn tokens_of(&self, asked: &Value) -> u32 {
        let output = asked["max_tokens"].as_u64().unwrap_or_default();
        INPUT_TOKENS + u32::try_from(output).unwrap_or(u32::MAX)
    }

    fn limit_headers(&self, limits: &Limits) -> Vec<(&'static str, String)> {
        let reset = humantime::format_rfc3339_seconds(limits.now + limits.reset).to_string();
        vec![
            (
                "anthropic-ratelimit-requests-limit",
                limits.requests.amount.to_string(),
            ),
            (
                "anthropic-ratelimit-requests-remaining",
                limits.requests.remaining().to_string(),
            ),
            ("anthropic-ratelimit-requests-reset", reset.clone()),
            (
                "anthropic-ratelimit-tokens-limit",
                limits.tokens.amount.to_string(),
            ),
            (
                "anthropic-ratelimit-tokens-remaining",
                limits.tokens.remaining().to_string(),
            ),
            ("anthropic-ratelimit-tokens-reset", reset),
            ("request-id", "req_011C".to_owned()),
        ]
    }

    fn too_fast(&self, after: Duration) -> Reply {
        let body = error(
            "rate_limit_error",
            "This request would exceed your rate limit",
        );
        Reply::json(429, &body).header("retry-after", after.as_secs_f64().ceil() as u64)
    }

    fn no_money(&self) -> Reply {
        let mut body = error(
            "rate_limit_error",
            "Your organization has reached its spend limit",
        );
        body["error"]["details"] = json!({ "error_code": "enforced_spend_limit_reached" });
        Reply::json(429, &body)
    }

    fn overloaded(&self) -> Reply {
        Reply::json(529, &error("overloaded_error", "Overloaded"))
    }

    fn stream(&self, fault: Fault) -> Vec<Piece> {
        let start = json!({ "message": {
            "id": "msg_01", "type": "message", "role": "assistant", "content": [], "stop_reason": null,
            "usage": { "input_tokens": INPUT_TOKENS, "output_tokens": 1 },
        }});
        let block = json!({ "index": 0, "content_block": { "type": "text", "text": "" } });
        let ping = event("ping", json!({}));
        let mut pieces = vec![Piece::Say(
            event("message_start", start) + &event("content_block_start", block) + &ping,
        )];
        let (said, complete) = tokens(fault, Some(&ping), |token| {
            let delta = json!({ "index": 0, "delta": { "type": "text_delta", "text": token } });
            event("content_block_delta", delta)
        });
        pieces.extend(said);
        if complete {
            let usage = json!({
                "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": OUTPUT_TOKENS },
            });
            pieces.push(Piece::Say(
                event("content_block_stop", json!({ "index": 0 }))
                    + &event("message_delta", usage)
                    + &event("message_stop", json!({})),
            ));
        } else if matches!(fault, Fault::InMidStream) {
            let overloaded = error("overloaded_error", "Overloaded");
            pieces.push(Piece::Say(event("error", overloaded)));
        }
        pieces
    }

    fn path(&self) -> &'static str {
        "/v1/messages"
    }

    fn config(&self) -> HostConfig {
        HostConfig::new()
            .default_header("x-api-key", KEY)
            .default_header("anthropic-version", "2023-06-01")
    }

    fn body(&self, prompt: &str, max_tokens: u32) -> Value {
        json!({
            "model": "claude", "max_tokens": max_tokens, "stream": true,
            "messages": [{ "role": "user", "content": prompt }],
        })
    }

    fn text_of(&self, event: &Event) -> Option<String> {
        let data: Value = event.json().ok()?;
        Some(data["delta"]["text"].as_str()?.to_owned())
    }

    fn is_last(&self, event: &Event) -> bool {
        event.name() == "message_stop"
    }

    fn is_failure(&self, event: &Event) -> bool {
        event.name() == "error"
    }
}
