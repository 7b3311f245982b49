use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use standpipe_core::Origin;
use standpipe_router::NewHost;
use standpipe_timeout::TimeoutLayer;
use standpipe_transport::Transport;
use tower_layer::Layer;

use super::{DefaultHeadersLayer, HostService};

/// Makes the stack of a host when the first request for it comes.
#[derive(Clone, Debug)]
pub struct HostStack {
    transport: Transport,
    settings: Arc<HostSettings>,
}

/// The settings of all hosts, checked.
#[derive(Debug)]
pub(crate) struct HostSettings {
    headers: Arc<HeaderMap>,
    attempt_timeout: Option<Duration>,
    by_name: HashMap<String, (Arc<HeaderMap>, Option<Duration>)>,
}

impl HostSettings {
    pub(crate) fn new(
        headers: HeaderMap,
        attempt_timeout: Option<Duration>,
        by_name: HashMap<String, (Arc<HeaderMap>, Option<Duration>)>,
    ) -> Self {
        Self {
            headers: Arc::new(headers),
            attempt_timeout,
            by_name,
        }
    }
}

impl HostStack {
    pub(crate) fn new(transport: Transport, settings: HostSettings) -> Self {
        Self {
            transport,
            settings: Arc::new(settings),
        }
    }
}

impl NewHost for HostStack {
    type Service = HostService;

    fn new_host(&self, origin: &Origin) -> HostService {
        let settings = &self.settings;
        let (headers, attempt) = match settings.by_name.get(origin.host()) {
            Some((headers, attempt)) => (Arc::clone(headers), *attempt),
            None => (Arc::clone(&settings.headers), settings.attempt_timeout),
        };
        let transport = self.transport.origin(origin);
        // The transport knows deadlines, so the attempt needs no timer of its own.
        let attempt = TimeoutLayer::attempt(attempt).handed_down();
        DefaultHeadersLayer::new(headers).layer(attempt.layer(transport))
    }
}
