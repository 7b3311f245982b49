use standpipe_core::Origin;

/// Makes the service of one host, at the first request to it.
///
/// Every `Fn(&Origin) -> S` is one. For services that take time to make, or whose making may
/// fail, there is [`MakeHost`](crate::MakeHost).
pub trait NewHost {
    /// What serves the requests to one host.
    type Service;

    /// Makes the service for `origin`.
    ///
    /// It runs in the call of the request that came first, under no lock. Where first requests
    /// meet on several threads each may make one; one of them is kept and the others are dropped
    /// unused. A panic ends that request alone.
    fn new_host(&self, origin: &Origin) -> Self::Service;
}

impl<F, S> NewHost for F
where
    F: Fn(&Origin) -> S,
{
    type Service = S;

    fn new_host(&self, origin: &Origin) -> S {
        self(origin)
    }
}
