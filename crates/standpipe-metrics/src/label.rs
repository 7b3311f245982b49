//! The labels that vary by request, each from a bounded set.

use std::any::Any;
use std::error::Error as StdError;
use std::io;

use http::Method;
use standpipe_core::{BoxError, Error, ErrorKind};

/// OpenTelemetry's word for what is not known.
pub(crate) const OTHER: &str = "_OTHER";

/// The low-cardinality form of a request's path, such as `/users/{id}`: put it into the request's
/// extensions, and it is the label `url.template` of its series and its span.
///
/// It is text of the program, not of the request, so that it cannot be unbounded.
///
/// ```
/// use standpipe_metrics::UrlTemplate;
///
/// let mut request = http::Request::get("https://api.example.com/users/17").body(()).unwrap();
/// request.extensions_mut().insert(UrlTemplate("/users/{id}"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UrlTemplate(pub &'static str);

/// `error.type`: the word for why a request failed.
///
/// It is [`ErrorKind::as_str`], `cancelled` where the caller dropped the request, or `_OTHER` for an
/// error that is not a [`standpipe_core::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErrorType(u8);

/// What is no error's kind stands before those that are.
const BEFORE: [&str; 2] = [OTHER, "cancelled"];

const KINDS: [&str; BEFORE.len() + ErrorKind::EACH.len()] = {
    let mut words = [BEFORE[0]; BEFORE.len() + ErrorKind::EACH.len()];
    words[1] = BEFORE[1];
    let mut kind = 0;
    while kind < ErrorKind::EACH.len() {
        words[BEFORE.len() + kind] = ErrorKind::EACH[kind].as_str();
        kind += 1;
    }
    words
};

impl ErrorType {
    pub(crate) const COUNT: usize = KINDS.len();

    /// The caller dropped the request, or its response body, before its end.
    pub const CANCELLED: Self = Self(1);

    /// The word for `kind`.
    pub fn of_kind(kind: ErrorKind) -> Self {
        let name = kind.as_str();
        let known = KINDS.iter().position(|known| *known == name);
        Self(known.map_or(0, |index| index as u8))
    }

    /// The word for `error`.
    pub fn of(error: &BoxError) -> Self {
        match Error::find(error.as_ref()) {
            Some(error) => Self::of_kind(error.kind()),
            None => Self(0),
        }
    }

    /// The word for what a body gave, which can only be looked at: its type tells where the error is.
    pub(crate) fn of_any(error: &dyn Any) -> Self {
        let error: Option<&(dyn StdError + 'static)> =
            if let Some(error) = error.downcast_ref::<Error>() {
                Some(error)
            } else if let Some(error) = error.downcast_ref::<BoxError>() {
                Some(error.as_ref())
            } else if let Some(error) = error.downcast_ref::<io::Error>() {
                Some(error)
            } else {
                None
            };
        // What an `io::Error` was made of is none of its sources.
        let made_of = error.and_then(|error| error.downcast_ref::<io::Error>()?.get_ref());
        let made_of = made_of.map(|error| error as _);
        let found = made_of.or(error).and_then(Error::find);
        found.map_or(Self(0), |error| Self::of_kind(error.kind()))
    }

    /// The word itself.
    pub fn as_str(self) -> &'static str {
        KINDS[self.index()]
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..KINDS.len() as u8).map(Self)
    }

    /// Whether this client refused by itself, without asking the peer.
    pub(crate) fn is_rejection(self) -> bool {
        let kind = self.index().checked_sub(BEFORE.len());
        let kind = kind.map(|place| ErrorKind::EACH[place]);
        // What the caller's own body does is no refusal of this client's.
        kind.is_some_and(|kind| kind.is_local() && kind != ErrorKind::RequestBody)
    }
}

/// The methods that are labels by name; any other is `_OTHER`.
///
/// The conventions want the list to be replaceable: see
/// [`RegistryBuilder::known_methods`](crate::RegistryBuilder::known_methods).
#[derive(Clone, Debug)]
pub(crate) struct Methods(Box<[Method]>);

const STANDARD: [Method; 9] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::PATCH,
    Method::HEAD,
    Method::OPTIONS,
    Method::CONNECT,
    Method::TRACE,
];

/// More would fit into the number's byte, but not into a bound on series that means anything.
const MOST: usize = 64;

impl Default for Methods {
    fn default() -> Self {
        let standard = STANDARD.iter().map(Method::as_str);
        Self::new(standard.chain(["QUERY"]))
    }
}

impl Methods {
    /// A name that no method can have is left out.
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let methods = names.into_iter().filter_map(|name| name.parse().ok());
        Self(methods.take(MOST).collect())
    }

    /// The method's number; one that no name has for an unknown one.
    #[inline]
    pub(crate) fn find(&self, method: &Method) -> u8 {
        let known = self.0.iter().position(|known| known == method);
        known.unwrap_or(self.0.len()) as u8
    }

    pub(crate) fn name(&self, number: u8) -> &str {
        self.0
            .get(usize::from(number))
            .map_or(OTHER, Method::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_error_has_its_own_word() {
        for kind in ErrorKind::EACH {
            assert_eq!(ErrorType::of_kind(kind).as_str(), kind.as_str());
        }
        let refused: Vec<_> = ErrorType::all()
            .filter(|word| word.is_rejection())
            .collect();
        assert_eq!(refused.len(), 11);
        for kind in [ErrorKind::QueueFull, ErrorKind::AddressRefused] {
            assert!(refused.contains(&ErrorType::of_kind(kind)), "{kind:?}");
        }
        for kind in [ErrorKind::RequestBody, ErrorKind::Connect] {
            assert!(!refused.contains(&ErrorType::of_kind(kind)), "{kind:?}");
        }
    }

    #[test]
    fn a_foreign_error_is_other() {
        assert_eq!(ErrorType::of(&"boom".into()).as_str(), OTHER);
        assert_eq!(ErrorType::CANCELLED.as_str(), "cancelled");
    }

    #[test]
    fn the_kind_is_found_in_each_type_that_a_body_gives() {
        let reset = || Error::new(ErrorKind::StreamReset);
        let boxed = BoxError::from(reset());
        let wrapped = io::Error::other(reset());
        let both = BoxError::from(io::Error::other(reset()));
        for error in [&reset() as &dyn Any, &boxed, &wrapped, &both] {
            assert_eq!(ErrorType::of_any(error).as_str(), "stream_reset");
        }
        let foreign = io::Error::from(io::ErrorKind::BrokenPipe);
        for error in [&foreign as &dyn Any, &BoxError::from("boom"), &"boom"] {
            assert_eq!(ErrorType::of_any(error).as_str(), OTHER);
        }
    }

    #[test]
    fn methods_are_known_by_their_exact_name() {
        let methods = Methods::default();
        for name in ["GET", "PATCH", "QUERY"] {
            let method = Method::from_bytes(name.as_bytes()).unwrap();
            assert_eq!(methods.name(methods.find(&method)), name);
        }
        for name in ["get", "BREW", "_OTHER"] {
            let method = Method::from_bytes(name.as_bytes()).unwrap();
            assert_eq!(methods.name(methods.find(&method)), OTHER);
        }
    }
}
