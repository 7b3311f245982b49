//! Testing code that calls APIs.
//!
//! Four ways, from the one that needs least of the network to the one that needs most. None listens on
//! a port that another test could take, none sleeps, and each of the examples here is a test that runs.
//!
//! 1. [Mock the API](#mock-the-api): what does my code do with this answer, and what does it send?
//! 2. [Swap one layer](#swap-one-layer): what does my stack do when one part of it behaves otherwise?
//! 3. [Break the server](#break-the-server): what does my client do when the connection misbehaves?
//! 4. [Control the time](#control-the-time): what happens after ten seconds, at once?
//!
//! # Mock the API
//!
//! A [`MockService`](crate::MockService) is a service: it stands where the client stood. Code that takes any
//! service, or a client that is one, is given a clone of it. What it must be asked is set up with
//! [`expect`](crate::MockService::expect), and checked when the mock goes; what it may be asked with
//! [`add_response`](crate::MockService::add_response).
//!
//! ```
//! use http::{Method, Request, Response};
//! use standpipe_core::{Body, BoxError, ErrorKind};
//! use standpipe_test::mock::{MockResponse, MockService};
//! use tower::{Service, ServiceExt};
//!
//! /// The code under test: orders a pump, and once more where the connection broke.
//! async fn order<S>(api: S, key: &str) -> Result<u16, BoxError>
//! where
//!     S: Service<Request<Body>, Response = Response<Body>, Error = BoxError> + Clone,
//! {
//!     let request = || {
//!         let request = Request::post("https://shop.example.com/orders");
//!         request.header("idempotency-key", key).body(Body::from("pump"))
//!     };
//!     let answer = match api.clone().oneshot(request()?).await {
//!         Err(_) => api.oneshot(request()?).await?,
//!         Ok(answer) => answer,
//!     };
//!     Ok(answer.status().as_u16())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! // #[tokio::test]
//! let mock = MockService::new();
//! let orders = mock
//!     .expect("shop.example.com")
//!     .method(Method::POST)
//!     .path("/orders")
//!     .header("idempotency-key", "7")
//!     .body("pump")
//!     .times(2)
//!     .answer_in_turn([
//!         ErrorKind::ConnectionClosed.into(),
//!         MockResponse { status: 201, ..Default::default() }.into(),
//!     ]);
//!
//! assert_eq!(order(mock.clone(), "7").await.unwrap(), 201);
//! assert_eq!(orders.requests()[1].header("idempotency-key"), Some("7"));
//! # }
//! ```
//!
//! A request that nothing matches is an error of kind
//! [`InvalidRequest`](standpipe_core::ErrorKind::InvalidRequest) which says what was nearest and why it did
//! not match:
//!
//! ```text
//! the mock has no answer to POST https://shop.example.com/order with a body of 4 bytes; nearest is
//! shop.example.com, method POST, path /orders (set up at tests/orders.rs:27:10), but the path is /order
//! ```
//
// PLACE FOR: the pool that is a mock, for code that takes one and no generics.
//!
//! # Swap one layer
//!
//! A stack that is made by a function of its layers can be made with another one in a test: without the
//! limit, with a retry that does not wait, over a mock.
//!
//! ```
//! use http::Request;
//! use standpipe_core::Body;
//! use standpipe_test::assert_layer_contract;
//! use standpipe_test::mock::{MockAnswer, MockService};
//! use tower::layer::util::Identity;
//! use tower::limit::ConcurrencyLimitLayer;
//! use tower::load_shed::LoadShedLayer;
//! use tower::{Layer, ServiceBuilder, ServiceExt};
//!
//! /// The code under test: sheds what the limit does not let through.
//! fn stack<L: Layer<S>, S>(limit: L, bottom: S) -> <LoadShedLayer as Layer<L::Service>>::Service {
//!     ServiceBuilder::new().layer(LoadShedLayer::new()).layer(limit).service(bottom)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! // #[tokio::test]
//! let mock = MockService::new();
//! mock.add_response("api.example.com", MockAnswer::hang());
//! let request = || Request::get("http://api.example.com/").body(Body::empty()).unwrap();
//!
//! let limited = stack(ConcurrencyLimitLayer::new(1), mock.clone());
//! let first = tokio::spawn(limited.clone().oneshot(request()));
//! mock.called(1).await;
//! assert!(limited.oneshot(request()).await.is_err());
//!
//! let unlimited = stack(Identity::new(), mock.clone());
//! let second = tokio::spawn(unlimited.oneshot(request()));
//! mock.called(2).await;
//! # first.abort(); second.abort();
//!
//! // And a layer of your own keeps the rules that every stack relies on.
//! assert_layer_contract(LoadShedLayer::new()).await;
//! # }
//! ```
//!
//! [`Probe`](crate::Probe) stands under a layer where it matters how that is called rather than with what:
//! it can be unready, and counts what is in flight. The [`contract`](crate::contract) tries all of the
//! rules at once.
//!
//! # Break the server
//!
//! On a [`Network`](crate::memory::Network) in memory the test is the server, and as wrong as it likes:
//! here it promises ten bytes, sends three and hangs up. A client takes the network's connector in place
//! of its own; this one is raw hyper.
//!
//! ```
//! use http_body_util::{BodyExt, Empty};
//! use hyper_util::rt::TokioIo;
//! use standpipe_test::{Peer, memory::Network};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // #[tokio::test]
//! let network = Network::new();
//! let listener = network.listen("api.example.com:80");
//!
//! let client = async {
//!     let io = TokioIo::new(network.dial("api.example.com:80").await?);
//!     let (mut client, connection) = hyper::client::conn::http1::handshake(io).await?;
//!     tokio::spawn(connection);
//!     let request = http::Request::get("/").header("host", "api.example.com");
//!     let response = client.send_request(request.body(Empty::<bytes::Bytes>::new())?).await?;
//!     Ok::<_, Box<dyn std::error::Error>>(response.into_body().collect().await)
//! };
//! let server = async {
//!     let mut peer = Peer::new(listener.accept().await);
//!     peer.read_head().await?;
//!     peer.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").await
//! };
//! let (body, served) = tokio::join!(client, server);
//! served?;
//! assert!(body?.is_err(), "a body that is too short is no body");
//! # Ok(()) }
//! ```
//
// PLACE FOR: the server that breaks as it is told.
//!
//! # Control the time
//!
//! What waits by tokio's clock waits for no time at all where that is paused: it jumps to whatever comes
//! next when nothing else can go on. The delays of a mock are by that clock, and so is all of standpipe.
//!
//! ```
//! use std::time::Duration;
//!
//! use http::Request;
//! use standpipe_core::Body;
//! use standpipe_test::{MockResponse, MockService};
//! use tokio::time::Instant;
//! use tower::timeout::TimeoutLayer;
//! use tower::{Layer, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
//! // #[tokio::test(start_paused = true)]
//! let mock = MockService::new();
//! for seconds in [5, 3600] {
//!     mock.add_response(
//!         "slow.example.com",
//!         MockResponse { delay: Duration::from_secs(seconds), ..Default::default() },
//!     );
//! }
//! let client = TimeoutLayer::new(Duration::from_secs(10)).layer(mock.clone());
//! let request = || Request::get("http://slow.example.com/").body(Body::empty()).unwrap();
//!
//! let begin = Instant::now();
//! assert!(client.clone().oneshot(request()).await.is_ok());
//! assert_eq!(begin.elapsed(), Duration::from_secs(5));
//! assert!(client.oneshot(request()).await.is_err());
//! assert_eq!(begin.elapsed(), Duration::from_secs(15));
//! # }
//! ```
//!
//! Where two things must happen in an order, the clock is the wrong tool: wait for what happens, with
//! [`called`](crate::MockService::called), or hold a task at a [`Gate`](crate::Gate).
