//! Failures that are this machine's, not the peer's.

use std::error::Error as StdError;
use std::io;

use standpipe_core::Error;

/// Whether an IO error among the causes of `error`, or it itself, is such a one.
pub(crate) fn any_io(error: &(dyn StdError + 'static), is: impl Fn(&io::Error) -> bool) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        next = error.source();
        if let Some(io) = error.downcast_ref::<io::Error>() {
            if is(io) {
                return true;
            }
            // An IO error passes over the error that it holds and gives that one's source.
            next = io.get_ref().map(|held| held as _);
        }
    }
    false
}

/// Whether the cause is a want of this machine's: descriptors, ports, buffers, memory or a route.
pub(crate) fn is_local(error: &(dyn StdError + 'static)) -> bool {
    any_io(error, |io| {
        is_shortage(io)
            || matches!(
                io.kind(),
                io::ErrorKind::AddrNotAvailable
                    | io::ErrorKind::NetworkUnreachable
                    | io::ErrorKind::NetworkDown
            )
    })
}

/// Whether closing a connection would help a dial that failed so: the process or the machine has
/// no descriptor or buffer left.
pub(crate) fn is_out_of_sockets(error: &Error) -> bool {
    any_io(error, is_shortage)
}

#[cfg(unix)]
fn is_shortage(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::OutOfMemory
        || matches!(
            error.raw_os_error(),
            Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS)
        )
}

#[cfg(not(unix))]
fn is_shortage(error: &io::Error) -> bool {
    // WSAEMFILE and WSAENOBUFS
    error.kind() == io::ErrorKind::OutOfMemory
        || cfg!(windows) && matches!(error.raw_os_error(), Some(10024 | 10055))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use standpipe_core::ErrorKind;

    /// RES-01, RES-02
    #[test]
    fn what_this_machine_lacks_is_told_from_what_the_peer_did() {
        let raw = io::Error::from_raw_os_error;
        for code in [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM] {
            let error = Error::new(ErrorKind::LocalConnect).with_source(raw(code));
            assert!(is_local(&error) && is_out_of_sockets(&error), "{code}");
        }
        for code in [libc::EADDRNOTAVAIL, libc::ENETUNREACH, libc::ENETDOWN] {
            let error = Error::new(ErrorKind::LocalConnect).with_source(raw(code));
            assert!(is_local(&error) && !is_out_of_sockets(&error), "{code}");
        }
        let held = io::Error::other(io::Error::other(raw(libc::EMFILE)));
        assert!(is_local(&held));
        for code in [libc::ECONNREFUSED, libc::EHOSTUNREACH, libc::ETIMEDOUT] {
            assert!(!is_local(&raw(code)), "{code}");
        }
    }
}
