//! Testing code that calls APIs.
//!
//! Four ways, from the one that needs least of the network to the one that needs most. None listens on
//! a port that another test could take, none sleeps, and each of the examples here is a test that runs.
//! `examples/weather` of the repository is an application with a file of tests for each.
//!
//! 1. [Mock the pool](#mock-the-pool): what does my code do with this answer, and what does it send?
//! 2. [Swap one layer](#swap-one-layer): what does my stack do when one part of it behaves otherwise?
//! 3. [Break the server](#break-the-server): what does my client do when the connection misbehaves?
//! 4. [Control the time](#control-the-time): what happens after ten seconds, at once?
//!
//! # Mock the pool
//!
//! Code that takes a `standpipe::Pool` is given the one of a `MockPool` (feature `mock` of standpipe). It is a
//! pool as any other, and needs no type parameter. What it must be asked is set up with
//! [`expect`](crate::MockService::expect), and checked when the mock goes; what it may be asked with
//! [`add_response`](crate::MockService::add_response).
//!
//! ```
//! use standpipe::mock::{MockPool, MockResponse};
//! use standpipe::{Error, ErrorKind, Pool};
//!
//! /// The code under test: how many pumps there are, none where the shop is closed.
//! async fn stock(pool: &Pool) -> Result<u32, Error> {
//!     let response = pool.get("https://shop.example.com/pumps").send().await?;
//!     if response.status() == 503 {
//!         return Ok(0);
//!     }
//!     let text = response.error_for_status()?.text().await?;
//!     text.parse().map_err(|error| Error::new(ErrorKind::Decode).with_source(error))
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
//! // #[tokio::test]
//! let mock = MockPool::new();
//! mock.expect("shop.example.com").path("/pumps").times(3).answer_in_turn([
//!     MockResponse { body: "12".into(), ..Default::default() }.into(),
//!     MockResponse::new(503).into(),
//!     ErrorKind::Connect.into(),
//! ]);
//! let pool = mock.pool();
//! assert_eq!(stock(&pool).await.unwrap(), 12);
//! assert_eq!(stock(&pool).await.unwrap(), 0);
//! assert_eq!(stock(&pool).await.unwrap_err().kind(), ErrorKind::Connect);
//!
//! // With the application's own settings in force: its retries, its limits, its layers.
//! let mock = MockPool::with(Pool::builder().max_retries(1)).unwrap();
//! mock.add_response("shop.example.com", MockResponse::new(503));
//! mock.add_response("shop.example.com", MockResponse { body: "12".into(), ..Default::default() });
//! assert_eq!(stock(&mock.pool()).await.unwrap(), 12);
//! # }
//! ```
//!
//! Under it is a [`MockService`](crate::MockService), a service that stands where a client stood: code that
//! takes any service, or a client of another make, is given a clone of it.
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
//! A `FaultServer` (feature `server`) answers as it should, but where its script has a fault: by the number of
//! the connection, or of the request. On a [`Network`](crate::memory::Network) in memory there is no port, and
//! the time may be paused. A client takes the network's connector in place of its own.
//!
//! ```
//! # #[cfg(not(feature = "server"))]
//! # fn main() {}
//! # #[cfg(feature = "server")]
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! use standpipe::{ErrorKind, Pool};
//! use standpipe_test::faults::{At, ConnectionFault, Fault, FaultServer, Reply};
//! use standpipe_test::memory::Network;
//!
//! // #[tokio::test(start_paused = true)]
//! let network = Network::new();
//! let server = FaultServer::builder()
//!     .reply(Reply::new(200).body("hello"))
//!     .connection(0, ConnectionFault::Refuse)
//!     .request(1, Fault::Close(At::Body(3)))
//!     .start_on(network.listen("api.example.com:80"));
//! let pool = Pool::builder().connector(network.connector()).build().unwrap();
//! let get = async || pool.get("http://api.example.com/").send().await?.text().await;
//!
//! // The connection that is refused costs a retry.
//! assert_eq!(get().await.unwrap(), "hello");
//! // A body that breaks off is no body.
//! assert_eq!(get().await.unwrap_err().kind(), ErrorKind::ConnectionClosed);
//! assert_eq!(server.stats().requests, 2);
//! # }
//! ```
//!
//! All that it can do wrong stands on the page of its module, `faults`. For what it cannot, the test is the
//! server, as wrong as it likes: here it promises ten bytes, sends three and hangs up. The client is raw
//! hyper.
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
