use std::collections::HashMap;

use standpipe_core::sync::Mutex;

use crate::changes::Changes;

/// How much the client lets the server send (RFC 9113, 6.9).
#[derive(Debug)]
pub(super) struct Flow {
    windows: Mutex<Windows>,
    changes: Changes,
}

/// The windows: what may be sent of each, the decision alone.
#[derive(Debug)]
struct Windows {
    connection: i64,
    initial: i64,
    /// By how much a stream's window differs from the initial one.
    streams: HashMap<u32, i64>,
}

impl Flow {
    pub(super) fn new() -> Self {
        const DEFAULT: i64 = 65_535;
        Self {
            windows: Mutex::new(Windows {
                connection: DEFAULT,
                initial: DEFAULT,
                streams: HashMap::new(),
            }),
            changes: Changes::default(),
        }
    }

    /// Waits until something of `want` may be sent on the stream, and takes it.
    pub(super) async fn take(&self, stream: u32, want: usize) -> usize {
        let take = || self.windows.lock().take(stream, want);
        self.changes.until(take).await
    }

    /// The client's WINDOW_UPDATE of a stream, or of the connection, 0.
    pub(super) fn raise(&self, stream: u32, increment: u32) {
        self.windows.lock().raise(stream, i64::from(increment));
        self.changes.announce();
    }

    /// The client's SETTINGS_INITIAL_WINDOW_SIZE; it holds for open streams too.
    pub(super) fn set_initial(&self, size: u32) {
        self.windows.lock().initial = i64::from(size);
        self.changes.announce();
    }

    pub(super) fn forget(&self, stream: u32) {
        self.windows.lock().streams.remove(&stream);
    }
}

impl Windows {
    fn take(&mut self, stream: u32, want: usize) -> Option<usize> {
        let used = self.streams.entry(stream).or_default();
        let room = self.connection.min(self.initial + *used);
        let taken = usize::try_from(room).ok()?.min(want);
        if taken == 0 {
            return None;
        }
        *used -= taken as i64;
        self.connection -= taken as i64;
        Some(taken)
    }

    fn raise(&mut self, stream: u32, increment: i64) {
        match stream {
            0 => self.connection += increment,
            _ => *self.streams.entry(stream).or_default() += increment,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(connection: i64, initial: i64) -> Windows {
        Windows {
            connection,
            initial,
            streams: HashMap::new(),
        }
    }

    #[test]
    fn no_more_is_taken_than_stream_and_connection_allow() {
        let mut windows = windows(10, 6);
        assert_eq!(windows.take(1, 100), Some(6));
        assert_eq!(windows.take(1, 100), None);
        assert_eq!(windows.take(3, 100), Some(4));
        assert_eq!(windows.take(3, 100), None);
        windows.raise(0, 5);
        assert_eq!(windows.take(1, 100), None);
        assert_eq!(windows.take(3, 1), Some(1));
    }

    #[test]
    fn a_smaller_initial_window_may_make_one_negative() {
        let mut windows = windows(100, 6);
        assert_eq!(windows.take(1, 5), Some(5));
        windows.initial = 2;
        windows.raise(1, 3);
        assert_eq!(windows.take(1, 1), None);
        windows.raise(1, 1);
        assert_eq!(windows.take(1, 9), Some(1));
    }
}
