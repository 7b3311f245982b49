use bytes::Bytes;
use http_body_util::{Empty, Full};

use super::{Body, Kind};

/// A body that may be able to give a copy of itself to send again.
///
/// A retry asks before it sends: `None` means that this attempt is the only one.
pub trait Replay: Sized {
    /// A body that will give the same bytes as this one, which must not have been read from yet;
    /// `None` where that cannot be.
    fn replay(&self) -> Option<Self>;
}

impl Replay for Body {
    /// Empty and bytes give a copy at the cost of a reference count, a factory makes one, a stream
    /// gives none. The deadline goes along.
    fn replay(&self) -> Option<Self> {
        let kind = match &self.kind {
            Kind::Empty => Kind::Empty,
            Kind::Full(bytes) => Kind::Full(bytes.clone()),
            Kind::Factory { make, .. } => Kind::Factory {
                make: make.clone(),
                current: make(),
            },
            Kind::Stream(_) => return None,
        };
        Some(Self {
            kind,
            deadline: self.deadline,
            connection: None,
        })
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
