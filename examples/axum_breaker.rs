//! The circuit breaker alone, twice: around one route of an axum service, and around a client that
//! is there already, hyper-util's. Nothing else of standpipe is needed for either.
//!
//! `cargo run --example axum_breaker`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::error_handling::HandleErrorLayer;
use axum::http::header::RETRY_AFTER;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use standpipe_circuit_breaker::{
    CircuitBreaker, CircuitBreakerConfig, CircuitBreakerLayer, Handle, Transition,
};
use standpipe_core::{BoxError, Error};
use tower::{ServiceBuilder, ServiceExt};

/// The database behind the service, as far as it matters here.
#[derive(Clone, Default)]
struct Database {
    down: Arc<AtomicBool>,
    queries: Arc<AtomicUsize>,
}

type Inner = Client<HttpConnector, Body>;
type HttpClient = CircuitBreaker<Inner>;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let config = CircuitBreakerConfig::new().reset_period(Duration::from_millis(200));

    let database = Database::default();
    let circuit = Handle::new(&config)?;
    circuit.on_transition(|change| tell("service", change));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let server = format!("http://{}", listener.local_addr()?);
    let service = service(&database, &circuit);
    tokio::spawn(async move { axum::serve(listener, service).await });

    let layer = CircuitBreakerLayer::new(config.threshold(7))?
        .on_transition(|change| tell("client", change));
    let inner: Inner = Client::builder(TokioExecutor::new()).build_http();
    let client = ServiceBuilder::new().layer(layer).service(inner);

    println!("the database is up:");
    send(&client, &server, 2).await;

    println!(
        "\nit goes down: after five failures the service asks it no more, and says when to come"
    );
    println!("again; after two of these answers the client asks the service no more:");
    database.down.store(true, Ordering::SeqCst);
    send(&client, &server, 9).await;

    println!("\nwhat needs no database is served still:");
    let request = Request::get(format!("{server}/health")).body(Body::empty())?;
    let response = client.get_ref().request(request).await?;
    println!("  GET /health: {}", text(response).await?);

    println!("\nit is up again, and the next request in time is the probe of both:");
    database.down.store(false, Ordering::SeqCst);
    let wait = send(&client, &server, 1).await.unwrap_or_default();
    tokio::time::sleep(wait).await;
    send(&client, &server, 2).await;

    let queries = database.queries.load(Ordering::SeqCst);
    println!("\n14 requests for users, {queries} queries");
    println!("service: {:?}", circuit.counts());
    println!("client:  {:?}", client.handle().counts());
    Ok(())
}

/// An axum service with a breaker around the one route that needs the database. All connections
/// share its circuit.
fn service(database: &Database, circuit: &Handle) -> Router {
    // axum's routes do not fail: what the breaker refuses becomes a response here.
    let breaker = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(refused))
        .layer(CircuitBreakerLayer::shared(circuit.clone()));
    let database = database.clone();
    let users = get(move || {
        database.queries.fetch_add(1, Ordering::SeqCst);
        let down = database.down.load(Ordering::SeqCst);
        async move {
            if down {
                (StatusCode::INTERNAL_SERVER_ERROR, "no database")
            } else {
                (StatusCode::OK, "all users")
            }
        }
    });
    Router::new()
        .route("/users", users.layer(breaker))
        .route("/health", get(|| async { "healthy" }))
}

async fn refused(error: BoxError) -> impl IntoResponse {
    let wait = Error::from_boxed(error).retry_after().unwrap_or_default();
    let seconds = wait.as_secs_f64().ceil().to_string();
    let headers = [(RETRY_AFTER, seconds)];
    (StatusCode::SERVICE_UNAVAILABLE, headers, "not now")
}

/// Sends requests and tells how they went. When the last one was refused: for how long yet.
async fn send(client: &HttpClient, server: &str, times: usize) -> Option<Duration> {
    let mut wait = None;
    for _ in 0..times {
        let request = Request::get(format!("{server}/users")).body(Body::empty());
        let request = request.expect("a request");
        let answer = match client.clone().oneshot(request).await {
            Ok(response) => text(response).await,
            Err(error) => Err(error),
        };
        let error = answer.as_ref().err().map(|error| error.as_ref());
        wait = error.and_then(|error| Error::find(error)?.retry_after());
        match answer {
            Ok(text) => println!("  GET /users: {text}"),
            Err(error) => println!("  GET /users: {error}"),
        }
    }
    wait
}

async fn text(response: Response<Incoming>) -> Result<String, BoxError> {
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    Ok(format!("{status}: {}", String::from_utf8_lossy(&body)))
}

fn tell(who: &str, change: &Transition) {
    let (from, to, cause) = (change.from, change.to, change.cause.as_str());
    println!("    [{who}] {from} to {to}: {cause}");
}
