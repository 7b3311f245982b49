use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Request;
use standpipe_core::{BoxError, Origin};
use tower_service::Service;

use crate::builder::Settings;
use crate::hosts::Hosts;
use crate::{HostRouterBuilder, NewHost, ResponseFuture};

/// One service per [`Origin`], made at the first request to it.
///
/// The origin is that of the request's URI; the `Host` header plays no part. The router is always
/// ready: it clones the host's service, which is then waited for, called and polled by the
/// [`ResponseFuture`], with the request as it came. One host that is slow or fails touches no
/// other.
///
/// # Eviction
///
/// The hosts are bounded in number ([`max_hosts`](HostRouterBuilder::max_hosts)) and kept for a
/// time ([`idle_timeout`](HostRouterBuilder::idle_timeout)). A host with a request in flight, from
/// the call to the end of the future, is not evicted; a response body that is still read does not
/// keep it. With the host goes the router's clone of its service, and so, as a rule, all that its
/// layers know: the next request to that origin begins anew. Requests, and bodies, that hold a
/// clone of their own end undisturbed.
///
/// # Errors
///
/// A [`standpipe_core::Error`] at once, without any service made or called, when the URI has no
/// origin: no scheme or no host, userinfo, a bad port
/// ([`InvalidRequest`](standpipe_core::ErrorKind::InvalidRequest)), or neither `http` nor `https`
/// ([`UnsupportedScheme`](standpipe_core::ErrorKind::UnsupportedScheme)). All other errors are the
/// host's service's own.
///
/// # Clone
///
/// All clones know the same hosts; a clone serves as the handle to look at them.
///
/// # Cancel safety
///
/// Dropping the future drops what it holds of the host's service, and no more.
pub struct HostRouter<N, S> {
    shared: Arc<Shared<N, S>>,
}

struct Shared<N, S> {
    new_host: N,
    hosts: Hosts<S>,
}

impl HostRouter<(), ()> {
    /// Settings to build one with.
    pub fn builder() -> HostRouterBuilder {
        HostRouterBuilder::default()
    }
}

impl<N, S> HostRouter<N, S> {
    /// A router with the default settings, whose hosts' services are made by `new_host`.
    pub fn new(new_host: N) -> Self
    where
        N: Fn(&Origin) -> S,
    {
        Self::from_parts(new_host, Settings::default())
    }

    pub(crate) fn from_parts(new_host: N, settings: Settings) -> Self {
        let hosts = Hosts::new(settings);
        Self {
            shared: Arc::new(Shared { new_host, hosts }),
        }
    }

    /// How many hosts are known.
    pub fn len(&self) -> usize {
        self.shared.hosts.len()
    }

    /// Whether no host is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The hosts known at this moment, each with a clone of its service.
    pub fn hosts(&self) -> Vec<(Origin, S)>
    where
        S: Clone,
    {
        let hosts = self.shared.hosts.snapshot();
        let pair = |host: &crate::host::Host<S>| (host.place.origin.clone(), host.service.clone());
        hosts.iter().map(|host| pair(host)).collect()
    }

    /// The service of `origin`, where it is known. To look at it is no use that keeps it.
    pub fn get(&self, origin: &Origin) -> Option<S>
    where
        S: Clone,
    {
        let host = self.shared.hosts.get(origin)?;
        Some(host.service.clone())
    }

    /// Forgets `origin`, and says whether it was known.
    ///
    /// Requests in flight end on the service they have; the next one begins anew. Takes time in
    /// proportion to the number of hosts: for many use [`retain`](HostRouter::retain).
    pub fn remove(&self, origin: &Origin) -> bool {
        self.shared.hosts.remove(origin)
    }

    /// Forgets the hosts for which `keep` is false, as [`remove`](HostRouter::remove) does.
    ///
    /// `keep` runs under no lock; a host that comes meanwhile is not asked about.
    pub fn retain(&self, keep: impl FnMut(&Origin, &S) -> bool) {
        self.shared.hosts.retain(keep);
    }

    /// Gives known hosts another service in the place of theirs, as when settings have changed.
    ///
    /// `new_service` is told the origin of each host and its present service; with `None` it keeps
    /// that one. A request finds the old service or the new one, and those in flight end on the one
    /// they have. The host keeps its turn in the order of eviction, and is in use while requests
    /// run on either.
    ///
    /// No host is left with a service made of earlier settings, if what the maker of services
    /// reads is set before the call: one whose first request comes meanwhile is asked about, or is
    /// made after the call began.
    ///
    /// `new_service` runs under no lock and may use the router. Where two calls overlap, a host is
    /// asked about again when the other call was first, so the service that is given last stays.
    ///
    /// # Panics
    ///
    /// When `new_service` does; the hosts before have their new services by then.
    pub fn rebuild(&self, new_service: impl FnMut(&Origin, &S) -> Option<S>) {
        self.shared.hosts.rebuild(new_service);
    }
}

impl<N, S, B> Service<Request<B>> for HostRouter<N, S>
where
    N: NewHost<Service = S>,
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S, Request<B>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Shared { new_host, hosts } = &*self.shared;
        match hosts.lease(request.uri(), |origin| new_host.new_host(origin)) {
            Ok(lease) => ResponseFuture::routed(lease, request),
            Err(error) => ResponseFuture::refused(error),
        }
    }
}

impl<N, S> Clone for HostRouter<N, S> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<N, S> fmt::Debug for HostRouter<N, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostRouter")
            .field("hosts", &self.len())
            .finish_non_exhaustive()
    }
}
