//! A response body as a stream: of its chunks, or of its lines.

mod bytes;
mod lines;
mod splitter;

pub use bytes::BytesStream;
pub(crate) use bytes::poll_data;
pub use lines::Lines;
pub(crate) use splitter::LineSplitter;

/// The longest line that is read unless set, in bytes: that of a large answer on one line.
pub(crate) const MAX_LINE: usize = 8 * 1024 * 1024;
