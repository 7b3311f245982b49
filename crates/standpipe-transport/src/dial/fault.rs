//! What a connector's error means.

use std::error::Error as StdError;
use std::io;

use standpipe_core::{BoxError, Error, ErrorKind};

use super::local;
use crate::dns;

/// A connector's error, told apart by what is known of its kind.
pub(crate) fn of_connector(error: BoxError) -> Error {
    if let Some(known) = Error::find(error.as_ref()) {
        return known.clone();
    }
    Error::new(kind_of(error.as_ref())).with_source(error)
}

fn kind_of(error: &(dyn StdError + 'static)) -> ErrorKind {
    if local::is_local(error) {
        ErrorKind::LocalConnect
    } else if is_of_resolver(error) {
        dns::kind_of(error)
    } else if local::any_io(error, |io| io.kind() == io::ErrorKind::TimedOut) {
        ErrorKind::ConnectTimeout
    } else {
        ErrorKind::Connect
    }
}

/// hyper-util's connector marks the errors of its resolver by these words alone.
fn is_of_resolver(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.to_string() == "dns error" {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(error: io::Error) -> ErrorKind {
        of_connector(error.into()).kind()
    }

    /// RES-02
    #[test]
    fn a_connectors_error_is_told_by_its_cause() {
        use io::ErrorKind as Io;
        assert_eq!(kind(Io::ConnectionRefused.into()), ErrorKind::Connect);
        assert_eq!(kind(Io::TimedOut.into()), ErrorKind::ConnectTimeout);
        for local in [Io::AddrNotAvailable, Io::NetworkUnreachable] {
            assert_eq!(kind(local.into()), ErrorKind::LocalConnect);
            let wrapped = io::Error::other(io::Error::from(local));
            assert_eq!(kind(wrapped), ErrorKind::LocalConnect);
        }
    }
}
