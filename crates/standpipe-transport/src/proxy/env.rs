//! Proxies named by the environment.

use std::sync::Arc;

use super::exempt::Exempt;
use super::rule::{Rule, Scope};
use super::server::ProxyServer;

/// The proxies of this process's environment, read now.
pub(crate) fn read() -> Vec<Rule> {
    rules(|name| {
        let value = std::env::var_os(name)?;
        Some(value.to_string_lossy().into_owned())
    })
}

/// The rules of an environment: the upper-case name counts before the lower-case one, an empty
/// value is none.
pub(crate) fn rules(get: impl Fn(&str) -> Option<String>) -> Vec<Rule> {
    let first = |names: &[&'static str]| {
        names.iter().find_map(|name| {
            let value = get(name)?;
            let value = value.trim();
            (!value.is_empty()).then(|| (*name, value.to_owned()))
        })
    };
    // Where a program runs as a CGI script, a client chooses HTTP_PROXY by its header "Proxy"
    // (CVE-2016-5385); in lower case it cannot.
    let is_cgi = get("REQUEST_METHOD").is_some();
    let http_names: &[_] = if is_cgi {
        &["http_proxy"]
    } else {
        &["HTTP_PROXY", "http_proxy"]
    };
    let all = || first(&["ALL_PROXY", "all_proxy"]);
    let http = first(http_names).or_else(all);
    let https = first(&["HTTPS_PROXY", "https_proxy"]).or_else(all);
    let exempt = first(&["NO_PROXY", "no_proxy"]);
    let exempt = exempt.map_or_else(Exempt::default, |(_, list)| Exempt::parse(&list));
    let exempt = exempt.and_loopback();
    let rule = |scope, (name, url): (&'static str, String)| Rule {
        scope,
        server: match ProxyServer::parse(&url) {
            Ok(server) => Ok(Arc::new(server)),
            Err(_) => Err(name),
        },
        exempt: exempt.clone(),
    };
    let http = http.map(|found| rule(Scope::Http, found));
    let https = https.map(|found| rule(Scope::Https, found));
    http.into_iter().chain(https).collect()
}
