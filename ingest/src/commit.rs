//! The commits of a batch: table by table what its result says, `bronze.payloads` last.

use std::collections::BTreeMap;

use sluice_api::PayloadManifest;

use crate::claim::Member;
use crate::pipeline::{Event, Ingest};
use crate::result::{BatchResult, TableResult};
use crate::{Error, payloads};

impl Ingest {
    /// First landings are appended. Where rows of before go, each table loses and gains its rows in one snapshot.
    pub(crate) async fn commit(
        &self,
        result: &BatchResult,
        visible: &[(Member, PayloadManifest)],
        on_event: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<(), Error> {
        let BatchResult { batch_id, replaced, .. } = result;
        let none = BTreeMap::new();
        for TableResult { table, head, files } in &result.tables {
            let failed = || Error::lake(format!("commit `{table}`"));
            if replaced.is_empty() {
                self.lake.append(table, *batch_id, *head, files, &none).await.map_err(failed())?;
            } else {
                let done = self.lake.replace_payloads(table, *batch_id, *head, replaced, files, &none).await;
                done.map_err(failed())?;
            }
            on_event(Event::Committed(table));
        }
        let (table, head) = (payloads::table(), result.payloads_head);
        let failed = || Error::lake("commit `bronze.payloads`");
        if replaced.is_empty() {
            if visible.is_empty() {
                return Ok(());
            }
            let rows = payloads::rows(*batch_id, visible)?;
            self.lake.append_rows(&table, *batch_id, head, rows, &none).await.map_err(failed())?;
        } else {
            let rows = payloads::rows(*batch_id, visible)?;
            self.lake.replace_payload_rows(&table, *batch_id, head, replaced, &rows).await.map_err(failed())?;
        }
        on_event(Event::Committed(&table));
        Ok(())
    }
}
