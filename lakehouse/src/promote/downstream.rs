//! Which computed rows name some payloads: what follows when they go.

use std::collections::BTreeSet;

use sluice_api::{Layer, TableName};

use super::rows::Rows;
use super::template::literals;
use crate::{Error, Lake};

/// Texts of one list in a query.
const IDS_PER_QUERY: usize = 512;

/// A computed table with rows that name payloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Downstream {
    /// The table.
    pub table: TableName,
    /// How many of its rows do; a row that several payloads make counts for each list of them.
    pub rows: u64,
}

/// The gold tables that hold rows computed from one of these payloads.
pub async fn downstream(lake: &Lake, payload_ids: &BTreeSet<String>) -> Result<Vec<Downstream>, Error> {
    let mut found = Vec::new();
    let context = lake.sql_context(None).await?;
    for table in lake.tables().await?.into_iter().filter(|table| table.layer == Layer::Gold) {
        let Some(loaded) = lake.table(&table).await? else { continue };
        let schema = loaded.metadata().current_schema();
        let has = |column: &str| schema.field_by_name(column).is_some();
        let mut rows = 0;
        for ids in payload_ids.iter().collect::<Vec<_>>().chunks(IDS_PER_QUERY) {
            let ids = literals(ids.iter().map(|id| id.as_str()));
            let condition = if has("payload_id") {
                format!("payload_id IN ({ids})")
            } else if has("payload_ids") {
                format!("array_has_any(payload_ids, make_array({ids}))")
            } else {
                continue;
            };
            let query = format!("SELECT count(*) AS n FROM {table} WHERE {condition}");
            for batch in context.sql(&query).await?.collect().await? {
                rows += Rows(&batch).long("n")?.iter().flatten().filter_map(|n| u64::try_from(n).ok()).sum::<u64>();
            }
        }
        if rows > 0 {
            found.push(Downstream { table, rows });
        }
    }
    Ok(found)
}
