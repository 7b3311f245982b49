//! Redirects, followed by tower-http's `FollowRedirect` under rules of our own.
//!
//! The layer stands above the router, so that each hop passes the stack of the host that it goes to.

mod chain;
mod future;
mod hops;
mod layer;
mod pattern;
mod rules;
mod service;
#[cfg(test)]
mod tests;

pub use chain::RedirectChain;
pub use future::RedirectFuture;
pub use layer::RedirectLayer;
pub use service::Redirect;

use http::{Response, Uri};
use tower_http::follow_redirect::RequestUri;

/// The URL that answered: the last one where redirects were followed. None where `response` did not
/// come through a [`Redirect`] that is on.
pub fn final_uri<B>(response: &Response<B>) -> Option<&Uri> {
    response.extensions().get::<RequestUri>().map(|uri| &uri.0)
}
