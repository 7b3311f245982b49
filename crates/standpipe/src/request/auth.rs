use std::fmt::Display;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, HeaderValue};
use standpipe_core::Error;

use super::{RequestBuilder, invalid};

/// Its credentials: the values are marked as sensitive, so that nothing prints them.
impl RequestBuilder {
    /// Sets `Authorization: Bearer token`.
    pub fn bearer_auth(self, token: impl Display) -> Self {
        let value = sensitive(
            format!("Bearer {token}"),
            "the bearer token has characters that may not be sent",
        );
        self.authorization(value)
    }

    /// Sets `Authorization: Basic` with `user` and `password`, as UTF-8 (RFC 7617). A `user` with a
    /// colon, which would move a part of it into the password, and control characters in either are
    /// refused.
    pub fn basic_auth(self, user: impl Display, password: Option<impl Display>) -> Self {
        let user = user.to_string();
        let password = password.map(|password| password.to_string());
        let value = basic(&user, &password.unwrap_or_default());
        self.authorization(value)
    }

    fn authorization(self, value: Result<HeaderValue, Error>) -> Self {
        self.with(|request| {
            request.headers_mut().insert(AUTHORIZATION, value?);
            Ok(())
        })
    }
}

fn basic(user: &str, password: &str) -> Result<HeaderValue, Error> {
    if user.contains(':') {
        return Err(invalid("the user of basic authentication has a colon"));
    }
    if [user, password]
        .iter()
        .any(|part| part.contains(char::is_control))
    {
        return Err(invalid(
            "the user or password of basic authentication has control characters",
        ));
    }
    let credentials = BASE64_STANDARD.encode(format!("{user}:{password}"));
    sensitive(format!("Basic {credentials}"), "no header can hold this")
}

fn sensitive(value: String, wrong: &'static str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::try_from(value).map_err(|_| invalid(wrong))?;
    value.set_sensitive(true);
    Ok(value)
}
