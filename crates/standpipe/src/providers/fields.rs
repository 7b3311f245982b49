//! The fields of a JSON text, for those who look for one that may be at any depth of a text that may be
//! cut off. It is a scanner and no parser: what it makes of a text that is no JSON is up to the text.

/// The fields whose value is a text, as it is written, or a whole number: name and value, in their order.
pub(super) fn fields(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            rest = &rest[memchr::memchr(b'"', rest)?..];
            let (name, after) = string(rest)?;
            rest = after;
            // A text that no colon follows is a value.
            let Some(value) = trimmed(rest).strip_prefix(b":") else {
                continue;
            };
            rest = trimmed(value);
            if let Some((value, after)) = scalar(rest) {
                rest = after;
                return Some((name, value));
            }
        }
    })
}

/// The text that begins here with its quote, and what is after it.
fn string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = text.strip_prefix(b"\"")?;
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', &inner[at..])?;
        match inner[at] {
            b'"' => return Some((&inner[..at], &inner[at + 1..])),
            // What is escaped ends nothing.
            _ => at += 2,
        }
        if at > inner.len() {
            return None;
        }
    }
}

fn scalar(text: &[u8]) -> Option<(&[u8], &[u8])> {
    if text.starts_with(b"\"") {
        return string(text);
    }
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, after) = text.split_at(length);
    let is_whole = length > 0 && !matches!(after.first(), Some(b'.' | b'e' | b'E'));
    is_whole.then_some((digits, after))
}

fn trimmed(text: &[u8]) -> &[u8] {
    text.trim_ascii_start()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(&str, &str)> {
        let utf8 = |bytes| std::str::from_utf8(bytes).unwrap();
        fields(text.as_bytes())
            .map(|(name, value)| (utf8(name), utf8(value)))
            .collect()
    }

    #[test]
    fn fields_of_any_depth_are_found() {
        let text = r#"{"a": "1", "b" : {"c":["x", {"d":"2"}], "n": 37, "e": null, "g": 1.5, "h": -1}, "f": true}"#;
        assert_eq!(read(text), [("a", "1"), ("d", "2"), ("n", "37")]);
    }

    #[test]
    fn what_a_text_quotes_is_no_field() {
        let text = r#"{"message": "say \"code\": \"x\" \\", "code": "y"}"#;
        assert_eq!(read(text).last(), Some(&("code", "y")));
        assert!(!read(text).contains(&("code", "x")));
        assert_eq!(read(r#"["code", "x"]"#), []);
    }

    #[test]
    fn a_text_that_is_cut_off_or_no_json_is_read_as_far_as_it_goes() {
        let text = r#"{"a": "1", "b": "two"#;
        assert_eq!(read(text), [("a", "1")]);
        for end in 0..text.len() {
            assert!(read(&text[..end]).len() <= 1);
        }
        for text in [
            "",
            "\"",
            "\"\\",
            "\"\\\"",
            "{\"a\":",
            "<html>\"x\":\"y\"</html>",
            "\":\"",
        ] {
            assert!(read(text).len() <= 1, "{text}");
        }
    }
}
