//! Whether a dial failed because the process, or the system, has no file descriptor left.

use std::error::Error as StdError;
use std::io;

/// `EMFILE` and `ENFILE` have these numbers on Linux, macOS and the BSDs alike.
#[cfg(unix)]
const RAN_OUT: [i32; 2] = [24, 23];
/// `WSAEMFILE`.
#[cfg(not(unix))]
const RAN_OUT: [i32; 1] = [10024];

pub(super) fn ran_out(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let io = error.downcast_ref::<io::Error>();
        let code = io.and_then(io::Error::raw_os_error);
        if code.is_some_and(|code| RAN_OUT.contains(&code)) {
            return true;
        }
        // An IO error's source is that of what it holds, which it passes over itself.
        next = match io.and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => error.source(),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use standpipe_core::{Error, ErrorKind};

    #[test]
    fn the_errors_that_closing_a_connection_helps_against_are_found_in_the_chain() {
        for code in RAN_OUT {
            let os = io::Error::from_raw_os_error(code);
            let wrapped = Error::new(ErrorKind::Connect).with_source(io::Error::other(os));
            assert!(ran_out(&wrapped));
        }
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert!(!ran_out(
            &Error::new(ErrorKind::Connect).with_source(refused)
        ));
    }
}
