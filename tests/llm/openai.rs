//! OpenAI's Chat Completions.

use std::time::Duration;

use http::request::Parts;
use serde_json::{Value, json};
use standpipe::HostConfig;
use standpipe::sse::Event;

use crate::server::{Fault, Limits, Piece, Reply};
use crate::shape::{INPUT_TOKENS, OUTPUT_TOKENS, Shape, header, tokens};

pub(crate) const KEY: &str = "sk-proj-of-the-test";

pub(crate) struct OpenAi;

fn data(data: &Value) -> String {
    format!("data: {data}\n\n")
}

fn chunk(choices: &Value, usage: &Value) -> String {
    data(&json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "gpt",
        "choices": choices, "usage": usage,
    }))
}

fn delta(delta: &Value, finish: Option<&str>) -> String {
    chunk(
        &json!([{ "index": 0, "delta": delta, "finish_reason": finish }]),
        &Value::Null,
    )
}

fn error(kind: &str, code: &str, message: &str) -> Value {
    json!({ "error": { "message": message, "type": kind, "param": null, "code": code } })
}

/// A time as Go writes it: `6m0s`, `1.5s`, `20ms`.
fn go_duration(time: Duration) -> String {
    let (minutes, seconds) = (time.as_secs() / 60, time.as_secs_f64() % 60.0);
    match (minutes, time.as_secs()) {
        (0, 0) => format!("{}ms", time.as_millis()),
        (0, _) => format!("{seconds}s"),
        _ => format!("{minutes}m{seconds}s"),
    }
}

impl Shape for OpenAi {
    fn host(&self) -> &'static str {
        "api.openai.com"
    }

    fn refusal(&self, head: &Parts, asked: &Value) -> Option<Reply> {
        let (status, code) = if head.uri.path() != self.path() || head.method != http::Method::POST
        {
            (404, "unknown_url")
        } else if header(head, "authorization") != Some(&format!("Bearer {KEY}")) {
            (401, "invalid_api_key")
        } else if header(head, "content-type") != Some("application/json")
            || !asked["messages"].is_array()
        {
            (400, "invalid_value")
        } else {
            return None;
        };
        Some(Reply::json(
            status,
            &error("invalid_request_error", code, "refused"),
        ))
    }

    fn tokens_of(&self, asked: &Value) -> u32 {
        let output = asked["max_completion_tokens"].as_u64().unwrap_or_default();
        INPUT_TOKENS + u32::try_from(output).unwrap_or(u32::MAX)
    }

    fn limit_headers(&self, limits: &Limits) -> Vec<(&'static str, String)> {
        let reset = go_duration(limits.reset);
        vec![
            (
                "x-ratelimit-limit-requests",
                limits.requests.amount.to_string(),
            ),
            (
                "x-ratelimit-remaining-requests",
                limits.requests.remaining().to_string(),
            ),
            ("x-ratelimit-reset-requests", reset.clone()),
            ("x-ratelimit-limit-tokens", limits.tokens.amount.to_string()),
            (
                "x-ratelimit-remaining-tokens",
                limits.tokens.remaining().to_string(),
            ),
            ("x-ratelimit-reset-tokens", reset),
            ("x-request-id", "req_1".to_owned()),
        ]
    }

    fn too_fast(&self, after: Duration) -> Reply {
        let body = error("requests", "rate_limit_exceeded", "Rate limit reached");
        Reply::json(429, &body)
            .header("retry-after-ms", after.as_millis() as u64)
            .header("retry-after", after.as_secs_f64().ceil() as u64)
    }

    fn no_money(&self) -> Reply {
        let message = "You exceeded your current quota, please check your plan and billing details";
        Reply::json(
            429,
            &error("insufficient_quota", "insufficient_quota", message),
        )
    }

    fn overloaded(&self) -> Reply {
        let message = "The server is overloaded";
        Reply::json(503, &error("server_error", "server_is_overloaded", message))
    }

    fn stream(&self, fault: Fault) -> Vec<Piece> {
        let role = json!({ "role": "assistant", "content": "" });
        let mut pieces = vec![Piece::Say(delta(&role, None))];
        let (said, complete) = tokens(fault, None, |token| {
            delta(&json!({ "content": token }), None)
        });
        pieces.extend(said);
        if complete {
            let usage = json!({
                "prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS,
                "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
            });
            pieces.push(Piece::Say(delta(&json!({}), Some("stop"))));
            pieces.push(Piece::Say(chunk(&json!([]), &usage) + "data: [DONE]\n\n"));
        } else if matches!(fault, Fault::InMidStream) {
            let failed = error("server_error", "server_error", "The server had an error");
            pieces.push(Piece::Say(data(&failed)));
        }
        pieces
    }

    fn path(&self) -> &'static str {
        "/v1/chat/completions"
    }

    fn config(&self) -> HostConfig {
        HostConfig::new().default_header("authorization", format!("Bearer {KEY}"))
    }

    fn body(&self, prompt: &str, max_tokens: u32) -> Value {
        json!({
            "model": "gpt", "max_completion_tokens": max_tokens,
            "stream": true, "stream_options": { "include_usage": true },
            "messages": [{ "role": "user", "content": prompt }],
        })
    }

    fn text_of(&self, event: &Event) -> Option<String> {
        let data: Value = event.json().ok()?;
        Some(data["choices"][0]["delta"]["content"].as_str()?.to_owned())
    }

    fn is_last(&self, event: &Event) -> bool {
        event.data() == "[DONE]"
    }

    fn is_failure(&self, event: &Event) -> bool {
        event
            .json()
            .is_ok_and(|data: Value| data.get("error").is_some())
    }
}
