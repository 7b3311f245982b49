use bytes::Bytes;
use http_body_util::{Empty, Full};

use super::kept::Kept;
use super::{Body, Kind};

/// A body that may be able to give a copy of itself to send again.
///
/// A retry asks before it sends: `None` means that this attempt is the only one. Before it sends the
/// copy it asks whether that [is whole](Replay::is_whole).
///
/// Two of the three methods are for bodies that are read once, such as a stream: those must be told
/// to keep what they give, and may find later that it is too much. [`ReplayBody`](super::ReplayBody)
/// makes any body one of these.
pub trait Replay: Sized {
    /// A body that will give the same bytes as this one, which must not have been read from yet;
    /// `None` where that cannot be.
    fn replay(&self) -> Option<Self>;

    /// Lets the body keep up to `cap` bytes of what it gives, where it can be sent once only.
    fn keep(&mut self, cap: usize) {
        let _ = cap;
    }

    /// Whether this copy can still give all that the original gave.
    fn is_whole(&self) -> bool {
        true
    }
}

impl Replay for Body {
    /// Empty and bytes give a copy at the cost of a reference count, a factory makes one; a stream
    /// gives one after [`keep`](Replay::keep). The deadline goes along.
    fn replay(&self) -> Option<Self> {
        let kind = match &self.kind {
            Kind::Empty => Kind::Empty,
            Kind::Full(bytes) => Kind::Full(bytes.clone()),
            Kind::Factory { make, .. } => Kind::Factory {
                make: make.clone(),
                current: make(),
            },
            Kind::Kept(kept) => Kind::Kept(kept.replay()?),
            Kind::Stream(_) => return None,
        };
        Some(Self {
            kind,
            deadline: self.deadline,
            connection: None,
        })
    }

    /// A stream is kept from here on, unless it says that it is longer than `cap`; the other kinds
    /// keep nothing.
    fn keep(&mut self, cap: usize) {
        if !matches!(self.kind, Kind::Stream(_)) {
            return;
        }
        self.kind = match std::mem::take(&mut self.kind) {
            Kind::Stream(body) if body.size_hint().lower() <= cap as u64 => {
                Kind::Kept(Kept::new(body, cap))
            }
            kind => kind,
        };
    }

    fn is_whole(&self) -> bool {
        match &self.kind {
            Kind::Kept(kept) => kept.is_whole(),
            _ => true,
        }
    }
}

impl Replay for Full<Bytes> {
    fn replay(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Replay for Empty<Bytes> {
    fn replay(&self) -> Option<Self> {
        Some(*self)
    }
}

impl Replay for () {
    fn replay(&self) -> Option<Self> {
        Some(())
    }
}
