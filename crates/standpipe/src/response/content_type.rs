use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// What `Content-Type` says, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ContentType<'a> {
    essence: &'a str,
    parameters: &'a str,
}

impl<'a> ContentType<'a> {
    /// None where there is no such header, or one that is no text.
    pub(super) fn of(headers: &'a HeaderMap) -> Option<Self> {
        let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
        Some(Self {
            essence: essence.trim(),
            parameters,
        })
    }

    pub(super) fn is(self, essence: &str) -> bool {
        self.essence.eq_ignore_ascii_case(essence)
    }

    /// The value of `charset`, of which the first counts.
    #[cfg(feature = "charset")]
    pub(super) fn charset(self) -> Option<&'a str> {
        let parameters = self.parameters.split(';');
        let mut named = parameters.filter_map(|parameter| parameter.split_once('='));
        let (_, value) = named.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
        Some(value.trim().trim_matches('"').trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &[u8]) -> HeaderMap {
        let value = http::HeaderValue::from_bytes(value).unwrap();
        HeaderMap::from_iter([(CONTENT_TYPE, value)])
    }

    /// SSE-12
    #[test]
    fn the_type_is_told_whatever_its_case_and_its_parameters() {
        for value in [
            "text/event-stream",
            "Text/Event-Stream; charset=utf-8",
            " text/event-stream ;",
        ] {
            let headers = headers(value.as_bytes());
            let found = ContentType::of(&headers).unwrap();
            assert!(found.is("text/event-stream"), "{value}");
        }
        for value in [
            "text/event-streams",
            "application/json; text/event-stream",
            "",
        ] {
            let headers = headers(value.as_bytes());
            let found = ContentType::of(&headers).unwrap();
            assert!(!found.is("text/event-stream"), "{value}");
        }
        assert_eq!(ContentType::of(&headers(b"text/\xff")), None);
        assert_eq!(ContentType::of(&HeaderMap::new()), None);
    }

    #[cfg(feature = "charset")]
    #[test]
    fn the_charset_is_the_first_one_that_is_named() {
        for (value, charset) in [
            ("text/plain; charset=utf-8", Some("utf-8")),
            (
                "text/plain;a=b; CHARSET = \"latin1\" ;charset=x",
                Some("latin1"),
            ),
            ("text/plain; charsets=x", None),
            ("text/plain", None),
        ] {
            let headers = headers(value.as_bytes());
            assert_eq!(
                ContentType::of(&headers).unwrap().charset(),
                charset,
                "{value}"
            );
        }
    }
}
