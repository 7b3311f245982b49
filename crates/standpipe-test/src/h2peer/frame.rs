//! Frames, and the numbers in them.

use bytes::{BufMut, Bytes, BytesMut};

/// The kinds of frames of HTTP/2 (RFC 9113, 6).
pub mod kind {
    /// DATA.
    pub const DATA: u8 = 0;
    /// HEADERS.
    pub const HEADERS: u8 = 1;
    /// RST_STREAM.
    pub const RST_STREAM: u8 = 3;
    /// SETTINGS.
    pub const SETTINGS: u8 = 4;
    /// PUSH_PROMISE.
    pub const PUSH_PROMISE: u8 = 5;
    /// PING.
    pub const PING: u8 = 6;
    /// GOAWAY.
    pub const GOAWAY: u8 = 7;
    /// WINDOW_UPDATE.
    pub const WINDOW_UPDATE: u8 = 8;
    /// CONTINUATION.
    pub const CONTINUATION: u8 = 9;
}

/// The flags of frames (RFC 9113, 6).
pub mod flag {
    /// END_STREAM, of DATA and HEADERS.
    pub const END_STREAM: u8 = 1;
    /// ACK, of SETTINGS and PING.
    pub const ACK: u8 = 1;
    /// END_HEADERS, of HEADERS, CONTINUATION and PUSH_PROMISE.
    pub const END_HEADERS: u8 = 4;
    /// PADDED, of DATA and HEADERS.
    pub const PADDED: u8 = 8;
}

/// The settings of HTTP/2 (RFC 9113, 6.5.2).
pub mod setting {
    /// SETTINGS_ENABLE_PUSH.
    pub const ENABLE_PUSH: u16 = 2;
    /// SETTINGS_MAX_CONCURRENT_STREAMS.
    pub const MAX_CONCURRENT_STREAMS: u16 = 3;
    /// SETTINGS_INITIAL_WINDOW_SIZE.
    pub const INITIAL_WINDOW_SIZE: u16 = 4;
    /// SETTINGS_MAX_FRAME_SIZE.
    pub const MAX_FRAME_SIZE: u16 = 5;
}

/// The codes of errors (RFC 9113, 7).
pub mod code {
    /// NO_ERROR.
    pub const NO_ERROR: u32 = 0;
    /// PROTOCOL_ERROR.
    pub const PROTOCOL_ERROR: u32 = 1;
    /// INTERNAL_ERROR.
    pub const INTERNAL_ERROR: u32 = 2;
    /// FRAME_SIZE_ERROR.
    pub const FRAME_SIZE_ERROR: u32 = 6;
    /// REFUSED_STREAM.
    pub const REFUSED_STREAM: u32 = 7;
    /// CANCEL.
    pub const CANCEL: u32 = 8;
    /// ENHANCE_YOUR_CALM.
    pub const ENHANCE_YOUR_CALM: u32 = 11;
}

/// A frame as it stands on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// One of [`kind`].
    pub kind: u8,
    /// Of [`flag`].
    pub flags: u8,
    /// The stream, or 0 for the connection.
    pub stream: u32,
    /// What follows the nine bytes of the head.
    pub payload: Bytes,
}

impl Frame {
    /// Whether all of these flags are set.
    pub fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    /// The payload's first four bytes as a number: the code of a RST_STREAM, the increment of a
    /// WINDOW_UPDATE.
    ///
    /// # Panics
    ///
    /// When there are fewer.
    #[track_caller]
    pub fn number(&self) -> u32 {
        let bytes = self.payload[..4].try_into();
        u32::from_be_bytes(bytes.expect("four bytes"))
    }

    /// The frame that acknowledges this one, encoded, where it asks for one.
    pub(crate) fn acknowledgement(&self) -> Option<Vec<u8>> {
        match self.kind {
            _ if self.has(flag::ACK) => None,
            kind::SETTINGS => Some(encode(kind::SETTINGS, flag::ACK, 0, &[])),
            kind::PING => Some(encode(kind::PING, flag::ACK, 0, &self.payload)),
            _ => None,
        }
    }

    /// The settings of a SETTINGS frame, in their order.
    pub fn settings(&self) -> Vec<(u16, u32)> {
        let entries = self.payload.chunks_exact(6);
        entries
            .map(|at| {
                let id = u16::from_be_bytes([at[0], at[1]]);
                (id, u32::from_be_bytes([at[2], at[3], at[4], at[5]]))
            })
            .collect()
    }
}

/// A block of fields, each as a literal without an index (RFC 7541, 6.2.2).
pub fn fields_of(fields: &[(&str, &str)]) -> Bytes {
    let mut block = BytesMut::new();
    for (name, value) in fields {
        block.put_u8(0);
        for text in [name, value] {
            put_length(&mut block, text.len());
            block.put_slice(text.as_bytes());
        }
    }
    block.freeze()
}

/// A number with a prefix of seven bits (RFC 7541, 5.1).
fn put_length(block: &mut BytesMut, length: usize) {
    let Some(mut rest) = length.checked_sub(127) else {
        return block.put_u8(length as u8);
    };
    block.put_u8(127);
    while rest >= 128 {
        block.put_u8((rest % 128) as u8 | 128);
        rest /= 128;
    }
    block.put_u8(rest as u8);
}

/// The payload of a SETTINGS frame.
pub(crate) fn settings_payload(settings: &[(u16, u32)]) -> Bytes {
    let mut payload = BytesMut::new();
    for (id, value) in settings {
        payload.put_u16(*id);
        payload.put_u32(*value);
    }
    payload.freeze()
}

/// The payload of a GOAWAY frame.
pub(crate) fn goaway_payload(last: u32, code: u32) -> [u8; 8] {
    (u64::from(last) << 32 | u64::from(code)).to_be_bytes()
}

/// A frame as it stands on the wire.
pub(crate) fn encode(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags];
    [&head[..], &stream.to_be_bytes(), payload].concat()
}
