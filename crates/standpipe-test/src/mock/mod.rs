//! A service that plays the API that a client calls.
//!
//! [`MockService`] stands where the network would: it answers by what the test expects, keeps what it
//! was sent, and fails the test when what was expected did not come.
//!
//! ```
//! use standpipe_core::{Body, ErrorKind};
//! use standpipe_test::{MockResponse, MockService};
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), standpipe_core::BoxError> {
//! let mock = MockService::new();
//! mock.add_response(
//!     "api.example.com",
//!     MockResponse {
//!         status: 200,
//!         body: r#"{"result":"success"}"#.into(),
//!         ..Default::default()
//!     },
//! );
//! mock.expect("api.example.com")
//!     .method(http::Method::POST)
//!     .path("/orders")
//!     .header("idempotency-key", "7")
//!     .times(2)
//!     .answer_in_turn([ErrorKind::ConnectionClosed.into(), MockResponse::new(201).into()]);
//!
//! let order = || http::Request::post("https://api.example.com/orders").header("idempotency-key", "7");
//! assert!(mock.clone().oneshot(order().body(Body::empty())?).await.is_err());
//! assert_eq!(mock.clone().oneshot(order().body(Body::empty())?).await?.status(), 201);
//!
//! let other = http::Request::get("https://api.example.com/").body(Body::empty())?;
//! assert_eq!(mock.clone().oneshot(other).await?.status(), 200);
//! assert_eq!(mock.requests().len(), 3);
//! # Ok(()) }
//! ```
//!
//! # Which answer a request gets
//!
//! That of the first [expectation](MockService::expect), in the order in which they were set up, that
//! matches and has not had all its requests. Where there is none, what was
//! [added](MockService::add_response) for its host. Where nothing was, an error of kind
//! [`InvalidRequest`](standpipe_core::ErrorKind::InvalidRequest), which no layer tries again, with
//! [`UnmatchedRequest`] as its source.
//!
//! # When it fails
//!
//! What an expectation asks for is checked when the `MockService` that [`new`](MockService::new) made
//! is dropped, or by [`verify`](MockService::verify). The panic names each expectation that was not
//! met, and the request that came nearest to it.

mod answer;
mod body;
mod error;
mod expectation;
mod future;
mod host;
mod matcher;
mod query;
mod request;
mod response;
mod rule;
mod service;
mod state;
#[cfg(test)]
mod tests;
mod verify;

pub use answer::MockAnswer;
pub use body::MockBody;
pub use error::{Nearest, UnmatchedRequest};
pub use expectation::{Expectation, ExpectationBuilder};
pub use future::ResponseFuture;
pub use request::MockRequest;
pub use response::{MockHeaders, MockResponse};
pub use service::MockService;
