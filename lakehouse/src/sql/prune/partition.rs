//! What partition values say about the column that they were computed from.

use arrow::datatypes::{DataType, TimeUnit};
use chrono::{Datelike, NaiveDate};
use datafusion::common::ScalarValue;
use iceberg::spec::{PrimitiveLiteral, Transform};

use crate::values::scalar;

const HOUR_MICROS: i64 = 3_600_000_000;
const DAY_MICROS: i64 = 24 * HOUR_MICROS;

/// No value of the source column is less, where its transform is `partition` or greater.
pub(super) fn least(transform: Transform, partition: &PrimitiveLiteral, source: &DataType) -> Option<ScalarValue> {
    match transform {
        Transform::Identity | Transform::Truncate(_) => scalar(partition, source),
        period => {
            let partition = whole(partition)?;
            // Old writers round times before 1970 towards it: one too high.
            instant(start(period, if partition <= 0 { partition.checked_sub(1)? } else { partition })?, source)
        }
    }
}

/// No value of the source column is greater, where its transform is `partition` or less.
pub(super) fn greatest(transform: Transform, partition: &PrimitiveLiteral, source: &DataType) -> Option<ScalarValue> {
    match transform {
        Transform::Identity => scalar(partition, source),
        Transform::Truncate(width) => {
            let last = whole(partition)?.checked_add(i64::from(width) - 1)?;
            match source {
                DataType::Int32 => Some(ScalarValue::Int32(Some(i32::try_from(last).unwrap_or(i32::MAX)))),
                DataType::Int64 => Some(ScalarValue::Int64(Some(last))),
                // The greatest text with this beginning has no end.
                _ => None,
            }
        }
        period => {
            let next = whole(partition)?.checked_add(1)?;
            let last = match source {
                DataType::Date32 => start(period, next)?.checked_sub(DAY_MICROS)?,
                _ => start(period, next)?.checked_sub(1)?,
            };
            instant(last, source)
        }
    }
}

fn whole(literal: &PrimitiveLiteral) -> Option<i64> {
    match literal {
        PrimitiveLiteral::Int(value) => Some(i64::from(*value)),
        PrimitiveLiteral::Long(value) => Some(*value),
        _ => None,
    }
}

/// Where a year, month, day or hour, counted since 1970, begins: in microseconds.
fn start(period: Transform, count: i64) -> Option<i64> {
    match period {
        Transform::Year => months_start(count.checked_mul(12)?),
        Transform::Month => months_start(count),
        Transform::Day => count.checked_mul(DAY_MICROS),
        Transform::Hour => count.checked_mul(HOUR_MICROS),
        _ => None,
    }
}

fn months_start(months: i64) -> Option<i64> {
    let year = i32::try_from(1970 + months.div_euclid(12)).ok()?;
    let month = u32::try_from(months.rem_euclid(12)).ok()? + 1;
    let first = NaiveDate::from_ymd_opt(year, month, 1)?;
    let epoch = NaiveDate::default();
    i64::from(first.num_days_from_ce() - epoch.num_days_from_ce()).checked_mul(DAY_MICROS)
}

fn instant(micros: i64, source: &DataType) -> Option<ScalarValue> {
    match source {
        DataType::Date32 => {
            i32::try_from(micros.div_euclid(DAY_MICROS)).ok().map(|days| ScalarValue::Date32(Some(days)))
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            Some(ScalarValue::TimestampMicrosecond(Some(micros), zone.clone()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_become_ranges() {
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        let day = PrimitiveLiteral::Int(1);
        let time = |micros| Some(ScalarValue::TimestampMicrosecond(Some(micros), None));
        assert_eq!(least(Transform::Day, &day, &micros), time(DAY_MICROS));
        assert_eq!(greatest(Transform::Day, &day, &micros), time(2 * DAY_MICROS - 1));
        assert_eq!(least(Transform::Month, &PrimitiveLiteral::Int(1), &DataType::Date32), date(31));
        assert_eq!(greatest(Transform::Month, &PrimitiveLiteral::Int(1), &DataType::Date32), date(58));
        assert_eq!(greatest(Transform::Year, &PrimitiveLiteral::Int(-1), &DataType::Date32), date(-1));
        assert_eq!(greatest(Transform::Hour, &PrimitiveLiteral::Int(0), &micros), time(HOUR_MICROS - 1));
    }

    /// Iceberg's Java library up to 0.10.0 cut the fraction of such a time off instead of rounding it down, so that ten
    /// o'clock on the last day of 1969 is in partition 0 of its files, and in -1 of all others.
    #[test]
    fn times_before_1970_may_be_in_the_partition_after_their_own() {
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        for (transform, length) in [(Transform::Day, DAY_MICROS), (Transform::Hour, HOUR_MICROS)] {
            for time in [-1, -length / 2, -length, -length - 1, -5 * length / 2, 0, 1, length] {
                let (right, old) = (time.div_euclid(length), time / length);
                for partition in [right, old].map(PrimitiveLiteral::Long) {
                    let held = |bound: Option<ScalarValue>| match bound {
                        Some(ScalarValue::TimestampMicrosecond(Some(bound), None)) => bound,
                        other => panic!("{other:?}"),
                    };
                    let (from, to) = (least(transform, &partition, &micros), greatest(transform, &partition, &micros));
                    assert!((held(from)..=held(to)).contains(&time), "{transform} of {time} as {partition:?}");
                }
            }
        }
        assert_eq!(least(Transform::Year, &PrimitiveLiteral::Int(0), &DataType::Date32), date(-365));
        assert_eq!(least(Transform::Month, &PrimitiveLiteral::Int(1), &DataType::Date32), date(31));
    }

    #[test]
    fn truncated_values_bound_from_below_and_numbers_from_above() {
        let ten = PrimitiveLiteral::Int(10);
        assert_eq!(greatest(Transform::Truncate(10), &ten, &DataType::Int32), Some(ScalarValue::Int32(Some(19))));
        let text = PrimitiveLiteral::String("ab".to_owned());
        assert_eq!(least(Transform::Truncate(2), &text, &DataType::Utf8), Some(ScalarValue::from("ab")));
        assert_eq!(greatest(Transform::Truncate(2), &text, &DataType::Utf8), None);
        assert_eq!(least(Transform::Bucket(4), &ten, &DataType::Int32), None);
    }

    fn date(days: i32) -> Option<ScalarValue> {
        Some(ScalarValue::Date32(Some(days)))
    }
}
