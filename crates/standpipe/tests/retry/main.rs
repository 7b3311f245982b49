//! Retries, as a pool makes them, by a clock that is paused.

mod bodies;
mod hooks;
mod settings;
mod waits;

#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use standpipe_test::memory::Network;
use standpipe_test::{Server, ServerBuilder};

/// A server that gives the answers in turn, and the last one for ever.
fn in_turn(answers: Vec<Response<&'static str>>) -> ServerBuilder {
    let next = AtomicUsize::new(0);
    let answers = Arc::new(answers);
    Server::builder().handler(move |_: Request<Incoming>| {
        let turn = next.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
        let answer = answers[turn]
            .clone()
            .map(|text| Full::new(Bytes::from(text)));
        std::future::ready(answer)
    })
}

fn status(status: u16) -> Response<&'static str> {
    Response::builder().status(status).body("ok").unwrap()
}

fn with_header(status: u16, name: &str, value: &str) -> Response<&'static str> {
    let response = Response::builder().status(status).header(name, value);
    response.body("later").unwrap()
}

/// A server for `a.test` that answers with these in turn.
fn serving(network: &Network, answers: Vec<Response<&'static str>>) -> Server {
    in_turn(answers).start_on(network.listen("a.test:80"))
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}
