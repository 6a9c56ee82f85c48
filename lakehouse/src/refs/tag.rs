use iceberg::spec::{MAIN_BRANCH, SnapshotReference, SnapshotRetention};
use sluice_api::TableName;

use super::{check_name, remove_ref, set_ref};
use crate::{AsOf, Error, Lake};

impl Lake {
    /// Names a snapshot of a table, so that it is kept and can be asked for by its name: the newest one, or the one at
    /// `at`. Naming the same snapshot again changes nothing; a name that stands elsewhere is not moved.
    pub async fn tag(&self, table: &TableName, name: &str, at: Option<&AsOf>) -> Result<i64, Error> {
        check_name(name)?;
        let (_, metadata) = self.existing(table).await?;
        let snapshot = match at {
            Some(at) => self.snapshot_at(&metadata, at).await?,
            None => self.head_snapshot(&metadata).cloned(),
        };
        let Some(snapshot) = snapshot else {
            return Err(Error::Invalid(format!("expected a snapshot of `{table}` to tag, found none at that time")));
        };
        let snapshot_id = snapshot.snapshot_id();
        let reference = SnapshotReference::new(snapshot_id, SnapshotRetention::Tag { max_ref_age_ms: None });
        self.change_refs(table, |metadata| match metadata.snapshot_for_ref(name) {
            Some(found) if found.snapshot_id() == snapshot_id => Ok(None),
            Some(found) => Err(Error::Invalid(format!(
                "expected no ref `{name}` of `{table}` at another snapshot, found it at {}: drop it first",
                found.snapshot_id()
            ))),
            None => Ok(Some(set_ref(metadata, name, reference.clone()))),
        })
        .await?;
        Ok(snapshot_id)
    }

    /// Removes a tag or a branch of one table; whether there was one. What it alone kept goes at the next expiry.
    pub async fn drop_ref(&self, table: &TableName, name: &str) -> Result<bool, Error> {
        if name == MAIN_BRANCH {
            return Err(Error::Invalid("expected a ref that may be dropped, found `main`".to_owned()));
        }
        let dropped = |metadata: &_| Ok(Self::dropping(metadata, name));
        self.change_refs(table, dropped).await
    }

    fn dropping(metadata: &iceberg::spec::TableMetadata, name: &str) -> Option<crate::commit::Commit> {
        metadata.snapshot_for_ref(name).map(|_| remove_ref(metadata, name))
    }
}
