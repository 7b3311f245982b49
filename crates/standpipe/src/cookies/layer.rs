use tower_layer::Layer;

use super::{CookieJar, Cookies};

/// Makes [`Cookies`], which sends the cookies of a [`CookieJar`] and keeps those that answers set.
///
/// # Order
///
/// Below what follows redirects, so that each hop sends its own cookies and keeps those it is given;
/// above the router, since one jar serves all hosts.
///
/// # Clone
///
/// A clone makes the same, over the same jar.
#[derive(Clone, Debug)]
pub struct CookieLayer {
    jar: Option<CookieJar>,
}

impl CookieLayer {
    /// Uses `jar`.
    pub fn new(jar: CookieJar) -> Self {
        Self { jar: Some(jar) }
    }

    /// Sends and keeps none.
    pub fn off() -> Self {
        Self { jar: None }
    }
}

impl<S> Layer<S> for CookieLayer {
    type Service = Cookies<S>;

    fn layer(&self, inner: S) -> Cookies<S> {
        Cookies::new(inner, self.jar.clone())
    }
}
