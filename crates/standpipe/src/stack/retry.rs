use standpipe_retry::{Peek, Retry, RetryLayer};
use tower_layer::Layer;

use super::host_layer::{HostContext, HostLayer};
use super::parts::Kept;

/// The place of the retry: a [`Retry`] as the settings of the host say, with a budget of the host's
/// own. No retries is a policy of none, so that a request may still ask for some.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostRetry;

impl<S> HostLayer<S> for HostRetry {
    type Service = Retry<S, Peek>;

    fn layer_host(&self, host: &mut HostContext<'_>, inner: S) -> Self::Service {
        let policy = &host.settings.retry;
        let layer = RetryLayer::new(policy.clone()).peek(Peek::default());
        let layer = host.hooks.watch_retry(layer, host.recorder);
        let retry = layer.layer(inner);
        host.parts.retry = Some(Kept {
            handle: retry.handle(),
            made_from: policy.clone(),
        });
        retry
    }
}
