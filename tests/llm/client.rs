//! The code that a user writes: one pool for both APIs, and one conversation.

use std::time::Duration;

use serde_json::Value;
use standpipe::sse::Event;
use standpipe::{
    Error, ExponentialBackoff, Pool, PoolBuilder, PoolConfig, RetryInfo, RetryPolicy, Settle,
    TlsConfig,
};
use standpipe_test::Ca;
use standpipe_test::memory::Network;

use crate::server::Api;
use crate::{ANTHROPIC, MAX_TOKENS, OPENAI, Of};

/// Both APIs on a network in memory.
pub(crate) struct World {
    network: Network,
    ca: Ca,
    anthropic: Api,
    openai: Api,
}

impl World {
    /// Each of them allows so many requests and tokens a minute.
    pub(crate) fn with(allows: (u32, u32)) -> Self {
        let (network, ca) = (Network::new(), Ca::new());
        Self {
            anthropic: Api::on(&network, &ca, ANTHROPIC, allows),
            openai: Api::on(&network, &ca, OPENAI, allows),
            network,
            ca,
        }
    }

    /// They allow more than is asked for.
    pub(crate) fn new() -> Self {
        Self::with((10_000, 10_000_000))
    }

    pub(crate) fn api(&self, shape: Of) -> &Api {
        match shape.host() == ANTHROPIC.host() {
            true => &self.anthropic,
            false => &self.openai,
        }
    }

    /// A pool with the settings of these APIs, and the key of each.
    pub(crate) fn pool(&self) -> PoolBuilder {
        let mut pool = settings()
            .tls(TlsConfig::default().roots([self.ca.certificate_der()]))
            .connector(self.network.connector());
        for shape in [ANTHROPIC, OPENAI] {
            pool = pool.host(shape.host(), shape.config());
        }
        pool
    }
}

pub(crate) fn settings() -> PoolBuilder {
    let config = PoolConfig {
        response_header_timeout: Some(Duration::from_secs(120)),
        body_idle_timeout: Some(Duration::from_secs(180)),
        request_timeout: Some(Duration::from_secs(600)),
        ..PoolConfig::default()
    };
    let retry = RetryPolicy::new()
        .max_retries(2)
        .max_retry_after(Duration::from_secs(60))
        .statuses([408, 429, 500, 502, 503, 504, 529])
        .backoff(ExponentialBackoff::new(Duration::from_millis(500)).max(Duration::from_secs(8)));
    Pool::builder().config(config).retry_policy(retry)
}

/// What came of a conversation.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) tokens: u32,
    pub(crate) names: Vec<String>,
    pub(crate) retries: Option<RetryInfo>,
}

/// Asks the API at its own name.
pub(crate) async fn ask(pool: &Pool, shape: Of, prompt: &str) -> Result<Answer, Error> {
    ask_at(pool, &format!("https://{}", shape.host()), shape, prompt).await
}

/// Asks and reads the stream to its end; what the answer has cost goes to the limit in tokens, whose
/// reckoning beforehand is the API's own.
pub(crate) async fn ask_at(
    pool: &Pool,
    base: &str,
    shape: Of,
    prompt: &str,
) -> Result<Answer, Error> {
    let body = shape.body(prompt, MAX_TOKENS);
    let request = pool
        .post(format!("{base}{}", shape.path()))
        .json(&body)
        .cost(shape.tokens_of(&body));
    read(request.send_streaming().await?, shape).await
}

/// Reads an answer to its end.
pub(crate) async fn read(response: standpipe::Response, shape: Of) -> Result<Answer, Error> {
    let response = response.error_for_status()?;
    let settle = response.extensions().get::<Settle>().cloned();
    let retries = response.retry_info();
    let (mut text, mut names) = (String::new(), Vec::new());
    let (mut input, mut output) = (0, 0);
    let mut events = response
        .events()?
        .ends_when(move |event| shape.is_last(event))
        .fails_when(move |event| shape.is_failure(event));
    while let Some(event) = events.next().await {
        let event = event?;
        text.extend(shape.text_of(&event));
        let used = usage(&event);
        (input, output) = (input.max(used.0), output.max(used.1));
        names.push(event.name().to_owned());
    }
    let tokens = u32::try_from(input + output).expect("a count of tokens");
    if let Some(settle) = settle {
        settle.settle(tokens);
    }
    Ok(Answer {
        text,
        tokens,
        names,
        retries,
    })
}

/// The tokens of the request and of the answer that an event tells of.
fn usage(event: &Event) -> (u64, u64) {
    let data: Value = event.json().unwrap_or_default();
    let usage = match &data["message"]["usage"] {
        Value::Null => &data["usage"],
        usage => usage,
    };
    let count = |names: [&str; 2]| {
        names
            .iter()
            .find_map(|name| usage[name].as_u64())
            .unwrap_or(0)
    };
    (
        count(["input_tokens", "prompt_tokens"]),
        count(["output_tokens", "completion_tokens"]),
    )
}
