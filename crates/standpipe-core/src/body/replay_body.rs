use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::Replay;
use super::kept::Kept;
use crate::{BoxError, Error};

/// Makes any body one that can be sent again, as long as it is small.
///
/// The first attempt reads the body as it comes, and what went by is kept, up to a cap of 64 KiB
/// unless set. A copy made by [`replay`](Replay::replay) gives the same bytes and trailers from the
/// beginning and then goes on with the body itself, so that an answer which came before the body had
/// ended loses nothing. Over the cap nothing is kept any more and the attempt goes on; the copy
/// [is no longer whole](Replay::is_whole). A body that says beforehand that it is longer than the cap
/// is not kept at all, and nothing is kept once there is no copy left that could use it. All of a process
/// keep no more together than its [`ReplayMemory`](crate::ReplayMemory) has room for.
///
/// Pieces under 4 KiB are copied together, larger ones are shared. The pieces of a copy are therefore
/// not those of the original; the bytes are. Its length hint is the original's.
///
/// It is to be put on a request above whatever retries it. A [`Body`](crate::Body) does not need it:
/// there, a stream is kept in the same way when a retry asks for it.
///
/// # Errors
///
/// Frames give a [`standpipe_core::Error`](Error) of kind
/// [`RequestBody`](crate::ErrorKind::RequestBody): the inner body's own, which ends all copies too;
/// or that a later copy reads the body now.
///
/// ```
/// use http_body_util::{BodyExt, Full};
/// use standpipe_core::{Replay, ReplayBody};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), standpipe_core::Error> {
/// let body = ReplayBody::new(Full::<bytes::Bytes>::from("hello"));
/// let copy = body.replay().unwrap();
/// assert_eq!(body.collect().await?.to_bytes(), "hello");
/// assert_eq!(copy.collect().await?.to_bytes(), "hello");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct ReplayBody<B> {
    kept: Kept<Pin<Box<B>>>,
    own_cap: bool,
}

/// How much of a streamed body is kept to be sent again, unless set otherwise: 64 KiB.
pub(crate) const DEFAULT_CAP: usize = 64 * 1024;

impl<B: HttpBody> ReplayBody<B> {
    /// Keeps as much as the retry above it asks for; 64 KiB where none does.
    pub fn new(body: B) -> Self {
        Self {
            kept: Kept::new(Box::pin(body), DEFAULT_CAP),
            own_cap: false,
        }
    }

    /// Keeps at most `cap` bytes, whatever a retry asks for.
    pub fn with_cap(body: B, cap: usize) -> Self {
        Self {
            kept: Kept::new(Box::pin(body), cap),
            own_cap: true,
        }
    }
}

impl<B> Replay for ReplayBody<B> {
    fn replay(&self) -> Option<Self> {
        Some(Self {
            kept: self.kept.replay()?,
            own_cap: self.own_cap,
        })
    }

    fn keep(&mut self, cap: usize) {
        if !self.own_cap {
            self.kept.set_cap(cap);
        }
    }

    fn is_whole(&self) -> bool {
        self.kept.is_whole()
    }
}

impl<B> HttpBody for ReplayBody<B>
where
    B: HttpBody,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.get_mut().kept).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.kept.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.kept.size_hint()
    }
}
