//! What a resolver's error means.

use std::error::Error as StdError;
use std::io;

use standpipe_core::{BoxError, Error, ErrorKind};

use crate::dial::local;

/// What the C libraries say where there is no such name, or no address to it. Rust's standard
/// library keeps the text of `gai_strerror` alone.
const NOT_FOUND: &[&str] = &[
    "not known",
    "No address associated",
    "Name does not resolve",
    "Name has no usable address",
];

pub(crate) fn of_resolver(error: BoxError) -> Error {
    if let Some(known) = Error::find(error.as_ref()) {
        return known.clone();
    }
    Error::new(kind_of(error.as_ref())).with_source(error)
}

/// The kind of an error that came out of resolving a name.
pub(crate) fn kind_of(error: &(dyn StdError + 'static)) -> ErrorKind {
    if local::is_local(error) {
        return ErrorKind::LocalConnect;
    }
    let not_found = |io: &io::Error| io.kind() == io::ErrorKind::NotFound || says_not_found(io);
    if local::any_io(error, not_found) {
        ErrorKind::DnsNotFound
    } else {
        ErrorKind::Dns
    }
}

pub(crate) fn empty() -> Error {
    Error::new(ErrorKind::DnsNotFound).with_message("the answer holds no address")
}

fn says_not_found(error: &io::Error) -> bool {
    if cfg!(windows) {
        // WSAHOST_NOT_FOUND and WSANO_DATA
        return matches!(error.raw_os_error(), Some(11001 | 11004));
    }
    let text = error.to_string();
    text.contains("lookup address") && NOT_FOUND.iter().any(|phrase| text.contains(phrase))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(error: io::Error) -> ErrorKind {
        of_resolver(error.into()).kind()
    }

    /// DNS-01
    #[test]
    fn a_name_that_is_not_there_and_a_failure_to_ask_are_told_apart() {
        let said = |text: &str| {
            kind(io::Error::other(format!(
                "failed to lookup address information: {text}"
            )))
        };
        for text in [
            "Name or service not known",
            "nodename nor servname provided, or not known",
            "No address associated with hostname",
            "Name does not resolve",
        ] {
            assert_eq!(said(text), ErrorKind::DnsNotFound, "{text}");
        }
        for text in [
            "Temporary failure in name resolution",
            "Non-recoverable failure in name resolution",
            "Try again",
        ] {
            assert_eq!(said(text), ErrorKind::Dns, "{text}");
        }
        assert_eq!(kind(io::ErrorKind::NotFound.into()), ErrorKind::DnsNotFound);
        assert_eq!(kind(io::ErrorKind::TimedOut.into()), ErrorKind::Dns);
    }

    #[test]
    fn a_resolver_may_choose_the_kind_itself() {
        let own = Error::new(ErrorKind::DnsTimeout);
        assert_eq!(of_resolver(own.into()).kind(), ErrorKind::DnsTimeout);
    }
}
