//! TLS: settings, and the configuration of rustls made from them at the first https dial.

mod config;
mod provider;
mod verifier;

use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use standpipe_core::{Error, ErrorKind, Phase};

pub use config::TlsConfig;
pub use provider::TlsProvider;

use crate::config::Protocol;
use verifier::Nobody;

/// TLS settings together with what was made of them, once.
#[derive(Clone, Debug)]
pub(crate) struct Tls(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: TlsConfig,
    protocol: Protocol,
    built: OnceLock<Built>,
}

/// The configuration for origins, and the one for proxies.
#[derive(Clone, Debug)]
struct Built {
    origins: Arc<ClientConfig>,
    proxies: Arc<ClientConfig>,
}

impl Tls {
    pub(crate) fn new(config: TlsConfig, protocol: Protocol) -> Self {
        Self(Arc::new(Inner {
            config,
            protocol,
            built: OnceLock::new(),
        }))
    }

    /// Whether both are one configuration, sharing sessions and all.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The configuration of rustls for origins.
    pub(crate) async fn client_config(&self) -> Result<Arc<ClientConfig>, Error> {
        Ok(self.built().await?.origins)
    }

    /// The configuration of rustls for proxies: it trusts the same, but speaks HTTP/1.1, shows no
    /// client certificate and shares no session with the origins' one.
    pub(crate) async fn proxy_config(&self) -> Result<Arc<ClientConfig>, Error> {
        Ok(self.built().await?.proxies)
    }

    /// The first call reads the platform's roots, off the runtime's own threads.
    async fn built(&self) -> Result<Built, Error> {
        if let Some(built) = self.0.built.get() {
            return Ok(built.clone());
        }
        let inner = Arc::clone(&self.0);
        let build = move || inner.build();
        match tokio::task::spawn_blocking(build).await {
            Ok(built) => built,
            Err(error) => Err(failed("the TLS configuration could not be made").with_source(error)),
        }
    }

    /// The name to ask for and to verify at `host`.
    pub(crate) fn server_name(&self, host: &str) -> Result<ServerName<'static>, Error> {
        name(self.0.config.server_name.as_deref().unwrap_or(host))
    }
}

impl Inner {
    /// A failure is not kept: the next dial tries again.
    fn build(&self) -> Result<Built, Error> {
        let origins = self.config.build(self.protocol)?;
        let mut proxies = origins.clone();
        proxies.alpn_protocols = vec![b"http/1.1".to_vec()];
        proxies.client_auth_cert_resolver = Arc::new(Nobody);
        proxies.resumption = Resumption::in_memory_sessions(PROXY_SESSIONS);
        let built = Built {
            origins: Arc::new(origins),
            proxies: Arc::new(proxies),
        };
        // Where two dials meet, both go on with the one that was first, and share its sessions.
        Ok(self.built.get_or_init(|| built).clone())
    }
}

const PROXY_SESSIONS: usize = 32;

/// The name to verify at `host`, as for a proxy: another one that was set is the origins'.
pub(crate) fn name(host: &str) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(host.to_owned())
        .map_err(|error| failed("the host is no TLS server name").with_source(error))
}

fn failed(message: &'static str) -> Error {
    Error::new(ErrorKind::Tls)
        .with_phase(Phase::Dial)
        .with_message(message)
}
