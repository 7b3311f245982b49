//! Which proxy an origin is reached through.

use std::sync::Arc;

use standpipe_core::{Error, ErrorKind, Origin, Phase};

use super::env;
use super::exempt::Exempt;
use super::server::ProxyServer;
use crate::config::Protocol;

/// Which origins a proxy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    All,
    Http,
    Https,
}

/// One proxy, and what it is for.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) scope: Scope,
    /// The name of the environment's variable where its value is no proxy: no request goes out
    /// past a proxy only because it was misspelt.
    pub(crate) server: Result<Arc<ProxyServer>, &'static str>,
    pub(crate) exempt: Exempt,
}

impl Rule {
    fn is_for(&self, origin: &Origin) -> bool {
        let scope = match self.scope {
            Scope::All => true,
            Scope::Http => !origin.is_https(),
            Scope::Https => origin.is_https(),
        };
        scope && !self.exempt.contains(origin)
    }
}

/// What was said about proxies while building.
#[derive(Clone, Debug, Default)]
pub(crate) enum Choice {
    /// Nothing: the environment's, unless the connector is the user's own.
    #[default]
    Default,
    /// None at all.
    Never,
    /// These, and then the environment's where that was asked for.
    These { rules: Vec<Rule>, env: bool },
}

impl Choice {
    /// One more proxy; the first one that is for an origin is taken.
    pub(crate) fn add(&mut self, rule: Rule) {
        self.these().0.push(rule);
    }

    pub(crate) fn add_env(&mut self) {
        *self.these().1 = true;
    }

    fn these(&mut self) -> (&mut Vec<Rule>, &mut bool) {
        if !matches!(self, Self::These { .. }) {
            *self = Self::These {
                rules: Vec::new(),
                env: false,
            };
        }
        match self {
            Self::These { rules, env } => (rules, env),
            Self::Default | Self::Never => unreachable!("it was just set"),
        }
    }

    /// Reads the environment where it counts.
    pub(crate) fn resolve(self, own_connector: bool) -> Proxies {
        let rules = match self {
            Self::Default if !own_connector => env::read(),
            Self::Default | Self::Never => Vec::new(),
            Self::These { mut rules, env } => {
                if env {
                    rules.extend(env::read());
                }
                rules
            }
        };
        Proxies(rules)
    }
}

/// The proxies of a transport.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies(pub(super) Vec<Rule>);

impl Proxies {
    #[cfg(test)]
    pub(crate) fn new(rules: Vec<Rule>) -> Self {
        Self(rules)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all of them can be used.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let unusable = self.0.iter().find_map(|rule| rule.server.as_ref().err());
        match unusable {
            Some(name) => Err(unusable_variable(name).with_phase(Phase::Check)),
            None => Ok(()),
        }
    }

    /// How `origin` is reached. It is asked once for each pool of an origin, not per request.
    pub(crate) fn route(&self, origin: &Origin, protocol: Protocol) -> Route {
        let Some(rule) = self.0.iter().find(|rule| rule.is_for(origin)) else {
            return Route::Direct;
        };
        match &rule.server {
            Err(name) => Route::Unusable(name),
            Ok(server) => {
                // A proxy that forwards requests does so by HTTP/1.1.
                let forwards =
                    server.is_http() && !origin.is_https() && protocol != Protocol::Http2;
                let server = Arc::clone(server);
                if forwards {
                    Route::Forward(server)
                } else {
                    Route::Tunnel(server)
                }
            }
        }
    }
}

/// The way to an origin; a part of its connections' identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Direct,
    /// Requests are sent to the proxy, in absolute form (RFC 9112, 3.2.2).
    Forward(Arc<ProxyServer>),
    /// The proxy passes bytes on.
    Tunnel(Arc<ProxyServer>),
    /// This variable of the environment holds no proxy.
    Unusable(&'static str),
}

impl Route {
    /// What is connected to: the proxy, or the origin itself.
    pub(crate) fn hop<'a>(&'a self, origin: &'a Origin) -> &'a Origin {
        match self {
            Self::Direct | Self::Unusable(_) => origin,
            Self::Forward(server) | Self::Tunnel(server) => server.hop(),
        }
    }

    /// The proxy that requests are sent to.
    pub(crate) fn forward(&self) -> Option<&ProxyServer> {
        match self {
            Self::Forward(server) => Some(server),
            Self::Direct | Self::Tunnel(_) | Self::Unusable(_) => None,
        }
    }
}

pub(crate) fn unusable_variable(name: &str) -> Error {
    Error::new(ErrorKind::Config).with_message(format!(
        "the environment's {name} is no URL of an http, https, socks5 or socks5h proxy"
    ))
}
