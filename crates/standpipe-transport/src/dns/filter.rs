//! Which addresses may be connected to.

use std::fmt;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use standpipe_core::{Error, ErrorKind, Origin};

type Allows = dyn Fn(&Origin, &SocketAddr) -> bool + Send + Sync;

/// The user's say on each address, after it was resolved: what is checked is what is connected to.
#[derive(Clone)]
pub(crate) struct AddressFilter(Arc<Allows>);

impl AddressFilter {
    pub(crate) fn new(
        allows: impl Fn(&Origin, &SocketAddr) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(allows))
    }

    /// The addresses that are allowed, of which there is at least one.
    pub(crate) fn apply(
        &self,
        origin: &Origin,
        mut addresses: Vec<SocketAddr>,
    ) -> Result<Vec<SocketAddr>, Error> {
        let before = addresses.len();
        let asking = AssertUnwindSafe(|| addresses.retain(|address| (self.0)(origin, address)));
        if catch_unwind(asking).is_err() {
            let refused = Error::new(ErrorKind::AddressRefused);
            return Err(refused.with_message("the address filter panicked"));
        }
        if addresses.is_empty() && before > 0 {
            let message = match before {
                1 => "its only address is refused".to_owned(),
                _ => format!("all of its {before} addresses are refused"),
            };
            return Err(Error::new(ErrorKind::AddressRefused).with_message(message));
        }
        Ok(addresses)
    }
}

impl fmt::Debug for AddressFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressFilter")
    }
}
