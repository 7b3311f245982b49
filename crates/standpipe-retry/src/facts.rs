use http::{Method, Uri};
use standpipe_core::{Closed, Deadline, Replay, RequestSent};

use crate::RequestRetry;
use crate::copy::RequestCopy;

/// What is asked of a request after its copy is gone.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) keyed: bool,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) wish: Option<RequestRetry>,
    /// How far the request came, in any attempt.
    pub(crate) sent: RequestSent,
    /// Made when it waits.
    pub(crate) closed: Option<Closed>,
}

impl Facts {
    pub(crate) fn of<B: Replay + 'static>(copy: &RequestCopy<B>) -> Self {
        Self {
            method: copy.method.clone(),
            uri: copy.uri.clone(),
            keyed: copy.is_keyed(),
            deadline: Deadline::of_parts(&copy.body, &copy.extensions),
            wish: RequestRetry::of(&copy.extensions).cloned(),
            sent: RequestSent::No,
            closed: None,
        }
    }
}
