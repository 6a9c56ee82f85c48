//! Object keys, built and parsed only here (DESIGN "the way of one payload", step 5).

use crate::{Digest, PayloadId, Stage};

/// A UTC day as in keys: `2026-11-22` in announcements, `2026/11/22` below `landing/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    /// Gregorian year.
    pub year: i32,
    /// 1-12.
    pub month: u32,
    /// 1-31.
    pub day: u32,
}

impl Day {
    /// The day of a time in microseconds since 1970 (civil-from-days, H. Hinnant, "chrono-compatible low-level date
    /// algorithms").
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "bounded by the algorithm: day < 32, month < 13")]
    pub fn of_micros(micros: i64) -> Self {
        let z = micros.div_euclid(86_400_000_000) + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
        let month = if mp < 10 { mp + 3 } else { mp - 9 } as u32;
        let year = (yoe + era * 400 + i64::from(month <= 2)) as i32;
        Self { year, month, day }
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// Where a node's files go: fixed in the spool before the first try.
#[derive(Clone, Debug)]
pub struct LandingPrefix {
    /// `local` on a laptop, else the store's region.
    pub region: String,
    /// Where the payload was born.
    pub site: String,
    /// On which host.
    pub node: String,
    /// Acquisition day, or the day of sealing where it is unknown.
    pub day: Day,
}

/// Text made fit for one segment of a key: anything but `[A-Za-z0-9._-]` becomes `_`.
#[must_use]
pub fn path_segment(text: &str) -> String {
    let cleaned: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
    if cleaned.is_empty() || cleaned.chars().all(|c| c == '.') { "_".to_owned() } else { cleaned }
}

/// `landing/<region>/<site>/<node>/<yyyy>/<mm>/<dd>/<payload_id>/<stage>/<blake3>.parquet`
#[must_use]
pub fn landing_key(prefix: &LandingPrefix, payload_id: PayloadId, stage: Stage, blake3: Digest) -> String {
    let LandingPrefix { region, site, node, day } = prefix;
    format!(
        "landing/{}/{}/{}/{:04}/{:02}/{:02}/{payload_id}/{}/{blake3}.parquet",
        path_segment(region),
        path_segment(site),
        path_segment(node),
        day.year,
        day.month,
        day.day,
        stage.as_str()
    )
}

/// `announce/<upload day>/<region>/<site>/<node>/<payload_id>.<stage>.<n>.json`
#[must_use]
pub fn announcement_key(
    prefix: &LandingPrefix,
    upload_day: Day,
    payload_id: PayloadId,
    stage: Stage,
    revision: u32,
) -> String {
    format!(
        "announce/{upload_day}/{}/{}/{}/{payload_id}.{}.{revision}.json",
        path_segment(&prefix.region),
        path_segment(&prefix.site),
        path_segment(&prefix.node),
        stage.as_str()
    )
}

/// Payload, stage and revision of an announcement key; none for any other key.
#[must_use]
pub fn parse_announcement_key(key: &str) -> Option<(PayloadId, Stage, u32)> {
    let segments: Vec<&str> = key.strip_prefix("announce/")?.split('/').collect();
    let [_day, _region, _site, _node, file] = segments[..] else { return None };
    if segments.iter().any(|segment| path_segment(segment) != *segment) {
        return None;
    }
    let file = file.strip_suffix(".json")?;
    let mut fields = file.split('.');
    let payload_id = fields.next()?.parse().ok()?;
    let stage = Stage::parse(fields.next()?)?;
    let revision = fields.next()?.parse().ok()?;
    fields.next().is_none().then_some((payload_id, stage, revision))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcement_keys_round_trip() {
        let payload_id = PayloadId::of_parts([]);
        let prefix = LandingPrefix {
            region: "local".into(),
            site: "north field".into(),
            node: "n1".into(),
            day: Day::of_micros(0),
        };
        let key = announcement_key(&prefix, Day::of_micros(1_700_000_000_000_000), payload_id, Stage::Full, 3);
        assert!(key.starts_with("announce/2023-11-14/local/north_field/n1/"), "{key}");
        assert_eq!(parse_announcement_key(&key), Some((payload_id, Stage::Full, 3)));
        assert_eq!(parse_announcement_key("announce/x/y.json"), None);
        let file = format!("{payload_id}.full.0.json");
        for folder in ["announce", "announce/d/r/s", "announce/d/r/s/n/m", "announce/d/r/../n", "announce/d/r//n"] {
            assert_eq!(parse_announcement_key(&format!("{folder}/{file}")), None, "{folder}");
        }
    }

    #[test]
    fn days_before_and_after_1970() {
        assert_eq!(Day::of_micros(-1).to_string(), "1969-12-31");
        assert_eq!(Day::of_micros(951_782_400_000_000).to_string(), "2000-02-29");
    }
}
