//! `RateLimit` and `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers.

use std::time::Duration;

use http::HeaderMap;

use super::Left;
use super::structured::{Item, Value, dictionary, list};
use crate::Unit;

/// What the fields say is left; nothing where they are malformed, which has to be ignored.
pub(super) fn left(headers: &HeaderMap) -> Vec<(Unit, Left)> {
    let Some(field) = joined(headers, "ratelimit") else {
        return Vec::new();
    };
    let Some(items) = list(&field) else {
        // As in drafts 3 to 7: `limit=100, remaining=50, reset=30`.
        return early(&field).into_iter().collect();
    };
    let policy = joined(headers, "ratelimit-policy");
    let policies = policy.and_then(|policy| list(&policy)).unwrap_or_default();
    items
        .iter()
        .filter_map(|item| {
            let policy = policies.iter().find(|policy| policy.value == item.value);
            let counts = policy.and_then(|policy| policy.parameter("qu"));
            if counts.is_some_and(|unit| !unit.is_text("requests")) {
                return None;
            }
            let units = whole(item.parameter("r"))?;
            // Without a time the window of the policy is the longest that it can take.
            let time = whole(item.parameter("t"));
            let within = time.or_else(|| whole(policy?.parameter("w")))?;
            Some((Unit::Request, of(units, within)))
        })
        .collect()
}

fn early(field: &str) -> Option<(Unit, Left)> {
    let members = dictionary(field)?;
    let member = |name: &str| members.iter().find(|(key, _)| key == name);
    let value = |name: &str| whole(member(name).map(|(_, Item { value, .. })| value));
    Some((Unit::Request, of(value("remaining")?, value("reset")?)))
}

fn of(units: u64, seconds: u64) -> Left {
    Left {
        units,
        within: Duration::from_secs(seconds),
    }
}

fn whole(value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::Integer(number) => u64::try_from(*number).ok(),
        Value::Other | Value::Text(_) => None,
    }
}

/// All lines of a field as one.
fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut lines = headers.get_all(name).iter();
    let mut all = lines.next()?.to_str().ok()?.to_owned();
    for line in lines {
        all.push_str(", ");
        all.push_str(line.to_str().ok()?);
    }
    Some(all)
}
