/// What a request costs, in units of the quotas by [cost](crate::Unit::Cost): tokens, bytes.
///
/// Any `Fn(&Req) -> u32` is one. A cost of zero is refused, as the request would pass any limit: a
/// request that is not to be counted does not belong under a layer that counts.
pub trait Cost<Req> {
    /// The units that `request` takes, at least one.
    fn cost(&self, request: &Req) -> u32;
}

impl<Req, F> Cost<Req> for F
where
    F: Fn(&Req) -> u32,
{
    #[inline]
    fn cost(&self, request: &Req) -> u32 {
        self(request)
    }
}

/// Each request costs one unit.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneEach;

impl<Req> Cost<Req> for OneEach {
    #[inline]
    fn cost(&self, _: &Req) -> u32 {
        1
    }
}
