//! The server's side of an HTTP/2 connection, played by hand.

mod frame;
#[cfg(test)]
mod tests;

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub use frame::{Frame, code, fields_of, flag, kind, setting};
pub(crate) use frame::{encode, goaway_payload, settings_payload};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The server's side of an HTTP/2 connection, played by hand, frame by frame.
///
/// It keeps no rule of the protocol: what it writes may be as wrong as the test wishes. It does nothing
/// by itself but what [`request`](H2Peer::request) says. Dropping it drops the stream.
#[derive(Debug)]
pub struct H2Peer<S> {
    stream: S,
    read: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> H2Peer<S> {
    /// Reads the client's preface and sends `settings`; what the client has to say further is left
    /// unread.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](io::ErrorKind::InvalidData) where no HTTP/2 is spoken, and what the stream
    /// gives.
    pub async fn accept(stream: S, settings: &[(u16, u32)]) -> io::Result<Self> {
        let mut peer = Self {
            stream,
            read: BytesMut::new(),
        };
        while peer.read.len() < PREFACE.len() {
            peer.read_more().await?;
        }
        if peer.read.split_to(PREFACE.len()) != PREFACE {
            let message = "this is not HTTP/2";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        peer.settings(settings).await?;
        Ok(peer)
    }

    /// The stream below.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream below, without what was read ahead from it.
    pub fn into_inner(self) -> S {
        self.stream
    }

    // ---- reading ----

    /// The next frame, whatever it is.
    ///
    /// # Errors
    ///
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when the client has closed, and what the
    /// stream gives.
    ///
    /// # Cancel safety
    ///
    /// Nothing read is lost.
    pub async fn frame(&mut self) -> io::Result<Frame> {
        loop {
            if let Some(head) = self.read.first_chunk::<9>() {
                let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8;
                let length = length | usize::from(head[2]);
                let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
                let (kind, flags) = (head[3], head[4]);
                if self.read.len() >= 9 + length {
                    let payload = self.read.split_to(9 + length).split_off(9).freeze();
                    return Ok(Frame {
                        kind,
                        flags,
                        stream,
                        payload,
                    });
                }
            }
            self.read_more().await?;
        }
    }

    /// The next frame of a kind; the others are passed over, SETTINGS and PINGs acknowledged.
    ///
    /// # Errors
    ///
    /// As [`frame`](H2Peer::frame).
    pub async fn next(&mut self, kind: u8) -> io::Result<Frame> {
        loop {
            let frame = self.frame().await?;
            if let Some(acknowledgement) = frame.acknowledgement() {
                self.raw(acknowledgement).await?;
            }
            if frame.kind == kind {
                return Ok(frame);
            }
        }
    }

    /// The stream of the next request; what is between is passed over, as by [`next`](H2Peer::next).
    ///
    /// # Errors
    ///
    /// As [`frame`](H2Peer::frame).
    pub async fn request(&mut self) -> io::Result<u32> {
        Ok(self.next(kind::HEADERS).await?.stream)
    }

    /// Reads until the client has closed or reset the connection; the frames that came.
    pub async fn closed(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Ok(frame) = self.frame().await {
            frames.push(frame);
        }
        frames
    }

    async fn read_more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    // ---- writing ----

    /// Writes bytes as they are.
    ///
    /// # Errors
    ///
    /// What the stream gives.
    pub async fn raw(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await?;
        self.stream.flush().await
    }

    /// Writes a frame.
    ///
    /// # Errors
    ///
    /// What the stream gives.
    pub async fn write(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: impl AsRef<[u8]>,
    ) -> io::Result<()> {
        self.raw(encode(kind, flags, stream, payload.as_ref()))
            .await
    }

    /// Sends SETTINGS.
    ///
    /// # Errors
    ///
    /// What the stream gives.
    pub async fn settings(&mut self, settings: &[(u16, u32)]) -> io::Result<()> {
        self.write(kind::SETTINGS, 0, 0, settings_payload(settings))
            .await
    }

    /// Sends the head of a response: `fields` as they are, pseudo-headers first.
    ///
    /// # Errors
    ///
    /// What the stream gives.
    pub async fn head(
        &mut self,
        stream: u32,
        fields: &[(&str, &str)],
        end: bool,
    ) -> io::Result<()> {
        let end = if end { flag::END_STREAM } else { 0 };
        let flags = flag::END_HEADERS | end;
        self.write(kind::HEADERS, flags, stream, fields_of(fields))
            .await
    }

    /// Sends DATA.
    ///
    /// # Errors
    ///
    /// What the stream gives.
    pub async fn data(&mut self, stream: u32, data: impl AsRef<[u8]>, end: bool) -> io::Result<()> {
        let flags = if end { flag::END_STREAM } else { 0 };
        self.write(kind::DATA, flags, stream, data).await
    }

    /// Answers a stream with 200 and a body, all at once.
    ///
    /// # Errors
    ///
    /// What the stream gives.
    pub async fn respond(&mut self, stream: u32, body: impl AsRef<[u8]>) -> io::Result<()> {
        let head = encode(
            kind::HEADERS,
            flag::END_HEADERS,
            stream,
            &fields_of(&[(":status", "200")]),
        );
        let data = encode(kind::DATA, flag::END_STREAM, stream, body.as_ref());
        self.raw([head, data].concat()).await
    }

    /// Sends RST_STREAM.
    ///
    /// # Errors
    ///
    /// What the stream gives.
    pub async fn reset(&mut self, stream: u32, code: u32) -> io::Result<()> {
        self.write(kind::RST_STREAM, 0, stream, code.to_be_bytes())
            .await
    }

    /// Sends GOAWAY.
    ///
    /// # Errors
    ///
    /// What the stream gives.
    pub async fn go_away(&mut self, last: u32, code: u32) -> io::Result<()> {
        self.write(kind::GOAWAY, 0, 0, goaway_payload(last, code))
            .await
    }

    /// Sends WINDOW_UPDATE.
    ///
    /// # Errors
    ///
    /// What the stream gives.
    pub async fn window(&mut self, stream: u32, increment: u32) -> io::Result<()> {
        self.write(kind::WINDOW_UPDATE, 0, stream, increment.to_be_bytes())
            .await
    }
}
