use standpipe_core::{Closing, Origin};
use standpipe_metrics::{HostRecorder, Registry};
use tower_layer::Layer;

use super::hooks::Hooks;
use super::parts::HostParts;
use super::settings::PerHost;
use super::swapped::Swapped;
use crate::decompress::DecompressLayer;

/// What stands at one place of a host's stack: makes the service of one host around what is below.
///
/// The places that a [`HostStack`](super::HostStack) has by itself are [`HostRetry`],
/// [`HostBreaker`] and [`HostLimit`]; [`NoLayer`] leaves a place empty, [`Fixed`] puts a layer of
/// tower's there, and [`PerOrigin`] one that depends on the origin.
///
/// [`HostRetry`]: super::HostRetry
/// [`HostBreaker`]: super::HostBreaker
/// [`HostLimit`]: super::HostLimit
pub trait HostLayer<S> {
    /// What is made.
    type Service;

    /// Makes it for `host`. It runs in the call of the first request to the host, and again when
    /// [`configure_host`](crate::Pool::configure_host) has the host's stack made anew; under no lock.
    fn layer_host(&self, host: &mut HostContext<'_>, inner: S) -> Self::Service;
}

/// The host that a stack is made for; see [`HostLayer`].
#[derive(Debug)]
pub struct HostContext<'a> {
    pub(super) origin: &'a Origin,
    pub(super) settings: &'a PerHost,
    pub(super) hooks: &'a Hooks,
    pub(super) registry: &'a Registry,
    pub(super) decompress: &'a DecompressLayer,
    pub(super) closing: &'a Closing,
    pub(super) recorder: Option<&'a HostRecorder>,
    /// What the host had before its stack was made anew.
    pub(super) before: Option<&'a HostParts>,
    pub(super) parts: HostParts,
}

impl HostContext<'_> {
    /// The origin.
    pub fn origin(&self) -> &Origin {
        self.origin
    }
}

/// Nothing: what is below stays as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLayer;

impl<S> HostLayer<S> for NoLayer {
    type Service = S;

    fn layer_host(&self, _: &mut HostContext<'_>, inner: S) -> S {
        inner
    }
}

/// A layer of tower's, applied for each host: what it makes is the host's own, unless the layer itself
/// shares something. What is to outlast a change of the host's settings must be shared so.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fixed<L>(pub L);

impl<L, S> HostLayer<S> for Fixed<L>
where
    L: Layer<S>,
{
    type Service = Swapped<L::Service>;

    fn layer_host(&self, _: &mut HostContext<'_>, inner: S) -> Self::Service {
        Swapped::new(self.0.layer(inner))
    }
}

/// A layer that a closure makes for each origin: `PerOrigin(|origin: &Origin| layer)`.
///
/// The closure is asked at an origin's first request, also of one that was idle for long and forgotten, again
/// when the host's settings change, and once more where both meet: then what one of the calls gave is not
/// used. What it counts or keeps should be found by the origin.
#[derive(Clone, Copy, Debug, Default)]
pub struct PerOrigin<F>(pub F);

impl<F, L, S> HostLayer<S> for PerOrigin<F>
where
    F: Fn(&Origin) -> L,
    L: Layer<S>,
{
    type Service = Swapped<L::Service>;

    fn layer_host(&self, host: &mut HostContext<'_>, inner: S) -> Self::Service {
        Swapped::new((self.0)(host.origin).layer(inner))
    }
}

/// Two in one place: the second around the first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around<A, B> {
    pub(super) inner: A,
    pub(super) outer: B,
}

impl<A, B, S> HostLayer<S> for Around<A, B>
where
    A: HostLayer<S>,
    B: HostLayer<A::Service>,
{
    type Service = B::Service;

    fn layer_host(&self, host: &mut HostContext<'_>, inner: S) -> Self::Service {
        let inner = self.inner.layer_host(host, inner);
        self.outer.layer_host(host, inner)
    }
}
