use std::io;

use http::Uri;
use standpipe_core::Origin;

/// The canonical `host:port` of an address given as text.
pub(super) fn of_text(address: &str) -> io::Result<String> {
    let origin = Origin::parse(&format!("http://{address}")).map_err(invalid)?;
    if address.contains(['/', '?', '#']) || !address.ends_with(&format!(":{}", origin.port())) {
        return Err(invalid(
            "an address is a host and a port, as example.com:80",
        ));
    }
    Ok(of_origin(&origin))
}

/// The `host:port` a URI leads to; without a port, the scheme's.
pub(super) fn of_uri(uri: &Uri) -> io::Result<String> {
    let Some(authority) = uri.authority() else {
        return Err(invalid("the URI has no host"));
    };
    match uri.scheme() {
        Some(_) => Ok(of_origin(&Origin::of_uri(uri).map_err(invalid)?)),
        None => of_text(authority.as_str()),
    }
}

fn of_origin(origin: &Origin) -> String {
    format!("{}:{}", origin.host(), origin.port())
}

fn invalid(why: impl Into<standpipe_core::BoxError>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}
