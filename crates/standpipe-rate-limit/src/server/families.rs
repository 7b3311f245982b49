//! Headers that come in families: one says what remains, another when that is reset.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue};

use super::{Left, ServerWord, date, draft, duration, number};
use crate::Unit;

/// As many families as are looked at in one answer.
const MAX: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Families<'a> {
    families: [Option<Family<'a>>; MAX],
    draft: bool,
}

#[derive(Debug)]
struct Family<'a> {
    prefix: &'a str,
    name: &'a str,
    limit: Option<&'a HeaderValue>,
    remaining: Option<&'a HeaderValue>,
    reset: Option<&'a HeaderValue>,
}

#[derive(Clone, Copy)]
enum Field {
    Limit,
    Remaining,
    Reset,
}

impl<'a> Families<'a> {
    /// All families in `headers` that are heeded, by one look at each name.
    pub(super) fn find(headers: &'a HeaderMap, word: &ServerWord) -> Option<Self> {
        let mut found: Option<Self> = None;
        for (name, value) in headers {
            let name = name.as_str();
            // Nearly all names end here.
            if !matches!(name.as_bytes().first(), Some(b'r' | b'x' | b'a')) {
                continue;
            }
            let Some((prefix, rest)) = split(name, word) else {
                continue;
            };
            match (prefix, rest) {
                ("ratelimit", "") => found.get_or_insert_default().draft = true,
                _ => {
                    if let Some((field, family)) = field_of(prefix, rest) {
                        let found = found.get_or_insert_default();
                        found.insert(prefix, family, field, value);
                    }
                }
            }
        }
        found
    }

    /// What they say is left.
    pub(super) fn left(
        &self,
        headers: &HeaderMap,
        now: impl Fn() -> SystemTime,
    ) -> Vec<(Unit, Left)> {
        let mut left = match self.draft {
            true => draft::left(headers),
            false => Vec::new(),
        };
        let families = self.families.iter().flatten();
        left.extend(families.filter_map(|family| family.left(&now)));
        left
    }

    fn insert(&mut self, prefix: &'a str, name: &'a str, field: Field, value: &'a HeaderValue) {
        let same = |family: &Family<'_>| family.prefix == prefix && family.name == name;
        let slot = self
            .families
            .iter_mut()
            .find(|slot| slot.as_ref().is_none_or(same));
        let Some(slot) = slot else {
            return;
        };
        let family = slot.get_or_insert(Family {
            prefix,
            name,
            limit: None,
            remaining: None,
            reset: None,
        });
        *match field {
            Field::Limit => &mut family.limit,
            Field::Remaining => &mut family.remaining,
            Field::Reset => &mut family.reset,
        } = Some(value);
    }
}

/// The kind of a header and the rest of its name, where the kind is heeded.
fn split<'a>(name: &'a str, word: &ServerWord) -> Option<(&'a str, &'a str)> {
    for (prefix, heeded) in [
        ("x-ratelimit", word.x_ratelimit),
        ("ratelimit", word.ratelimit),
        ("anthropic-ratelimit", word.anthropic),
    ] {
        if let Some(rest) = name.strip_prefix(prefix) {
            let ends = rest.is_empty() || rest.starts_with('-');
            return (heeded && ends).then(|| (&name[..prefix.len()], rest));
        }
    }
    None
}

/// Which field of which family it is. Anthropic names the family first, the others last.
fn field_of<'a>(prefix: &str, rest: &'a str) -> Option<(Field, &'a str)> {
    const FIELDS: [(&str, Field); 3] = [
        ("limit", Field::Limit),
        ("remaining", Field::Remaining),
        ("reset", Field::Reset),
    ];
    let rest = rest.strip_prefix('-')?;
    FIELDS.into_iter().find_map(|(word, field)| {
        let family = match prefix {
            "anthropic-ratelimit" => rest.strip_suffix(word)?.strip_suffix('-')?,
            _ => match rest.strip_prefix(word)? {
                "" => "",
                family => family.strip_prefix('-')?,
            },
        };
        Some((field, family))
    })
}

impl Family<'_> {
    /// What the family says: nothing where it counts what we do not know, or where a value is
    /// missing, negative or malformed. Azure says -1 and 0 for a limit that it does not know.
    fn left(&self, now: impl Fn() -> SystemTime) -> Option<(Unit, Left)> {
        let unit = match self.name {
            "" | "requests" => Unit::Request,
            "tokens" | "input-tokens" | "output-tokens" => Unit::Cost,
            _ => return None,
        };
        let text = |value: Option<&HeaderValue>| -> Option<String> {
            Some(value?.to_str().ok()?.trim().to_owned())
        };
        if let Some(limit) = text(self.limit) {
            // With a policy behind it, as in `100, 100;w=60`, the first number is the limit.
            let limit = limit.split([',', ';']).next().unwrap_or_default().trim();
            if number::count(limit).unwrap_or(0) == 0 {
                return None;
            }
        }
        let units = number::count(&text(self.remaining)?)?;
        let within = reset(&text(self.reset)?, now)?;
        Some((unit, Left { units, within }))
    }
}

/// The time until a reset: a Go duration, seconds, seconds or milliseconds since 1970, or an
/// instant as RFC 3339 writes it. Nothing where it has passed.
fn reset(text: &str, now: impl Fn() -> SystemTime) -> Option<Duration> {
    // Nobody waits for thirty years: so large a number is a date.
    const EPOCH_SECONDS: u64 = 1_000_000_000;
    const EPOCH_MILLIS: u64 = EPOCH_SECONDS * 1_000;
    let since_epoch = |since: Duration| Some(date::until(UNIX_EPOCH.checked_add(since)?, now()));
    let wait = match number::seconds(text) {
        Some(number) if number.as_secs() >= EPOCH_MILLIS => since_epoch(number / 1_000)?,
        Some(number) if number.as_secs() >= EPOCH_SECONDS => since_epoch(number)?,
        Some(number) => number,
        None => match duration::go(text) {
            Some(wait) => wait,
            None => date::until(date::rfc3339(text)?, now()),
        },
    };
    Some(wait).filter(|wait| !wait.is_zero())
}
