use std::time::Duration;

use bytes::Bytes;

use super::Reply;
use crate::h2peer::code;

/// A place in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The request has come, with its body; nothing of the answer was sent.
    BeforeHead,
    /// So many bytes of the head were sent: of its text by HTTP/1.1, of its HEADERS frame by HTTP/2.
    /// It is never the whole head: of a shorter one, all but the last byte.
    Head(usize),
    /// The head was sent, and so many bytes of the body. There is more to come: a body that is not
    /// longer is filled up with dots.
    Body(usize),
}

/// What becomes of a request's body that was answered before it had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It is read still, and the connection goes on.
    Read,
    /// It is never read, and the connection stays open until the server is dropped. By HTTP/2 only
    /// the stream is left like that.
    Leave,
    /// The connection is closed at once; by HTTP/2 the stream is reset with NO_ERROR (RFC 9113, 8.1).
    Close,
}

/// What goes wrong with one request's answer.
///
/// But where it says otherwise, a fault is the same by HTTP/1.1 and by HTTP/2, the server has read all of
/// the request first, and the answer is the server's [reply](super::FaultServerBuilder::reply).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing goes wrong; this is the answer.
    Reply(Reply),
    /// The connection is reset. What was sent before is read by the client first.
    Reset(At),
    /// The connection is closed in good order; by HTTP/2 without a GOAWAY.
    Close(At),
    /// No more is sent, and the connection stays open until the client closes it. By HTTP/2 the other
    /// streams go on, unless the stall is within a head: nobody can speak between its bytes.
    Stall(At),
    /// The answer pauses, and then goes on.
    Delay(At, Duration),
    /// The head comes byte by byte, each after such a pause.
    DripHead(Duration),
    /// The body comes byte by byte, each after such a pause. An empty one is filled up to three bytes.
    DripBody(Duration),
    /// So many bytes of the request's body are read, then no more, and there is no answer. By HTTP/2 the
    /// stream's window is not raised any more, once so many bytes have come.
    StopReading {
        /// Bytes of the body, as they come: by HTTP/1.1 with the sizes of its chunks.
        after: usize,
    },
    /// The answer is sent as soon as the request's head has come.
    EarlyAnswer(Rest),
    /// An informational answer comes before the real one, or a flood of them.
    Informational {
        /// A code from 100 to 199, but not 101.
        status: u16,
        /// How many.
        times: usize,
    },
    /// The `Content-Length` is too large, by so many bytes. By HTTP/1.1 the connection is closed after
    /// the body.
    LengthTooLong(u64),
    /// The `Content-Length` is too small, by so many bytes. A body that is shorter than that is filled
    /// up.
    LengthTooShort(u64),
    /// There are two fields `Content-Length`: the right one, and one more than that.
    TwoLengths,
    /// These bytes come in place of an answer, where a head or a frame should begin; then the connection
    /// is closed.
    Garbage(Bytes),
    /// The connection is closed after the answer, which has not said so; by HTTP/2 without a GOAWAY.
    CloseAfterAnswer,
    /// The connection is kept after the answer, and closed as the next request on it arrives. That
    /// one is not counted as a request.
    CloseOnNextRequest,
    /// HTTP/2: the stream is reset by a RST_STREAM. It cannot be within the head: one frame has to end
    /// before another begins.
    ResetStream {
        /// Of [`code`].
        code: u32,
        /// Where in the answer.
        at: At,
    },
    /// HTTP/2: a GOAWAY comes at once. Streams that began before are answered, then the connection is
    /// closed.
    GoAway {
        /// Of [`code`].
        code: u32,
        /// Whether this request is the last that is answered, or the first that is not.
        answered: bool,
    },
    /// HTTP/2: a shutdown in good order (RFC 9113, 6.8). A first GOAWAY excludes no stream; the second,
    /// a round trip later, names the last that came. All those are answered, then the connection is
    /// closed.
    GracefulGoAway,
    /// HTTP/2: from now on so many streams may be open, as SETTINGS say before the answer does. Streams
    /// that are open go on.
    StreamLimit(u32),
}

impl Fault {
    /// HTTP/2: the stream is refused by a RST_STREAM of REFUSED_STREAM: it was not looked at, and may
    /// be sent again.
    pub fn refused_stream() -> Self {
        Self::ResetStream {
            code: code::REFUSED_STREAM,
            at: At::BeforeHead,
        }
    }

    /// Whether HTTP/2 alone has it.
    pub(super) fn is_of_http2(&self) -> bool {
        matches!(
            self,
            Self::ResetStream { .. }
                | Self::GoAway { .. }
                | Self::GracefulGoAway
                | Self::StreamLimit(_)
        )
    }

    /// Why it can't be, if so.
    pub(super) fn flaw(&self) -> Option<&'static str> {
        match self {
            Self::Informational { status, .. } if !matches!(status, 100 | 102..=199) => {
                Some("an informational answer has a code from 100 to 199, but not 101")
            }
            Self::Informational { times: 0, .. } => Some("no informational answer is no fault"),
            Self::ResetStream {
                at: At::Head(1..), ..
            } => Some("a stream cannot be reset within a head"),
            Self::LengthTooLong(0) | Self::LengthTooShort(0) => {
                Some("a length that is off by nothing is no fault")
            }
            _ => None,
        }
    }
}

impl From<Reply> for Fault {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}
