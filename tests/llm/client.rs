//! The code that a user writes: one pool for both APIs, and one conversation.

use standpipe::providers::token_usage;
use standpipe::{Error, Pool, PoolBuilder, PoolConfig, RetryInfo, Settle, TlsConfig};
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
    Pool::builder().config(PoolConfig::llm())
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
        if let Some(used) = token_usage(event.data().as_bytes()) {
            (input, output) = (input.max(used.input), output.max(used.output));
        }
        names.push(event.name().to_owned());
    }
    let tokens = input + output;
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
