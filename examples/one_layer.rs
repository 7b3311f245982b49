//! Single layers around a client that is there already: here hyper-util's, with a time limit for
//! the whole request and, for each host, one for the attempt.
//!
//! `cargo run --example one_layer`

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use standpipe_core::{BoxError, Error, Origin};
use standpipe_router::HostRouterLayer;
use standpipe_test::Server;
use standpipe_timeout::TimeoutLayer;
use tower::{ServiceBuilder, ServiceExt};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let quick = Server::builder().handler(hello).start().await;
    let stuck = Server::builder().handler(silence).start().await;
    let stuck_origin = Origin::parse(&stuck.url("/"))?;

    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();

    let stack = ServiceBuilder::new()
        .layer(TimeoutLayer::total(Duration::from_secs(10)))
        .layer(HostRouterLayer::new(move |origin: &Origin| {
            let unreliable = *origin == stuck_origin;
            TimeoutLayer::attempt(Duration::from_millis(if unreliable { 50 } else { 5_000 }))
        }))
        .service(client);

    let request = Request::get(quick.url("/")).body(Full::default())?;
    let response = stack.clone().oneshot(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    println!("{status}: {}", String::from_utf8_lossy(&body));

    let request = Request::get(stuck.url("/")).body(Full::default())?;
    if let Err(error) = stack.oneshot(request).await {
        let error = Error::from_boxed(error);
        println!("{:?}: {error}", error.kind());
    }
    Ok(())
}

async fn hello(_: Request<Incoming>) -> Response<Full<Bytes>> {
    Response::new(Full::from("hello"))
}

async fn silence(_: Request<Incoming>) -> Response<Full<Bytes>> {
    std::future::pending().await
}
