use standpipe_retry::{Peek, Retry, RetryLayer};
use tower_layer::Layer;

use super::host_layer::{HostContext, HostLayer};

/// The place of the retry: a [`Retry`] as the settings of the host say, with a budget of the host's
/// own. No retries is a policy of none, so that a request may still ask for some.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostRetry;

impl<S> HostLayer<S> for HostRetry {
    type Service = Retry<S, Peek>;

    fn layer_host(&self, host: &mut HostContext<'_>, inner: S) -> Self::Service {
        let layer = RetryLayer::new(host.settings.retry.clone())
            .peek(Peek::default())
            .closing(host.closing.clone());
        let mut layer = host.hooks.watch_retry(layer, host.recorder);
        if let Some(before) = host.before.and_then(|parts| parts.retry.as_ref()) {
            layer = layer.keep(before);
        }
        let retry = layer.layer(inner);
        host.parts.retry = Some(retry.handle());
        retry
    }
}
