use std::time::Duration;

use super::number::scaled;

/// A duration as Go prints it (`time.ParseDuration`): `12ms`, `1s`, `6m0s`, `1h2m3.5s`. Signs are
/// refused: nobody waits for less than nothing.
pub(super) fn go(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("\u{b5}s", 1_000),
        ("\u{3bc}s", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60 * 1_000_000_000),
        ("h", 60 * 60 * 1_000_000_000),
    ];
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let (number, tail) = rest.split_at(rest.find(|c| !is_number(c))?);
        let (name, tail) = tail.split_at(tail.find(is_number).unwrap_or(tail.len()));
        let (_, unit) = UNITS.into_iter().find(|(unit, _)| *unit == name)?;
        sum = sum.saturating_add(scaled(number, unit)?);
        rest = tail;
    }
    (!text.is_empty()).then_some(sum)
}
