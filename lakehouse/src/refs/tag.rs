use std::collections::BTreeMap;

use iceberg::spec::{MAIN_BRANCH, SnapshotReference, SnapshotRetention, TableMetadata};
use iceberg::{TableRequirement, TableUpdate};
use sluice_api::TableName;

use super::{check_name, ref_is_unmoved, remove_ref, set_ref};
use crate::commit::Commit;
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

    /// Moves tags of a table, or makes them, in one commit. Snapshots that are gone and tags that stand right are left
    /// alone. Where the catalog has no tags, nothing of the past is there to be kept.
    pub(crate) async fn move_tags(&self, table: &TableName, tags: &BTreeMap<String, i64>) -> Result<(), Error> {
        if !self.catalog().keeps_refs().await? {
            return Ok(());
        }
        let moves = |metadata: &TableMetadata| {
            let stands = |name: &str, id: i64| metadata.snapshot_for_ref(name).is_some_and(|s| s.snapshot_id() == id);
            let wrong = tags.iter().filter(|(name, id)| !stands(name, **id) && metadata.snapshot_by_id(**id).is_some());
            let mut commit = Commit {
                requirements: vec![TableRequirement::UuidMatch { uuid: metadata.uuid() }],
                updates: Vec::new(),
            };
            for (name, snapshot_id) in wrong {
                let retention = SnapshotRetention::Tag { max_ref_age_ms: None };
                let reference = SnapshotReference::new(*snapshot_id, retention);
                commit.requirements.push(ref_is_unmoved(metadata, name));
                commit.updates.push(TableUpdate::SetSnapshotRef { ref_name: name.clone(), reference });
            }
            Ok((!commit.updates.is_empty()).then_some(commit))
        };
        self.change_refs(table, moves).await.map(|_| ())
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
