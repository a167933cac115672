//! Times of records as numbers.

/// Nanoseconds since 1970 of an RFC 3339 time.
pub(crate) fn nanoseconds(time: &str) -> Option<u64> {
    let at: jiff::Timestamp = time.parse().ok()?;
    u64::try_from(at.as_nanosecond()).ok()
}

/// Seconds since 1970, with fractions to the microsecond.
#[allow(clippy::cast_precision_loss, reason = "microseconds of this century fit a double")]
pub(crate) fn seconds(time: &str) -> Option<f64> {
    Some((nanoseconds(time)? / 1000) as f64 / 1e6)
}
