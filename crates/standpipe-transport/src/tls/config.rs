use std::fmt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use standpipe_core::{Error, ErrorKind, Phase};

use super::failed;
use super::provider::TlsProvider;
use super::verifier::AcceptAny;
use crate::config::Protocol;

/// Settings of TLS. The default verifies by the platform's own verifier and roots.
///
/// They are read at the first https dial; what is wrong with them is told there by an error of
/// kind [`Tls`](ErrorKind::Tls).
///
/// ```
/// use standpipe_transport::TlsConfig;
///
/// let tls = TlsConfig::default().server_name("internal.example");
/// # let _ = tls;
/// ```
#[derive(Clone, Default)]
pub struct TlsConfig {
    provider: Option<TlsProvider>,
    roots: Vec<CertificateDer<'static>>,
    client_certificate: Option<Arc<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>>,
    pub(super) server_name: Option<String>,
    accept_invalid_certs: bool,
    revocation_lists: Vec<CertificateRevocationListDer<'static>>,
    rustls: Option<Arc<ClientConfig>>,
}

impl TlsConfig {
    /// Takes a finished configuration of rustls as it is, save its ALPN list, which the
    /// transport sets by its [`Protocol`]. All settings but the server name are in it then.
    pub fn from_rustls(config: Arc<ClientConfig>) -> Self {
        Self {
            rustls: Some(config),
            ..Self::default()
        }
    }

    /// Where the cryptography comes from. Default: [`TlsProvider::compiled_in`].
    #[must_use]
    pub fn provider(mut self, provider: TlsProvider) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Trusts these certificates, and no others: the platform's roots do not count then.
    #[must_use]
    pub fn roots(mut self, roots: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        self.roots.extend(roots);
        self
    }

    /// Refuses certificates that these lists revoke, and those whose issuer has no list among them:
    /// what cannot be looked up is not trusted. They go with [`roots`](TlsConfig::roots) alone; the
    /// platform's verifier has its own ways.
    #[must_use]
    pub fn revocation_lists(
        mut self,
        lists: impl IntoIterator<Item = CertificateRevocationListDer<'static>>,
    ) -> Self {
        self.revocation_lists.extend(lists);
        self
    }

    /// Shows this certificate chain where a server asks for one.
    #[must_use]
    pub fn client_certificate(
        mut self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Self {
        self.client_certificate = Some(Arc::new((chain, key)));
        self
    }

    /// Asks for, and verifies, this name in place of the URL's host.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Accepts any certificate. Anyone on the way can then read and change all that is sent; a
    /// warning is logged when it takes effect.
    #[must_use]
    pub fn danger_accept_invalid_certs(mut self, accept: bool) -> Self {
        self.accept_invalid_certs = accept;
        self
    }

    /// Refuses settings that others would make void.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let refused = |message| {
            let error = Error::new(ErrorKind::Config).with_phase(Phase::Check);
            Err(error.with_message(message))
        };
        let own = self.provider.is_some()
            || !self.roots.is_empty()
            || self.client_certificate.is_some()
            || self.accept_invalid_certs
            || !self.revocation_lists.is_empty();
        if self.rustls.is_some() && own {
            return refused("from_rustls goes with no other setting of TLS than server_name");
        }
        if self.accept_invalid_certs && !self.roots.is_empty() {
            return refused("danger_accept_invalid_certs makes roots void");
        }
        if !self.revocation_lists.is_empty() && self.roots.is_empty() {
            return refused("revocation_lists is set without roots");
        }
        Ok(())
    }

    pub(super) fn build(&self, protocol: Protocol) -> Result<ClientConfig, Error> {
        let mut config = match &self.rustls {
            Some(config) => ClientConfig::clone(config),
            None => self.build_rustls()?,
        };
        config.alpn_protocols = match protocol {
            Protocol::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            Protocol::Http1 => vec![b"http/1.1".to_vec()],
            Protocol::Http2 => vec![b"h2".to_vec()],
        };
        Ok(config)
    }

    fn build_rustls(&self) -> Result<ClientConfig, Error> {
        let provider = self.provider.or_else(TlsProvider::compiled_in);
        let provider = provider.ok_or_else(|| {
            failed("no TLS provider is compiled in; turn on the feature aws-lc-rs or ring")
        })?;
        let provider = Arc::new(provider.crypto());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| failed("the TLS versions were refused").with_source(error))?;
        let builder = if self.accept_invalid_certs {
            tracing::warn!("certificates are not verified: danger_accept_invalid_certs is on");
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AcceptAny(provider)))
        } else if self.roots.is_empty() {
            builder
                .with_platform_verifier()
                .map_err(|error| failed("the platform's roots were not found").with_source(error))?
        } else {
            let mut roots = RootCertStore::empty();
            for root in &self.roots {
                roots
                    .add(root.clone())
                    .map_err(|error| failed("a root certificate was refused").with_source(error))?;
            }
            let verifier = self.verifier(roots, provider)?;
            builder.with_webpki_verifier(verifier)
        };
        match self.client_certificate.as_deref() {
            None => Ok(builder.with_no_client_auth()),
            Some((chain, key)) => builder
                .with_client_auth_cert(chain.clone(), key.clone_key())
                .map_err(|error| failed("the client certificate was refused").with_source(error)),
        }
    }
}

impl TlsConfig {
    fn verifier(
        &self,
        roots: RootCertStore,
        provider: Arc<CryptoProvider>,
    ) -> Result<Arc<WebPkiServerVerifier>, Error> {
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .with_crls(self.revocation_lists.iter().cloned())
            .build()
            .map_err(|error| {
                failed("the roots or revocation lists were refused").with_source(error)
            })
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig")
            .field("provider", &self.provider)
            .field("roots", &self.roots.len())
            .field("client_certificate", &self.client_certificate.is_some())
            .field("server_name", &self.server_name)
            .field("accept_invalid_certs", &self.accept_invalid_certs)
            .field("revocation_lists", &self.revocation_lists.len())
            .field("rustls", &self.rustls.is_some())
            .finish()
    }
}
