use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SerialNumber, date_time_ymd,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs8KeyDer,
};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// A certificate authority that lives as long as a test: what it issues, a client that has
/// [its certificate](Ca::certificate_der) as a root trusts.
///
/// The TLS configurations made here use ring, whatever the process's default provider is. Its
/// methods panic only when a name is neither a DNS name nor an IP address.
pub struct Ca {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Default for Ca {
    fn default() -> Self {
        Self::new()
    }
}

impl Ca {
    /// An authority with a new key.
    pub fn new() -> Self {
        let mut params = params("standpipe-test authority", &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, key()).expect("a self-signed root");
        Self { issuer }
    }

    /// The root certificate, for the client's trust store.
    pub fn certificate_der(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// The root certificate as PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for a server of the given DNS names and IP addresses.
    ///
    /// # Panics
    ///
    /// When a name is neither.
    pub fn issue(&self, names: &[&str]) -> Leaf {
        self.sign(
            params("standpipe-test server", names),
            ExtendedKeyUsagePurpose::ServerAuth,
        )
    }

    /// A certificate for a server of the given names that expired long ago.
    ///
    /// # Panics
    ///
    /// As [`issue`](Ca::issue).
    pub fn issue_expired(&self, names: &[&str]) -> Leaf {
        let mut params = params("standpipe-test server", names);
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
        self.sign(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A list of revoked certificates, signed by this authority: those of `leaves`.
    pub fn revoke(&self, leaves: &[&Leaf]) -> CertificateRevocationListDer<'static> {
        let revoked = |leaf: &&Leaf| RevokedCertParams {
            serial_number: leaf.serial.clone(),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(4096, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: leaves.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.issuer).expect("a signed list");
        list.der().clone()
    }

    /// A TLS configuration for a server of the given names, which speaks the protocols of `alpn`
    /// in the order of its preference; with none, it does no ALPN.
    ///
    /// # Panics
    ///
    /// As [`issue`](Ca::issue).
    pub fn server_config(&self, names: &[&str], alpn: &[&[u8]]) -> Arc<ServerConfig> {
        self.issue(names).server_config(alpn)
    }

    /// As [`server_config`](Ca::server_config), for a server that refuses clients without a
    /// certificate of this authority.
    ///
    /// # Panics
    ///
    /// As [`issue`](Ca::issue).
    pub fn server_config_requiring_client_certificate(
        &self,
        names: &[&str],
        alpn: &[&[u8]],
    ) -> Arc<ServerConfig> {
        let leaf = self.issue(names);
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()), provider())
                .build()
                .expect("a verifier with one root");
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("ring knows the default versions")
            .with_client_cert_verifier(verifier)
            .with_single_cert(leaf.chain_der(), leaf.key_der());
        finish(config, alpn)
    }

    /// A certificate for a client, with its key.
    pub fn client_certificate(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let params = params("standpipe-test client", &[]);
        let leaf = self.sign(params, ExtendedKeyUsagePurpose::ClientAuth);
        (leaf.chain_der(), leaf.key_der())
    }

    /// A TLS configuration for a client that trusts this authority alone, and offers the protocols
    /// of `alpn`.
    pub fn client_config(&self, alpn: &[&[u8]]) -> Arc<ClientConfig> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("ring knows the default versions")
            .with_root_certificates(self.roots())
            .with_no_client_auth();
        config.alpn_protocols = owned(alpn);
        Arc::new(config)
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate_der()).expect("a root");
        roots
    }

    fn sign(&self, mut params: CertificateParams, usage: ExtendedKeyUsagePurpose) -> Leaf {
        // Given here, and not left to be made up, so that the certificate can be revoked by it.
        let serial = next_serial();
        params.serial_number = Some(serial.clone());
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        let key = key();
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("a signed certificate");
        Leaf {
            certificate,
            key,
            serial,
        }
    }
}

impl fmt::Debug for Ca {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ca").finish_non_exhaustive()
    }
}

/// A certificate issued by a [`Ca`], with its key.
pub struct Leaf {
    certificate: rcgen::Certificate,
    key: KeyPair,
    serial: SerialNumber,
}

impl Leaf {
    /// The certificate as PEM, for a server's configuration file.
    pub fn certificate_pem(&self) -> String {
        self.certificate.pem()
    }

    /// The private key as PEM.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// The chain that a server sends: the certificate alone, since the root has signed it.
    pub fn chain_der(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.der().clone()]
    }

    /// A TLS configuration for a server that shows this certificate; else as
    /// [`Ca::server_config`].
    pub fn server_config(&self, alpn: &[&[u8]]) -> Arc<ServerConfig> {
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("ring knows the default versions")
            .with_no_client_auth()
            .with_single_cert(self.chain_der(), self.key_der());
        finish(config, alpn)
    }

    /// The private key.
    pub fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaf").finish_non_exhaustive()
    }
}

fn params(common_name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().copied().map(String::from).collect();
    let mut params = CertificateParams::new(names).expect("DNS names or IP addresses");
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params
}

/// A number that no other certificate of the process has.
fn next_serial() -> SerialNumber {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    SerialNumber::from(NEXT.fetch_add(1, Ordering::Relaxed))
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn finish(config: Result<ServerConfig, rustls::Error>, alpn: &[&[u8]]) -> Arc<ServerConfig> {
    let mut config = config.expect("a certificate that fits its key");
    config.alpn_protocols = owned(alpn);
    Arc::new(config)
}

fn owned(alpn: &[&[u8]]) -> Vec<Vec<u8>> {
    alpn.iter().map(|protocol| protocol.to_vec()).collect()
}
