//! Tunnels through an HTTP proxy (RFC 9110, 9.3.6).
//!
//! hyper-util has a tunnel too. It does not tell the status of a proxy that refuses, takes 200 for the
//! only success and loses what follows the answer's head; so the exchange is made by hyper's own
//! client, which bounds the head as that of any response.

use std::future::Future;
use std::pin::pin;
use std::task::{Poll, ready};

use http::header::{HOST, PROXY_AUTHORIZATION};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use standpipe_core::{Body, Error};

use super::rewound::rewound;
use super::{ProxyServer, failed};
use crate::config::Http1Config;
use crate::conn::BoxIo;

pub(crate) async fn enter(
    io: BoxIo,
    server: &ProxyServer,
    target: &str,
    config: &Http1Config,
) -> Result<BoxIo, Error> {
    let broken = |error: hyper::Error| {
        let what = if error.is_parse() || error.is_parse_status() {
            "answered CONNECT with no usable response head"
        } else {
            "closed the connection before it answered CONNECT"
        };
        failed(server, what).with_source(error)
    };
    let mut builder = http1::Builder::new();
    builder
        .max_headers(config.max_headers)
        .max_header_size(config.max_head_size);
    let (mut sender, mut connection) = builder
        .handshake::<_, Body>(TokioIo::new(io))
        .await
        .map_err(broken)?;
    let mut answer = pin!(sender.send_request(request(server, target)?));
    // Both at once: the exchange goes on only while the connection is polled, and what went wrong
    // with it is told by the answer.
    let (mut ended, mut agreed) = (None, false);
    std::future::poll_fn(|cx| {
        if ended.is_none()
            && let Poll::Ready(end) = connection.poll_without_shutdown(cx)
        {
            ended = Some(end);
        }
        if !agreed {
            let answer = ready!(answer.as_mut().poll(cx));
            check(server, &answer.map_err(broken)?)?;
            agreed = true;
        }
        match ended.take() {
            None => Poll::Pending,
            Some(end) => Poll::Ready(end.map_err(broken)),
        }
    })
    .await?;
    let parts = connection.into_parts();
    let io = parts.io.into_inner();
    Ok(rewound(parts.read_buf, io))
}

fn request(server: &ProxyServer, target: &str) -> Result<Request<Body>, Error> {
    let refused = |error: http::Error| failed(server, "cannot be asked for it").with_source(error);
    let mut request = Request::connect(target);
    let host = HeaderValue::from_str(target).map_err(|error| refused(error.into()))?;
    request = request.header(HOST, host);
    if let Some(authorization) = server.authorization() {
        request = request.header(PROXY_AUTHORIZATION, authorization);
    }
    request.body(Body::empty()).map_err(refused)
}

fn check(server: &ProxyServer, answer: &Response<Incoming>) -> Result<(), Error> {
    let status = answer.status();
    // An answer without content by its own nature is no tunnel to hyper.
    if status.is_success() && status != StatusCode::NO_CONTENT {
        return Ok(());
    }
    Err(failed(
        server,
        format_args!("answered CONNECT with {status}"),
    ))
}
