//! TLS: settings, and the configuration of rustls made from them at the first https dial.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt;
use standpipe_core::{Error, ErrorKind, Phase};

use crate::config::Protocol;

/// Where the cryptography comes from. It is chosen explicitly, so that both may be compiled in
/// and no process-wide default is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsProvider {
    /// aws-lc-rs, with the feature of that name.
    #[cfg(feature = "aws-lc-rs")]
    AwsLcRs,
    /// ring, with the feature of that name.
    #[cfg(feature = "ring")]
    Ring,
}

impl TlsProvider {
    /// aws-lc-rs where it is compiled in, else ring; `None` when there is neither.
    pub fn compiled_in() -> Option<Self> {
        #[cfg(feature = "aws-lc-rs")]
        return Some(Self::AwsLcRs);
        #[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
        return Some(Self::Ring);
        #[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
        return None;
    }

    #[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
    fn crypto(self) -> CryptoProvider {
        match self {
            #[cfg(feature = "aws-lc-rs")]
            Self::AwsLcRs => rustls::crypto::aws_lc_rs::default_provider(),
            #[cfg(feature = "ring")]
            Self::Ring => rustls::crypto::ring::default_provider(),
        }
    }

    #[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
    fn crypto(self) -> CryptoProvider {
        match self {}
    }
}

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
    server_name: Option<String>,
    accept_invalid_certs: bool,
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

    fn build(&self, protocol: Protocol) -> Result<ClientConfig, Error> {
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
            builder.with_root_certificates(roots)
        };
        match self.client_certificate.as_deref() {
            None => Ok(builder.with_no_client_auth()),
            Some((chain, key)) => builder
                .with_client_auth_cert(chain.clone(), key.clone_key())
                .map_err(|error| failed("the client certificate was refused").with_source(error)),
        }
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
            .field("rustls", &self.rustls.is_some())
            .finish()
    }
}

fn failed(message: &'static str) -> Error {
    Error::new(ErrorKind::Tls)
        .with_phase(Phase::Dial)
        .with_message(message)
}

/// TLS settings together with what was made of them, once.
#[derive(Clone, Debug)]
pub(crate) struct Tls(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: TlsConfig,
    protocol: Protocol,
    built: OnceLock<Arc<ClientConfig>>,
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

    /// The configuration of rustls. The first call reads the platform's roots, off the
    /// runtime's own threads.
    pub(crate) async fn client_config(&self) -> Result<Arc<ClientConfig>, Error> {
        if let Some(built) = self.0.built.get() {
            return Ok(Arc::clone(built));
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
        let name = self.0.config.server_name.as_deref().unwrap_or(host);
        ServerName::try_from(name.to_owned())
            .map_err(|error| failed("the host is no TLS server name").with_source(error))
    }
}

impl Inner {
    /// A failure is not kept: the next dial tries again.
    fn build(&self) -> Result<Arc<ClientConfig>, Error> {
        let config = Arc::new(self.config.build(self.protocol)?);
        // Where two dials meet, both go on with the one that was first, and share its sessions.
        Ok(Arc::clone(self.built.get_or_init(|| config)))
    }
}

/// Accepts any certificate, but still checks that the peer holds its key.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
