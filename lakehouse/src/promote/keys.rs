//! Which rows of a model's table must be computed again.

use std::collections::BTreeSet;

use super::model::{Key, Model};
use super::payloads::{PayloadRow, difference};

/// What rows are recomputed and replaced by: a value of each of the key's columns, with days as days since 1970.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum KeyValue {
    /// An id.
    Text(String),
    /// A site and a day of acquisition, where they are known.
    Partition(Option<String>, Option<i32>),
}

impl KeyValue {
    /// What a payload means to a model: its key, where it has one.
    pub(super) fn of(model: &Model, row: &PayloadRow) -> Option<Self> {
        match model.key {
            Key::PayloadId => Some(Self::Text(row.payload_id.clone())),
            Key::CaptureId => row.capture_id.clone().map(Self::Text),
            Key::Partition => Some(Self::Partition(row.site.clone(), row.acquired_day())),
        }
    }
}

/// Keys to compute, and the payloads that they consist of now.
#[derive(Debug, Default)]
pub(super) struct Changed<'a> {
    pub(super) keys: BTreeSet<KeyValue>,
    /// In the order of keys, then ids; each with its key.
    payloads: Vec<(KeyValue, &'a PayloadRow)>,
}

/// The keys of payloads that came or went since the watermark; all of them without one.
pub(super) fn since(model: &Model, before: Option<&[PayloadRow]>, now: &[PayloadRow]) -> BTreeSet<KeyValue> {
    let changed = difference(before.unwrap_or_default(), now);
    changed.into_iter().filter_map(|row| KeyValue::of(model, row)).collect()
}

/// The ids of payloads that came or went since the watermark.
pub(super) fn payloads_since(before: &[PayloadRow], now: &[PayloadRow]) -> BTreeSet<String> {
    difference(before, now).into_iter().map(|row| row.payload_id.clone()).collect()
}

impl<'a> Changed<'a> {
    /// Completes keys by the payloads that they consist of; one row per payload.
    pub(super) fn of(model: &Model, keys: BTreeSet<KeyValue>, now: &'a [PayloadRow]) -> Self {
        let keyed = now.iter().filter_map(|row| Some((KeyValue::of(model, row)?, row)));
        let mut payloads: Vec<_> = keyed.filter(|(key, _)| keys.contains(key)).collect();
        payloads.sort_by(|(a, one), (b, other)| {
            (a, &one.payload_id, &one.stage).cmp(&(b, &other.payload_id, &other.stage))
        });
        payloads.dedup_by(|(_, one), (_, other)| one.payload_id == other.payload_id);
        Self { keys, payloads }
    }

    /// The payloads in parts of at most `count`, so that the rows of one part at a time are in memory. A key is never
    /// cut in two, so one with more payloads is a part of its own.
    pub(super) fn parts(&self, count: usize) -> Vec<Vec<&'a PayloadRow>> {
        let mut parts: Vec<Vec<&PayloadRow>> = Vec::new();
        for rows in self.payloads.chunk_by(|(a, _), (b, _)| a == b) {
            let rows = rows.iter().map(|(_, row)| *row);
            match parts.last_mut() {
                Some(part) if part.len() + rows.len() <= count => part.extend(rows),
                _ => parts.push(rows.collect()),
            }
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promote::model::named;

    fn rank(payload_id: &str, capture_id: Option<&str>) -> PayloadRow {
        PayloadRow { payload_id: payload_id.into(), capture_id: capture_id.map(str::to_owned), ..PayloadRow::default() }
    }

    fn text(text: &str) -> KeyValue {
        KeyValue::Text(text.to_owned())
    }

    #[test]
    fn a_changed_payload_changes_its_whole_capture() {
        let model = named("collective");
        let before = [rank("p", Some("one")), rank("q", Some("two"))];
        let now = [rank("q", Some("two")), rank("s", Some("two")), rank("r", Some("three")), rank("t", None)];
        let keys = since(&model, Some(&before), &now);
        assert_eq!(keys.iter().cloned().collect::<Vec<_>>(), [text("one"), text("three"), text("two")]);
        let changed = Changed::of(&model, keys, &now);
        let ids: Vec<_> = changed.parts(9).concat().iter().map(|row| row.payload_id.clone()).collect();
        assert_eq!(ids, ["r", "q", "s"], "the capture of `p` has no payload left, and is replaced by nothing");
    }

    #[test]
    fn without_a_watermark_every_key_has_changed() {
        let model = named("kernel_stats");
        let now = [rank("p", None), rank("q", Some("two"))];
        assert_eq!(since(&model, None, &now).len(), 2);
        assert!(since(&model, Some(&now), &now).is_empty());
    }

    #[test]
    fn a_payload_that_moves_to_another_day_changes_both_partitions() {
        let model = named("coverage");
        let on = |day: i64, revision| PayloadRow {
            payload_id: "p".into(),
            site: Some("north".into()),
            revision,
            acquired_at_micros: Some(day * 86_400_000_000 + 5),
            ..PayloadRow::default()
        };
        let keys = since(&model, Some(&[on(3, 0)]), &[on(4, 1)]);
        let partition = |day| KeyValue::Partition(Some("north".to_owned()), Some(day));
        assert_eq!(keys.into_iter().collect::<Vec<_>>(), [partition(3), partition(4)]);
        assert_eq!(on(-1, 0).acquired_day(), Some(-1), "days before 1970 begin at midnight too");
    }

    #[test]
    fn a_capture_is_never_cut_in_two() {
        let model = named("collective");
        let capture =
            |name: &'static str, count: usize| (0..count).map(move |n| rank(&format!("{name}{n}"), Some(name)));
        let rows: Vec<_> = capture("a", 400).chain(capture("b", 400)).chain(capture("c", 600)).collect();
        let changed = Changed::of(&model, since(&model, None, &rows), &rows);
        assert_eq!(changed.parts(512).iter().map(Vec::len).collect::<Vec<_>>(), [400, 400, 600]);
        assert_eq!(changed.parts(1000).iter().map(Vec::len).collect::<Vec<_>>(), [800, 600]);
    }
}
