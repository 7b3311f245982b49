use std::collections::VecDeque;

use bytes::Bytes;

use crate::h2peer::{encode, goaway_payload, kind, settings_payload};

/// Who may write: while a stream is within a frame, all others wait.
#[derive(Debug, Default)]
pub(super) struct Writer {
    within: Option<u32>,
    waiting: VecDeque<Piece>,
}

/// What a stream would write; 0 is the connection.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) stream: u32,
    pub(super) bytes: Bytes,
    /// Whether a frame ends with it.
    pub(super) whole: bool,
}

impl Writer {
    /// Whether the stream is within a frame.
    pub(super) fn is_within(&self, stream: u32) -> bool {
        self.within == Some(stream)
    }

    /// What is to be written now that this has come.
    pub(super) fn admit(&mut self, piece: Piece) -> Vec<u8> {
        if self.within.is_some_and(|stream| stream != piece.stream) {
            self.waiting.push_back(piece);
            return Vec::new();
        }
        let mut now = piece.bytes.to_vec();
        self.within = (!piece.whole).then_some(piece.stream);
        if piece.whole {
            // In their order; one that is not whole keeps those behind it waiting again.
            let waiting = std::mem::take(&mut self.waiting);
            now.extend(waiting.into_iter().flat_map(|piece| self.admit(piece)));
        }
        now
    }
}

pub(super) fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    encode(kind::SETTINGS, 0, 0, &settings_payload(settings))
}

pub(super) fn ping(payload: [u8; 8]) -> Vec<u8> {
    encode(kind::PING, 0, 0, &payload)
}

pub(super) fn go_away(last: u32, code: u32) -> Vec<u8> {
    encode(kind::GOAWAY, 0, 0, &goaway_payload(last, code))
}

pub(super) fn reset(stream: u32, code: u32) -> Vec<u8> {
    encode(kind::RST_STREAM, 0, stream, &code.to_be_bytes())
}

pub(super) fn window(stream: u32, increment: usize) -> Vec<u8> {
    let increment = (increment as u32).to_be_bytes();
    encode(kind::WINDOW_UPDATE, 0, stream, &increment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(stream: u32, bytes: &'static str, whole: bool) -> Piece {
        let bytes = bytes.into();
        Piece {
            stream,
            bytes,
            whole,
        }
    }

    #[test]
    fn nobody_writes_within_the_frame_of_another() {
        let mut writer = Writer::default();
        assert_eq!(writer.admit(piece(1, "a1", false)), b"a1");
        assert_eq!(writer.admit(piece(0, "c", true)), b"");
        assert_eq!(writer.admit(piece(3, "b1", false)), b"");
        assert_eq!(writer.admit(piece(5, "d", true)), b"");
        assert_eq!(writer.admit(piece(1, "a2", true)), b"a2cb1");
        assert!(writer.is_within(3));
        assert_eq!(writer.admit(piece(3, "b2", true)), b"b2d");
        assert_eq!(writer.admit(piece(0, "e", true)), b"e");
    }
}
