/// How often a request was sent before: a request extension, put there by whoever sends it again.
///
/// A retry sets it on each attempt but the first; it is `http.request.resend_count` of the attempt's
/// span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ResendCount(pub u32);
