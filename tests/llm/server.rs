//! A server of an API: what both have in common. It checks what it is sent, counts its limits down, and
//! answers with a stream; what goes wrong is said beforehand, request by request.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use serde_json::Value;
use standpipe_core::BoxError;
use standpipe_core::sync::Mutex;
use standpipe_test::memory::Network;
use standpipe_test::{Ca, Server, ServerBuilder};
use tokio::time::Instant;

use crate::Of;
use crate::shape::{INPUT_TOKENS, OUTPUT_TOKENS};

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Nothing does.
    None,
    /// 429, and the time after which to come again.
    TooFast(Duration),
    /// 429 too, but no time helps.
    NoMoney,
    /// The API has too much to do: a 5xx.
    Overloaded,
    /// The head takes so long.
    SlowHead(Duration),
    /// The head is there; the first token takes so long.
    SlowToken(Duration),
    /// The server tells of a failure after a few tokens.
    InMidStream,
    /// The connection breaks after a few tokens.
    Broken,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    pub(crate) headers: HeaderMap,
    pub(crate) status: u16,
}

/// How much of something may be used in a minute.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) amount: u32,
    pub(crate) used: u32,
}

/// What the API allows in each minute, which begins with the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) requests: Limit,
    pub(crate) tokens: Limit,
    /// How long the minute lasts yet.
    pub(crate) reset: Duration,
    /// The server's clock on the wall.
    pub(crate) now: SystemTime,
}

impl Limit {
    fn of(amount: u32) -> Self {
        Self { amount, used: 0 }
    }

    pub(crate) fn remaining(&self) -> u32 {
        self.amount.saturating_sub(self.used)
    }
}

/// An API that runs.
pub(crate) struct Api {
    pub(crate) server: Server,
    state: Arc<Mutex<State>>,
}

struct State {
    begun: Instant,
    minute: u64,
    requests: Limit,
    tokens: Limit,
    faults: VecDeque<Fault>,
    seen: Vec<Seen>,
}

const MINUTE: Duration = Duration::from_secs(60);

/// When the server's clock begins, in seconds since 1970: at the new year of 2026.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);

impl Api {
    /// The API at its own name on `network`, over TLS and HTTP/2. It allows so many requests and tokens a
    /// minute.
    pub(crate) fn on(network: &Network, ca: &Ca, shape: Of, allows: (u32, u32)) -> Self {
        let tls = ca.server_config(&[shape.host()], &[b"h2"]);
        let listener = network.listen(&format!("{}:443", shape.host()));
        let (builder, state) = Self::builder(shape, allows);
        let server = builder.tls(tls).start_on(listener);
        Self { server, state }
    }

    /// The API on a socket, over HTTP/1.1.
    pub(crate) async fn on_loopback(shape: Of) -> Self {
        let (builder, state) = Self::builder(shape, (1_000, 1_000_000));
        let server = builder.http1().start().await;
        Self { server, state }
    }

    fn builder(shape: Of, (requests, tokens): (u32, u32)) -> (ServerBuilder, Arc<Mutex<State>>) {
        let state = Arc::new(Mutex::new(State {
            begun: Instant::now(),
            minute: 0,
            requests: Limit::of(requests),
            tokens: Limit::of(tokens),
            faults: VecDeque::new(),
            seen: Vec::new(),
        }));
        let shared = Arc::clone(&state);
        let builder =
            Server::builder().handler(move |request| answer(shape, Arc::clone(&shared), request));
        (builder, state)
    }

    /// What goes wrong with the next requests, in their order; then nothing does.
    pub(crate) fn next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state.lock().faults.extend(faults);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock().seen.clone()
    }

    /// How many requests were answered with this status.
    pub(crate) fn answered(&self, status: u16) -> usize {
        self.seen()
            .iter()
            .filter(|seen| seen.status == status)
            .count()
    }
}

impl State {
    fn limits(&mut self) -> Limits {
        let elapsed = self.begun.elapsed();
        let minute = elapsed.as_secs() / 60;
        if minute != self.minute {
            self.minute = minute;
            (self.requests.used, self.tokens.used) = (0, 0);
        }
        Limits {
            requests: self.requests,
            tokens: self.tokens,
            reset: MINUTE * (minute as u32 + 1) - elapsed,
            now: SystemTime::UNIX_EPOCH + EPOCH + elapsed,
        }
    }

    /// Takes a request and the tokens that it costs; where it may cost more than are left, nothing, and
    /// says when there are more.
    fn take(&mut self, may_cost: u32) -> Result<(), Duration> {
        let limits = self.limits();
        if limits.requests.remaining() == 0 || limits.tokens.remaining() < may_cost {
            return Err(limits.reset);
        }
        self.requests.used += 1;
        self.tokens.used += INPUT_TOKENS + OUTPUT_TOKENS;
        Ok(())
    }
}

/// A piece of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Say(String),
    Wait(Duration),
    Break,
}

/// An answer, as the shapes write it.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) pieces: Vec<Piece>,
}

impl Reply {
    /// An answer with a body of JSON.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            pieces: vec![Piece::Say(body.to_string())],
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: u64) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

async fn answer(
    shape: Of,
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Response<StreamBody<impl Stream<Item = Result<Frame<Bytes>, BoxError>>>> {
    let (head, body) = request.into_parts();
    let at = Instant::now();
    let body = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let (reply, pause, limits) = {
        let mut state = state.lock();
        let (reply, pause) = match shape.refusal(&head, &asked) {
            Some(refusal) => (refusal, Duration::ZERO),
            None => reply(shape, &mut state, &asked),
        };
        state.seen.push(Seen {
            at,
            headers: head.headers,
            status: reply.status,
        });
        (reply, pause, state.limits())
    };
    tokio::time::sleep(pause).await;
    let mut response = Response::builder()
        .status(reply.status)
        .header("date", httpdate::fmt_http_date(limits.now));
    for (name, value) in reply
        .headers
        .into_iter()
        .chain(shape.limit_headers(&limits))
    {
        response = response.header(name, value);
    }
    response
        .body(StreamBody::new(stream::unfold(
            reply.pieces.into_iter(),
            next_frame,
        )))
        .expect("a valid answer")
}

/// The answer to a request that is as it should be, and how long its head takes.
fn reply(shape: Of, state: &mut State, asked: &Value) -> (Reply, Duration) {
    let fault = state.faults.pop_front().unwrap_or(Fault::None);
    let none = Duration::ZERO;
    match fault {
        Fault::TooFast(after) => return (shape.too_fast(after), none),
        Fault::NoMoney => return (shape.no_money(), none),
        Fault::Overloaded => return (shape.overloaded(), none),
        Fault::None
        | Fault::SlowHead(_)
        | Fault::SlowToken(_)
        | Fault::InMidStream
        | Fault::Broken => {}
    }
    if let Err(after) = state.take(shape.tokens_of(asked)) {
        return (shape.too_fast(after), none);
    }
    let pause = match fault {
        Fault::SlowHead(pause) => pause,
        _ => none,
    };
    let reply = Reply {
        status: 200,
        headers: vec![(
            "content-type",
            "text/event-stream; charset=utf-8".to_owned(),
        )],
        pieces: shape.stream(fault),
    };
    (reply, pause)
}

async fn next_frame<I>(mut pieces: I) -> Option<(Result<Frame<Bytes>, BoxError>, I)>
where
    I: Iterator<Item = Piece>,
{
    loop {
        match pieces.next()? {
            Piece::Say(text) => return Some((Ok(Frame::data(Bytes::from(text))), pieces)),
            Piece::Wait(pause) => tokio::time::sleep(pause).await,
            Piece::Break => return Some((Err("the server is gone".into()), pieces)),
        }
    }
}
