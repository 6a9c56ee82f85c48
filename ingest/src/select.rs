//! Which landings a person means: by payload, batch, provenance or fact.

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use sluice_api::{ColumnType, PayloadId, Stage};
use sluice_lakehouse::ledger::keys;

use crate::pipeline::Ingest;
use crate::revision::{Landing, claims};
use crate::{Error, payloads};

/// What is asked for; everything that is said must be true of a landing.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Payload ids or the first digits of them, each of exactly one payload; one of these.
    pub payloads: Vec<String>,
    /// The batch that landed it, or its first digits.
    pub batch: Option<String>,
    /// Name of the plugin that flattened it.
    pub plugin: Option<String>,
    /// Digest of the plugin, or its first digits.
    pub plugin_digest: Option<String>,
    /// The calibration set that it was made with, or its first digits.
    pub calibration: Option<String>,
    /// Facts by name: columns of `bronze.payloads`, or keys of its `facts`.
    pub facts: Vec<(String, String)>,
}

/// A landing that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// Which.
    pub landing: Landing,
    /// Where its tables are; none where it was taken out before.
    pub dataset: Option<String>,
}

impl Selection {
    /// Whether nothing is asked for, which would mean everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { payloads, batch, plugin, plugin_digest, calibration, facts } = self;
        let named = [batch, plugin, plugin_digest, calibration].iter().any(|part| part.is_some());
        !named && payloads.is_empty() && facts.is_empty()
    }

    /// Only by payload: what is claimed decides, not what is visible.
    fn is_by_payload(&self) -> bool {
        !self.payloads.is_empty() && Self { payloads: vec![], ..self.clone() }.is_empty()
    }

    fn conditions(&self) -> Result<Vec<String>, Error> {
        let mut conditions = Vec::new();
        if !self.payloads.is_empty() {
            let any: Result<Vec<_>, _> = self.payloads.iter().map(|id| begins("payload_id", id)).collect();
            conditions.push(format!("({})", any?.join(" OR ")));
        }
        let digests =
            [("batch_id", &self.batch), ("plugin_digest", &self.plugin_digest), ("calibration_id", &self.calibration)];
        for (column, digits) in digests {
            conditions.extend(digits.as_ref().map(|digits| begins(column, digits)).transpose()?);
        }
        conditions.extend(self.plugin.as_ref().map(|name| format!("plugin = {}", literal(name))));
        conditions.extend(self.facts.iter().map(|(name, value)| is_fact(name, value)));
        Ok(conditions)
    }
}

impl Ingest {
    /// The landings that a selection means, in the order of their ids. A payload that was named and is not visible is
    /// found by its claims.
    pub async fn select(&self, selection: &Selection) -> Result<Vec<Selected>, Error> {
        let mut selected = self.visible(selection).await?;
        if selection.is_by_payload() {
            for digits in &selection.payloads {
                let matches = |found: &&Selected| found.landing.payload_id.to_string().starts_with(digits);
                if selected.iter().filter(matches).count() == 0 {
                    selected.extend(self.claimed(digits).await?);
                }
            }
        }
        selected.sort_by_key(|found| found.landing);
        selected.dedup_by_key(|found| found.landing);
        for digits in &selection.payloads {
            let mut ids: Vec<_> = selected.iter().map(|found| found.landing.payload_id).collect();
            ids.retain(|id| id.to_string().starts_with(digits));
            ids.dedup();
            if ids.len() > 1 {
                let shown: Vec<_> = ids.iter().take(5).map(ToString::to_string).collect();
                return Err(Error::Selection(format!(
                    "expected one payload whose id begins with `{digits}`, found {}: {}",
                    ids.len(),
                    shown.join(", ")
                )));
            }
        }
        Ok(selected)
    }

    pub(crate) async fn visible(&self, selection: &Selection) -> Result<Vec<Selected>, Error> {
        let table = payloads::table();
        if self.lake.table(&table).await.map_err(Error::lake("look for payloads"))?.is_none() {
            return Ok(Vec::new());
        }
        let mut conditions = selection.conditions()?;
        conditions.push("payload_id IS NOT NULL".to_owned());
        let query = format!(
            "SELECT payload_id, stage, CAST(revision AS VARCHAR) AS revision, dataset FROM {table} WHERE {}",
            conditions.join(" AND ")
        );
        let answer = self.lake.sql(&query, None).await.map_err(Error::lake("select payloads"))?;
        let mut selected = Vec::new();
        for batch in &answer.batches {
            let column = |name: &str| text(batch, name);
            let (ids, stages) = (column("payload_id")?, column("stage")?);
            let (revisions, datasets) = (column("revision")?, column("dataset")?);
            for row in 0..batch.num_rows() {
                let landing = landing(ids.value(row), stages.value(row), revisions.value(row))?;
                selected.push(Selected { landing, dataset: Some(datasets.value(row).to_owned()) });
            }
        }
        Ok(selected)
    }

    /// The newest landings of payloads that are claimed.
    async fn claimed(&self, digits: &str) -> Result<Vec<Selected>, Error> {
        let mut found = Vec::new();
        for key in self.ledger.list(keys::CLAIMS).await.map_err(Error::lake("list claims"))? {
            let Some((payload_id, stage, 0)) = keys::parse_claim(&key) else { continue };
            if payload_id.to_string().starts_with(digits) {
                let newest = claims(&self.ledger, payload_id, stage).await?.pop();
                found.extend(newest.map(|(landing, _)| Selected { landing, dataset: None }));
            }
        }
        Ok(found)
    }
}

fn landing(payload_id: &str, stage: &str, revision: &str) -> Result<Landing, Error> {
    let unreadable = || {
        Error::Selection(format!(
            "expected id, stage and revision in `bronze.payloads`, found `{payload_id}`, `{stage}`, `{revision}`"
        ))
    };
    Ok(Landing {
        payload_id: payload_id.parse::<PayloadId>().map_err(|_| unreadable())?,
        stage: Stage::parse(stage).ok_or_else(unreadable)?,
        revision: revision.parse().map_err(|_| unreadable())?,
    })
}

fn text(batch: &RecordBatch, name: &str) -> Result<StringArray, Error> {
    let column = batch.column_by_name(name).map(|column| cast(column, &DataType::Utf8)).transpose();
    match column.map_err(Error::Rows)? {
        Some(texts) if texts.null_count() == 0 => Ok(texts.as_string::<i32>().clone()),
        _ => Err(Error::Selection(format!("expected a value of `{name}` in every row of `bronze.payloads`"))),
    }
}

/// That a digest begins with these digits.
fn begins(column: &str, digits: &str) -> Result<String, Error> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
        return Err(Error::Selection(format!("expected the first digits of an id, of 0-9 and a-f, found `{digits}`")));
    }
    Ok(format!("{column} LIKE '{digits}%'"))
}

fn is_fact(name: &str, value: &str) -> String {
    let spec = payloads::payloads_spec();
    let column = spec.columns.iter().find(|column| column.name == name && column.column_type != ColumnType::MapUtf8);
    match column {
        Some(column) => format!("CAST({} AS VARCHAR) = {}", column.name, literal(value)),
        None => format!("facts[{}] = {}", literal(name), literal(value)),
    }
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_said_must_be_true() {
        let selection = Selection {
            payloads: vec!["ab".into(), "cd".into()],
            plugin: Some("o'envi".into()),
            facts: vec![("site".into(), "north".into()), ("operator".into(), "x".into())],
            ..Selection::default()
        };
        assert_eq!(
            selection.conditions().unwrap(),
            [
                "(payload_id LIKE 'ab%' OR payload_id LIKE 'cd%')",
                "plugin = 'o''envi'",
                "CAST(site AS VARCHAR) = 'north'",
                "facts['operator'] = 'x'",
            ]
        );
        assert!(!selection.is_empty() && Selection::default().is_empty());
    }

    #[test]
    fn only_digits_make_a_prefix() {
        for wrong in ["", "%", "AB", "x", "1' OR '1'='1"] {
            assert!(begins("payload_id", wrong).is_err(), "{wrong}");
        }
    }
}
