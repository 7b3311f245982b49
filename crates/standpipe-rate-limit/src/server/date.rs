use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long it is until `instant`; zero once it has passed.
pub(super) fn until(instant: SystemTime, now: SystemTime) -> Duration {
    instant.duration_since(now).unwrap_or_default()
}

/// An instant as RFC 3339 writes it: `2025-08-21T12:40:59Z`, with or without a fraction, or with an
/// offset.
pub(super) fn rfc3339(text: &str) -> Option<SystemTime> {
    let bytes = text.as_bytes();
    let at = |index: usize, expected: &[u8]| {
        bytes.get(index).is_some_and(|byte| expected.contains(byte))
    };
    let punctuated = at(4, b"-") && at(7, b"-") && at(10, b"Tt ") && at(13, b":") && at(16, b":");
    if !punctuated {
        return None;
    }
    let (year, month, day) = (
        digits(text, 0, 4)?,
        digits(text, 5, 2)?,
        digits(text, 8, 2)?,
    );
    let (hour, minute) = (digits(text, 11, 2)?, digits(text, 14, 2)?);
    let second = digits(text, 17, 2)?;
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !in_range {
        return None;
    }
    let (fraction, zone) = split_fraction(text.get(19..)?)?;
    let local = days_from_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    let since_epoch = u64::try_from(local - offset(zone)?).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(since_epoch) + fraction)
}

fn digits(text: &str, begin: usize, len: usize) -> Option<i64> {
    let digits = text.get(begin..begin + len)?;
    let all = digits.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| digits.parse().ok())?
}

fn split_fraction(text: &str) -> Option<(Duration, &str)> {
    let Some(fraction) = text.strip_prefix('.') else {
        return Some((Duration::ZERO, text));
    };
    let end = fraction.find(|c: char| !c.is_ascii_digit())?;
    let (fraction, zone) = fraction.split_at(end);
    if fraction.is_empty() {
        return None;
    }
    Some((super::number::seconds(&format!("0.{fraction}"))?, zone))
}

/// The zone's offset in seconds.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = (digits(zone, 1, 2)?, digits(zone, 4, 2)?);
    let well_formed = zone.len() == 6 && zone.as_bytes()[3] == b':' && hours < 24 && minutes < 60;
    well_formed.then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Days between 1970-01-01 and a day of the Gregorian calendar. The year is taken to begin in
/// March, so that the leap day is its last.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    year * 365 + leap_days + day_of_year - 719_468
}
