use bytes::Bytes;
use http_body::Body as HttpBody;
use standpipe_core::{Body, BoxError, ConnectionInfo};
use standpipe_metrics::MetricsBody;
use standpipe_rate_limit::PermitBody;
use standpipe_timeout::TimeoutBody;

use crate::decompress::DecompressBody;

/// A response body as the stack's layers have wrapped it, on its way to a plain [`Body`].
///
/// It is for the bodies of this crate's stack, and cannot be implemented outside of it.
pub trait StackBody:
    HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Sized + sealed::Sealed + 'static
{
    /// How many bytes it has, where all of it is there.
    #[doc(hidden)]
    fn arrived(&self) -> Option<u64>;

    /// The same without its wrappers, which are told that all `bytes` are there.
    #[doc(hidden)]
    fn into_arrived(self, bytes: u64) -> Body;

    #[doc(hidden)]
    fn connection_info(&self) -> Option<&ConnectionInfo>;

    /// A body that is there already needs no clock, no count and no box.
    #[doc(hidden)]
    fn erase(self) -> Body {
        if let Some(bytes) = self.arrived() {
            return self.into_arrived(bytes);
        }
        let connection = self.connection_info().cloned();
        let mut erased = Body::new(self);
        erased.set_connection_info(connection);
        erased
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Body {}
    impl<B> Sealed for super::MetricsBody<B> {}
    impl<B> Sealed for super::TimeoutBody<B> {}
    impl<B> Sealed for super::PermitBody<B> {}
    impl<B> Sealed for super::DecompressBody<B> {}
}

impl StackBody for Body {
    fn arrived(&self) -> Option<u64> {
        match self.as_bytes() {
            Some(bytes) => Some(bytes.len() as u64),
            None => self.is_end_stream().then_some(0),
        }
    }

    fn into_arrived(self, _: u64) -> Body {
        self
    }

    fn connection_info(&self) -> Option<&ConnectionInfo> {
        Self::connection_info(self)
    }

    fn erase(self) -> Body {
        self
    }
}

macro_rules! wrapper {
    ($name:ident, $body:ident, $bytes:ident => $unwrapped:expr) => {
        impl<B: StackBody> StackBody for $name<B>
        where
            Self: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send,
        {
            fn arrived(&self) -> Option<u64> {
                self.get_ref().arrived()
            }

            fn into_arrived(self, $bytes: u64) -> Body {
                let $body = self;
                $unwrapped.into_arrived($bytes)
            }

            fn connection_info(&self) -> Option<&ConnectionInfo> {
                self.get_ref().connection_info()
            }
        }
    };
}

wrapper!(MetricsBody, body, bytes => body.into_arrived(bytes));
wrapper!(TimeoutBody, body, bytes => body.into_inner());
wrapper!(PermitBody, body, bytes => body.into_inner());

/// What is decoded is not there until it was read.
impl<B: StackBody> StackBody for DecompressBody<B>
where
    Self: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send,
{
    fn arrived(&self) -> Option<u64> {
        match self.is_decoded() {
            true => None,
            false => self.get_ref().arrived(),
        }
    }

    fn into_arrived(self, bytes: u64) -> Body {
        match self.into_plain() {
            Ok(body) => body.into_arrived(bytes),
            Err(decoded) => Body::new(decoded),
        }
    }

    fn connection_info(&self) -> Option<&ConnectionInfo> {
        self.get_ref().connection_info()
    }
}
