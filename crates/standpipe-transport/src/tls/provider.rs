use rustls::crypto::CryptoProvider;

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
    pub(super) fn crypto(self) -> CryptoProvider {
        match self {
            #[cfg(feature = "aws-lc-rs")]
            Self::AwsLcRs => rustls::crypto::aws_lc_rs::default_provider(),
            #[cfg(feature = "ring")]
            Self::Ring => rustls::crypto::ring::default_provider(),
        }
    }

    #[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
    pub(super) fn crypto(self) -> CryptoProvider {
        match self {}
    }
}
