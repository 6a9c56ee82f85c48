use sluice_api::TableName;

use crate::append::back_off;
use crate::commit::{Outcome, SnapshotProducer};
use crate::{Error, Lake};

const ATTEMPTS_MAX: u32 = 20;

/// What rewriting manifests did, or would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManifestsRewritten {
    /// Manifests before.
    pub before: usize,
    /// Manifests after.
    pub after: usize,
    /// Live data files that they list.
    pub files: usize,
    /// The new snapshot; none where nothing was committed.
    pub snapshot_id: Option<i64>,
}

impl Lake {
    /// Clusters a table's manifests by partition, in one `replace` snapshot; none where there is nothing to gain. No row
    /// changes.
    pub async fn rewrite_manifests(
        &self,
        table: &TableName,
        dry_run: bool,
    ) -> Result<Option<ManifestsRewritten>, Error> {
        for attempt in 1..=ATTEMPTS_MAX {
            let (location, metadata) = self.existing(table).await?;
            let mut producer = SnapshotProducer::new(self, table, &metadata)?;
            let Some(rewritten) = producer.rewrite_manifests().await? else { return Ok(None) };
            let (before, after) = rewritten.manifests;
            let mut report = ManifestsRewritten { before, after, files: rewritten.files, snapshot_id: None };
            if dry_run {
                producer.discard().await;
                return Ok(Some(report));
            }
            match self.commit(table, &location, &metadata, rewritten.commit).await? {
                Outcome::Committed => {
                    report.snapshot_id = Some(producer.snapshot_id());
                    return Ok(Some(report));
                }
                Outcome::Conflict => producer.discard().await,
            }
            back_off(attempt).await;
        }
        Err(Error::Contended { table: table.clone(), attempts: ATTEMPTS_MAX })
    }
}
