//! The prebuilt stack: `Pool` as an HTTP client, against a server of this process.
//!
//! `cargo run --example pool`

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::json;
use standpipe::{BoxError, ErrorKind, Pool};
use standpipe_test::Server;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let server = Server::builder().handler(api).start().await;
    let base = server.url("");

    let pool = Pool::new();

    let greeting = pool.get(format!("{base}/greeting")).send().await?;
    println!("{}: {}", greeting.status(), greeting.text().await?);

    let made = pool
        .post(format!("{base}/things"))
        .bearer_auth("a-token")
        .json(&json!({ "name": "pump" }))
        .send()
        .await?;
    println!(
        "{}: {}",
        made.status(),
        made.json::<serde_json::Value>().await?
    );

    // A status is an answer, not an error.
    let missing = pool.get(format!("{base}/nowhere")).send().await?;
    println!("{}", missing.status());

    failures(&pool, &base).await;

    let all = pool.stats().total;
    println!("{} requests on {} connections", all.requests, all.created);
    Ok(())
}

async fn failures(pool: &Pool, base: &str) {
    let slow = pool.get(format!("{base}/slow"));
    match slow.timeout(Duration::from_millis(50)).send().await {
        Ok(response) => println!("{}", response.status()),
        Err(error) if error.is_timeout() => println!("too late: {error}"),
        Err(error) => println!("failed: {error}"),
    }

    // Nobody listens there. The error knows that sending it again can do no harm.
    let refused = pool.get("http://127.0.0.1:1/").send().await;
    if let Err(error) = refused
        && error.kind() == ErrorKind::Connect
    {
        println!("{error}; was it sent? {:?}", error.request_sent());
    }

    // Told before any connection is opened.
    if let Err(error) = pool.get("ftp://example.com/").send().await {
        println!("{:?}: {error}", error.kind());
    }
}

async fn api(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let (status, answer) = match (&head.method, head.uri.path()) {
        (&Method::GET, "/greeting") => (StatusCode::OK, Bytes::from("hello")),
        (&Method::POST, "/things") => match body.collect().await {
            Ok(thing) => (StatusCode::CREATED, thing.to_bytes()),
            Err(_) => (StatusCode::BAD_REQUEST, Bytes::new()),
        },
        (_, "/slow") => std::future::pending().await,
        _ => (StatusCode::NOT_FOUND, Bytes::new()),
    };
    let mut response = Response::new(Full::new(answer));
    *response.status_mut() = status;
    response
}
