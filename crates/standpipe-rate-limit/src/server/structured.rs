//! As much of structured fields (RFC 9651) as the rate limit headers use: lists and dictionaries of
//! items. What is malformed anywhere is nothing as a whole.

/// A bare item.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Integer(i64),
    /// A string or a token.
    Text(String),
    /// A decimal, a boolean or a byte sequence, which no rule here looks into.
    Other,
}

/// An item with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) value: Value,
    parameters: Vec<(String, Value)>,
}

impl Item {
    /// The parameter of this name; of several the last counts.
    pub(super) fn parameter(&self, name: &str) -> Option<&Value> {
        let mut parameters = self.parameters.iter().rev();
        parameters
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }
}

impl Value {
    pub(super) fn is_text(&self, expected: &str) -> bool {
        matches!(self, Self::Text(text) if text == expected)
    }
}

/// A list of items.
pub(super) fn list(text: &str) -> Option<Vec<Item>> {
    members(text, Parser::item)
}

/// A dictionary of items.
pub(super) fn dictionary(text: &str) -> Option<Vec<(String, Item)>> {
    members(text, |parser| {
        let key = parser.key()?;
        parser.expect(b'=')?;
        Some((key, parser.item()?))
    })
}

fn members<'a, T>(
    text: &'a str,
    mut member: impl FnMut(&mut Parser<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    let mut parser = Parser(text.trim_matches(' ').as_bytes());
    let mut members = Vec::new();
    while !parser.0.is_empty() {
        members.push(member(&mut parser)?);
        parser.skip(b" \t");
        if parser.0.is_empty() {
            break;
        }
        parser.expect(b',')?;
        parser.skip(b" \t");
        // A comma at the end promises one more.
        parser.peek()?;
    }
    Some(members)
}

struct Parser<'a>(&'a [u8]);

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    fn skip(&mut self, bytes: &[u8]) {
        self.take_while(|byte| bytes.contains(&byte));
    }

    fn take_while(&mut self, is_in: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|&byte| !is_in(byte));
        let (taken, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        taken
    }

    fn item(&mut self) -> Option<Item> {
        let value = self.value()?;
        let mut parameters = Vec::new();
        while self.peek() == Some(b';') {
            self.next();
            self.skip(b" ");
            let key = self.key()?;
            let value = match self.peek() {
                Some(b'=') => {
                    self.next();
                    self.value()?
                }
                _ => Value::Other,
            };
            parameters.push((key, value));
        }
        Some(Item { value, parameters })
    }

    fn key(&mut self) -> Option<String> {
        let starts = |byte: u8| byte.is_ascii_lowercase() || byte == b'*';
        self.peek().filter(|&byte| starts(byte))?;
        let key =
            self.take_while(|byte| starts(byte) || byte.is_ascii_digit() || b"_-.".contains(&byte));
        Some(String::from_utf8_lossy(key).into_owned())
    }

    fn value(&mut self) -> Option<Value> {
        match self.peek()? {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            b'?' => {
                self.next();
                matches!(self.next()?, b'0' | b'1').then_some(Value::Other)
            }
            b':' => {
                self.next();
                self.take_while(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
                self.expect(b':')?;
                Some(Value::Other)
            }
            byte if byte.is_ascii_alphabetic() || byte == b'*' => {
                let token = self.take_while(|byte| {
                    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte)
                });
                Some(Value::Text(String::from_utf8_lossy(token).into_owned()))
            }
            _ => None,
        }
    }

    fn string(&mut self) -> Option<Value> {
        self.expect(b'"')?;
        let mut text = String::new();
        loop {
            match self.next()? {
                b'"' => return Some(Value::Text(text)),
                b'\\' => match self.next()? {
                    byte @ (b'"' | b'\\') => text.push(char::from(byte)),
                    _ => return None,
                },
                byte @ 0x20..=0x7e => text.push(char::from(byte)),
                _ => return None,
            }
        }
    }

    /// An integer of fifteen digits at most, or a decimal.
    fn number(&mut self) -> Option<Value> {
        let negative = self.peek() == Some(b'-');
        if negative {
            self.next();
        }
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        if digits.is_empty() || digits.len() > 15 {
            return None;
        }
        if self.peek() == Some(b'.') {
            self.next();
            let fraction = self.take_while(|byte| byte.is_ascii_digit());
            return (1..=3).contains(&fraction.len()).then_some(Value::Other);
        }
        let number = std::str::from_utf8(digits).ok()?.parse::<i64>().ok()?;
        Some(Value::Integer(if negative { -number } else { number }))
    }
}
