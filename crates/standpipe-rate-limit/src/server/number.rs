use std::time::Duration;

/// A count that is at least zero; a fraction is cut off, and more than fits is as much as fits.
/// `None` for anything else, `-1` included, by which some say that they do not know.
pub(super) fn count(text: &str) -> Option<u64> {
    let (whole, fraction) = parts(text)?;
    let _ = fraction;
    Some(whole)
}

/// Seconds with or without a fraction.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    scaled(text, 1_000_000_000)
}

/// Milliseconds with or without a fraction.
pub(super) fn millis(text: &str) -> Option<Duration> {
    scaled(text, 1_000_000)
}

/// `text` times `unit` nanoseconds.
pub(super) fn scaled(text: &str, unit: u64) -> Option<Duration> {
    let (whole, fraction) = parts(text)?;
    let nanos = u128::from(whole) * u128::from(unit) + fraction_of(fraction, unit);
    let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
    Some(Duration::new(seconds, (nanos % 1_000_000_000) as u32))
}

/// The digits before and after the point.
fn parts(text: &str) -> Option<(u64, &str)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    Some((whole.parse().unwrap_or(u64::MAX), fraction))
}

fn fraction_of(digits: &str, unit: u64) -> u128 {
    let mut place = u128::from(unit);
    let mut sum = 0;
    for digit in digits.bytes().take(12) {
        place /= 10;
        sum += u128::from(digit - b'0') * place;
    }
    sum
}
