use http::HeaderName;
use standpipe_core::{Error, ErrorKind};

/// A header name, or the beginning of some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HeaderPattern {
    Name(HeaderName),
    /// In lower case, as header names are kept.
    Prefix(Box<str>),
}

impl HeaderPattern {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let (name, prefix) = match text.strip_suffix('*') {
            Some(prefix) => (prefix, true),
            None => (text, false),
        };
        match HeaderName::try_from(name) {
            // A star may stand in a name, but whoever writes one means a pattern.
            Ok(name) if !name.as_str().contains('*') => Ok(match prefix {
                true => Self::Prefix(name.as_str().into()),
                false => Self::Name(name),
            }),
            _ => Err(Error::new(ErrorKind::Config).with_message(format!(
                "{text:?} is neither a header name nor the beginning of one and `*`"
            ))),
        }
    }

    pub(super) fn matches(&self, name: &HeaderName) -> bool {
        match self {
            Self::Name(own) => own == name,
            Self::Prefix(prefix) => name.as_str().starts_with(&**prefix),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &'static str) -> bool {
        let pattern = HeaderPattern::parse(pattern).unwrap();
        pattern.matches(&HeaderName::from_static(name))
    }

    #[test]
    fn a_name_matches_itself_in_any_case_and_a_star_what_begins_so() {
        assert!(matches("X-Api-Key", "x-api-key"));
        assert!(!matches("x-api-key", "x-api-key-id"));
        assert!(matches("OpenAI-*", "openai-organization"));
        assert!(!matches("openai-*", "openai"));
    }

    #[test]
    fn what_is_no_name_is_refused_and_named() {
        for bad in ["", "*", "a b", "a*b", "a**", "\u{e9}"] {
            let error = HeaderPattern::parse(bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(&format!("{bad:?}")), "{error}");
        }
    }
}
