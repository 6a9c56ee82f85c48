//! The one place where the clock is read; everywhere else time is an argument.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970-01-01T00:00:00 UTC.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
