use super::{Error, ErrorKind, Phase};

/// What an error is, as questions.
impl Error {
    /// Whether some clock ran out.
    pub fn is_timeout(&self) -> bool {
        self.kind().is_timeout()
    }

    /// Whether no connection could be made.
    pub fn is_connect(&self) -> bool {
        self.kind().is_connect()
    }

    /// Whether the TLS handshake failed.
    pub fn is_tls(&self) -> bool {
        matches!(self.kind(), ErrorKind::Tls | ErrorKind::TlsTimeout)
    }

    /// Whether the host's name could not be resolved.
    pub fn is_dns(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::Dns | ErrorKind::DnsNotFound | ErrorKind::DnsTimeout
        )
    }

    /// Whether the pool had no connection to give: none became free in time, or too many requests
    /// wait for one already.
    pub fn is_pool_exhausted(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::AcquireTimeout { .. } | ErrorKind::QueueFull
        )
    }

    /// Whether a rate limit of this client refused.
    pub fn is_rate_limited(&self) -> bool {
        self.kind() == ErrorKind::RateLimited
    }

    /// Whether the origin's circuit was open.
    pub fn is_circuit_open(&self) -> bool {
        self.kind() == ErrorKind::CircuitOpen
    }

    /// Whether the pool is shut down, or shuts down.
    pub fn is_shutdown(&self) -> bool {
        self.kind() == ErrorKind::Shutdown
    }

    /// Whether the server's status is the error.
    pub fn is_status(&self) -> bool {
        self.status().is_some()
    }

    /// Whether a redirect was not followed.
    pub fn is_redirect(&self) -> bool {
        self.kind() == ErrorKind::Redirect
    }

    /// Whether the request was refused for what it is, before anything was done for it.
    pub fn is_request(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::InvalidRequest | ErrorKind::UnsupportedScheme
        )
    }

    /// Whether a setting was refused.
    pub fn is_config(&self) -> bool {
        self.kind() == ErrorKind::Config
    }

    /// Whether a body failed: the request's, or the response's.
    pub fn is_body(&self) -> bool {
        self.phase() == Some(Phase::Body) || self.kind().is_body()
    }

    /// Whether a body is not what it was read as: text, JSON, lines, events.
    pub fn is_decode(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::Decode | ErrorKind::LineTooLong { .. } | ErrorKind::EventTooLarge { .. }
        )
    }
}
