//! What is refused, at the earliest point and by name.

use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use standpipe_core::{Error, ErrorKind, Origin, Phase};

use super::secret::is_secret;
use super::{HostConfig, PoolConfig, Setting};

impl PoolConfig {
    /// Checks the fields that the layers below do not check themselves.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let durations = [
            ("idle_timeout", self.idle_timeout),
            ("max_connection_lifetime", self.max_connection_lifetime),
            ("dial_timeout", self.dial_timeout),
            ("tls_handshake_timeout", self.tls_handshake_timeout),
            ("response_header_timeout", self.response_header_timeout),
            ("body_idle_timeout", self.body_idle_timeout),
            ("write_idle_timeout", self.write_idle_timeout),
            ("tcp_keepalive", self.tcp_keepalive),
            ("tcp_keepalive_interval", self.tcp_keepalive_interval),
            ("attempt_timeout", self.attempt_timeout),
            ("request_timeout", self.request_timeout),
            ("host_idle_timeout", self.host_idle_timeout),
        ];
        for (field, value) in durations {
            if value == Some(Duration::ZERO) {
                return Err(refused(field, "0s", "more than zero, or None for no bound"));
            }
        }
        if self.max_hosts == 0 {
            return Err(refused("max_hosts", 0, "at least 1"));
        }
        if self.max_decompressed_bytes == 0 {
            return Err(refused("max_decompressed_bytes", 0, "at least 1"));
        }
        if self.max_response_bytes == 0 {
            return Err(refused("max_response_bytes", 0, "at least 1"));
        }
        if let Some(circuit_breaker) = &self.circuit_breaker {
            circuit_breaker
                .check()
                .map_err(|error| within("circuit_breaker", &error))?;
        }
        if let Some(rate_limit) = &self.rate_limit {
            rate_limit
                .check()
                .map_err(|error| within("rate_limit", &error))?;
        }
        if !(0.0..=1.0).contains(&self.retry_jitter) {
            return Err(refused("retry_jitter", self.retry_jitter, "from 0 to 1"));
        }
        let multiplier = self.retry_multiplier;
        if !(multiplier >= 1.0 && multiplier.is_finite()) {
            return Err(refused(
                "retry_multiplier",
                multiplier,
                "at least 1 and finite",
            ));
        }
        let no_failure = |status: &&u16| !(400..600).contains(*status);
        if let Some(status) = self.retry_statuses.iter().find(no_failure) {
            return Err(refused(
                "a status of retry_statuses",
                status,
                "from 400 to 599",
            ));
        }
        if self.tcp_keepalive_retries == Some(0) {
            return Err(refused("tcp_keepalive_retries", 0, "at least 1"));
        }
        if self.initial_retry_delay > self.max_retry_delay {
            let allowed = format!(
                "at most max_retry_delay, which is {:?}",
                self.max_retry_delay
            );
            let value = format!("{:?}", self.initial_retry_delay);
            return Err(refused("initial_retry_delay", value, &allowed));
        }
        Ok(())
    }

    /// The headers that every request has unless it sets them itself.
    pub(crate) fn headers(&self) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        if let Some(agent) = &self.user_agent {
            let value = HeaderValue::from_str(agent).map_err(|_| {
                refused(
                    "user_agent",
                    format!("{agent:?}"),
                    "free of control characters",
                )
            })?;
            headers.insert(http::header::USER_AGENT, value);
        }
        Ok(headers)
    }
}

impl HostConfig {
    /// The default headers on top of `base`. A value is not repeated in an error: it may be a
    /// secret.
    pub(crate) fn headers(&self, host: &str, base: &HeaderMap) -> Result<HeaderMap, Error> {
        let mut headers = base.clone();
        let mut own = HeaderMap::new();
        for (name, value) in &self.default_headers {
            let field = format!("default_headers of host {host}");
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| refused(&field, format!("{name:?}"), "a header name"))?;
            let mut value = HeaderValue::from_str(value).map_err(|_| {
                let shown = format!("the value of {name}");
                refused(&field, shown, "free of control characters")
            })?;
            value.set_sensitive(is_secret(&name));
            own.append(name, value);
        }
        for name in own.keys() {
            headers.remove(name);
        }
        headers.extend(own);
        Ok(headers)
    }

    pub(crate) fn check(&self, host: &str) -> Result<(), Error> {
        let request_timeout = match self.request_timeout {
            Setting::Set(timeout) => Some(timeout),
            Setting::Inherit | Setting::Off => None,
        };
        let durations = [
            ("request_timeout", request_timeout),
            ("attempt_timeout", self.attempt_timeout),
            ("body_idle_timeout", self.body_idle_timeout),
        ];
        for (field, value) in durations {
            if value == Some(Duration::ZERO) {
                let field = format!("{field} of host {host}");
                return Err(refused(&field, "0s", "more than zero"));
            }
        }
        if self.max_connections == Some(0) {
            let field = format!("max_connections of host {host}");
            return Err(refused(&field, 0, "at least 1"));
        }
        if let Setting::Set(rate_limit) = &self.rate_limit {
            let field = format!("rate_limit of host {host}");
            rate_limit.check().map_err(|error| within(&field, &error))?;
        }
        if let Setting::Set(circuit_breaker) = &self.circuit_breaker {
            let field = format!("circuit_breaker of host {host}");
            circuit_breaker
                .check()
                .map_err(|error| within(&field, &error))?;
        }
        Ok(())
    }
}

/// The host name that a setting is for, as origins spell it.
pub(crate) fn host_name(name: &str) -> Result<String, Error> {
    let parsed = Origin::parse(&format!("http://{name}/"));
    match parsed {
        Ok(origin) if origin.port() == 80 && !name.contains([':', '/', '?', '#']) => {
            Ok(origin.host().to_owned())
        }
        Ok(origin) if name.starts_with('[') && name.ends_with(']') => Ok(origin.host().to_owned()),
        _ => {
            // What stands before an `@` may be a password.
            let shown = if name.contains('@') {
                "a name with userinfo".to_owned()
            } else {
                format!("{name:?}")
            };
            let allowed = "a host name without scheme, port and path";
            Err(refused("host", shown, allowed))
        }
    }
}

pub(crate) fn refused(field: &str, value: impl std::fmt::Display, allowed: &str) -> Error {
    Error::new(ErrorKind::Config)
        .with_phase(Phase::Check)
        .with_message(format!("{field} is {value}, but must be {allowed}"))
}

/// A refusal of a part of `field`, by the layer whose settings these are.
pub(crate) fn within(field: &str, refusal: &Error) -> Error {
    let text = refusal.to_string();
    // What stands before is the name of the kind, which this error has too.
    let what = text.split_once(": ").map_or(&*text, |(_, what)| what);
    Error::new(ErrorKind::Config)
        .with_phase(Phase::Check)
        .with_message(format!("{field}: {what}"))
}
