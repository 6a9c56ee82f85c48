//! Ages on the command line: `30m`, `12h`, `7d`, `2w`.

use std::str::FromStr;
use std::time::Duration;

use sluice_durable::clock;

/// How long ago, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Age(i64);

impl Age {
    /// As a length of time.
    pub(crate) fn duration(self) -> Duration {
        Duration::from_micros(self.0.unsigned_abs())
    }

    /// In microseconds.
    pub(crate) fn micros(self) -> i64 {
        self.0
    }

    /// The time that lies so far back, in microseconds since 1970.
    pub(crate) fn before_now(self) -> i64 {
        clock::now_micros().saturating_sub(self.0)
    }
}

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("expected an age such as `30m`, `12h`, `7d` or `2w`, found `{text}`");
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let seconds: i64 = match &text[digits.len()..] {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            "w" => 604_800,
            _ => return Err(expected()),
        };
        let number: u32 = digits.parse().map_err(|_| expected())?;
        i64::from(number).checked_mul(seconds * 1_000_000).map(Self).ok_or_else(expected)
    }
}

#[cfg(test)]
mod tests {
    use super::Age;

    #[test]
    fn ages_have_units() {
        assert_eq!("7d".parse(), Ok(Age(7 * 86_400 * 1_000_000)));
        assert_eq!("0s".parse(), Ok(Age(0)));
        for bad in ["7", "d", "-1d", "1y", "1 d", ""] {
            assert!(bad.parse::<Age>().is_err(), "{bad}");
        }
    }
}
