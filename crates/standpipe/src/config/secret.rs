//! Which default headers are secrets, by their names.

use http::HeaderName;
use http::header::SEC_WEBSOCKET_KEY;

use crate::stack::IDEMPOTENCY_KEYS;

/// What tells of a secret anywhere in a name.
const PARTS: [&str; 8] = [
    "apikey",
    "auth",
    "cookie",
    "credential",
    "passw",
    "secret",
    "signature",
    "token",
];

/// What does so as a word of its own.
const WORDS: [&str; 7] = ["hmac", "jwt", "key", "pass", "pwd", "session", "sig"];

/// Whether the value of a header of this name is taken for a secret: it is then in no debug output, and
/// HTTP/2 keeps it out of its tables. Rather one too many.
pub(super) fn is_secret(name: &HeaderName) -> bool {
    // They open nothing.
    if *name == SEC_WEBSOCKET_KEY || IDEMPOTENCY_KEYS.contains(name) {
        return false;
    }
    let mut words = name.as_str().split(['-', '_', '.']);
    words.any(|word| {
        let is_author = word == "author";
        // Such as `accesskey` or `licensekey`.
        let is_key = word.ends_with("key") && !["hotkey", "monkey", "turkey"].contains(&word);
        let has_part = PARTS.iter().any(|part| word.contains(part));
        WORDS.contains(&word) || is_key || (!is_author && has_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_known_for_a_secret_by_its_name() {
        for (name, secret) in [
            ("authorization", true),
            ("proxy-authorization", true),
            ("x-auth", true),
            ("cookie", true),
            ("x-api-key", true),
            ("accesskey", true),
            ("x-licensekey", true),
            ("x-monkey", false),
            ("api_key", true),
            ("x-goog-apikey", true),
            ("x-access-token", true),
            ("access_token", true),
            ("x-xsrftoken", true),
            ("client-secret", true),
            ("client_secret", true),
            ("x-secret", true),
            ("password", true),
            ("x-passwd", true),
            ("db.pass", true),
            ("x-credential", true),
            ("x-amz-credentials", true),
            ("x-sig", true),
            ("signature", true),
            ("x-hub-signature-256", true),
            ("x-session", true),
            ("x-jwt", true),
            ("idempotency-key", false),
            ("x-idempotency-key", false),
            ("sec-websocket-key", false),
            ("accept", false),
            ("x-author", false),
            ("x-monkey", false),
            ("keyword", false),
            ("x-design", false),
            ("x-compass", false),
            ("anthropic-version", false),
            ("user-agent", false),
        ] {
            assert_eq!(is_secret(&HeaderName::from_static(name)), secret, "{name}");
        }
    }
}
