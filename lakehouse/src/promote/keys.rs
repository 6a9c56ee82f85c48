//! Which rows of a model's table must be computed again.

use std::collections::BTreeSet;

use super::model::{Key, Model};
use super::payloads::{PayloadRow, difference};

/// Keys to compute, and the payloads that they consist of now.
#[derive(Debug, Default)]
pub(super) struct Changed<'a> {
    pub(super) keys: BTreeSet<String>,
    pub(super) payloads: Vec<&'a PayloadRow>,
}

/// What a payload means to a model: its key, where it has one.
pub(super) fn key_of<'a>(model: &Model, row: &'a PayloadRow) -> Option<&'a str> {
    match model.key {
        Key::PayloadId => Some(&row.payload_id),
        Key::CaptureId => row.capture_id.as_deref(),
    }
}

/// The keys of payloads that came or went since the watermark; all of them without one.
pub(super) fn since(model: &Model, before: Option<&[PayloadRow]>, now: &[PayloadRow]) -> BTreeSet<String> {
    let changed = difference(before.unwrap_or_default(), now);
    changed.into_iter().filter_map(|row| key_of(model, row)).map(str::to_owned).collect()
}

/// The ids of payloads that came or went since the watermark.
pub(super) fn payloads_since(before: &[PayloadRow], now: &[PayloadRow]) -> BTreeSet<String> {
    difference(before, now).into_iter().map(|row| row.payload_id.clone()).collect()
}

impl<'a> Changed<'a> {
    /// Completes keys by the payloads that they consist of; one row per payload, in the order of ids.
    pub(super) fn of(model: &Model, keys: BTreeSet<String>, now: &'a [PayloadRow]) -> Self {
        let mut payloads: Vec<_> =
            now.iter().filter(|row| key_of(model, row).is_some_and(|key| keys.contains(key))).collect();
        payloads.sort_by_key(|row| (&row.payload_id, &row.stage));
        payloads.dedup_by_key(|row| &row.payload_id);
        Self { keys, payloads }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promote::model::embedded;

    fn rank(payload_id: &str, capture_id: Option<&str>) -> PayloadRow {
        PayloadRow { payload_id: payload_id.into(), capture_id: capture_id.map(str::to_owned), ..PayloadRow::default() }
    }

    #[test]
    fn a_changed_payload_changes_its_whole_capture() {
        let model = embedded().unwrap().remove(2);
        let before = [rank("p", Some("one")), rank("q", Some("two"))];
        let now = [rank("q", Some("two")), rank("s", Some("two")), rank("r", Some("three")), rank("t", None)];
        let keys = since(&model, Some(&before), &now);
        assert_eq!(keys.iter().collect::<Vec<_>>(), ["one", "three", "two"]);
        let changed = Changed::of(&model, keys, &now);
        let ids: Vec<_> = changed.payloads.iter().map(|row| row.payload_id.as_str()).collect();
        assert_eq!(ids, ["q", "r", "s"], "the capture of `p` has no payload left, and is replaced by nothing");
    }

    #[test]
    fn without_a_watermark_every_key_has_changed() {
        let model = embedded().unwrap().remove(1);
        let now = [rank("p", None), rank("q", Some("two"))];
        assert_eq!(since(&model, None, &now).len(), 2);
        assert!(since(&model, Some(&now), &now).is_empty());
    }
}
