use std::sync::Arc;

use standpipe_core::Error;
use tower_layer::Layer;

use super::Redirect;
use super::pattern::HeaderPattern;
use super::rules::Rules;

/// Makes [`Redirect`], which follows redirects.
///
/// What a request carries over to another origin (scheme, host, port) is all but what may be a secret:
/// `Authorization`, `Cookie`, `Proxy-Authorization`, headers [named by the caller](Self::strip) and
/// those whose value is [marked as sensitive](http::HeaderValue::is_sensitive); `Host` and `Referer`;
/// and its extensions, but for [those let through](Self::keep_extension) and the deadline.
///
/// # Order
///
/// Above the router and everything that is about one host, below the total timeout. What is added to a
/// request below, such as a host's default headers, goes with no redirect.
///
/// # Clone
///
/// A clone makes the same.
#[derive(Clone, Debug)]
pub struct RedirectLayer {
    rules: Option<Arc<Rules>>,
}

impl RedirectLayer {
    /// Follows at most `limit` redirects of a request; a further one is an error.
    pub fn new(limit: u32) -> Self {
        Self {
            rules: Some(Arc::new(Rules::new(limit))),
        }
    }

    /// Follows none: a redirect is the caller's answer.
    pub fn off() -> Self {
        Self { rules: None }
    }

    /// Takes the headers of these names off a request that goes to another origin, besides those that
    /// always go. A name may end with `*`: `openai-*` stands for all that begin with `openai-`.
    ///
    /// # Errors
    ///
    /// [`Config`](standpipe_core::ErrorKind::Config) for what is no header name.
    pub fn strip<P: AsRef<str>>(self, names: impl IntoIterator<Item = P>) -> Result<Self, Error> {
        let patterns: Vec<_> = names
            .into_iter()
            .map(|name| HeaderPattern::parse(name.as_ref()))
            .collect::<Result<_, _>>()?;
        Ok(self.changed(|rules| rules.secrets.extend(patterns)))
    }

    /// Lets extensions of the type `T` go to other origins with their request.
    #[must_use]
    pub fn keep_extension<T: Clone + Send + Sync + 'static>(self) -> Self {
        self.changed(Rules::keep::<T>)
    }

    /// Whether redirects from https to http are followed. They are refused unless this is set.
    #[must_use]
    pub fn allow_downgrade(self, allow: bool) -> Self {
        self.changed(|rules| rules.downgrade = allow)
    }

    fn changed(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        if let Some(rules) = &mut self.rules {
            change(Arc::make_mut(rules));
        }
        self
    }
}

impl<S: Clone> Layer<S> for RedirectLayer {
    type Service = Redirect<S>;

    fn layer(&self, inner: S) -> Redirect<S> {
        Redirect::new(inner, self.rules.as_ref())
    }
}
