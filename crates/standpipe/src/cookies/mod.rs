//! Cookies, kept by `cookie_store` and sent on every hop of a request.

mod future;
mod jar;
mod layer;
mod service;
mod shelf;
#[cfg(test)]
mod tests;

pub use future::CookiesFuture;
pub use jar::CookieJar;
pub use layer::CookieLayer;
pub use service::Cookies;
