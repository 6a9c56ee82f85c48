//! Arguments of the verbs that keep tables in order.

use clap::{Args, Subcommand};
use sluice_lakehouse::{BranchName, PartitionFilter};

use super::Format;
use crate::age::Age;
use crate::size::Size;

pub(crate) const EXPIRE_HELP: &str = "\
Example: see what a week's retention would free, then do it.
  sluice expire --older-than 7d --keep-last 10 --dry-run
  sluice expire --older-than 7d --keep-last 10";

#[derive(Debug, Args)]
pub(crate) struct ExpireArgs {
    /// Tables as `layer.name`; all where absent.
    pub(crate) tables: Vec<String>,
    /// Snapshots older than this go: `12h`, `7d`, `2w`.
    #[arg(long, value_name = "AGE", default_value = "7d")]
    pub(crate) older_than: Age,
    /// So many of each branch's newest snapshots stay, however old.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) keep_last: usize,
    /// Only say what would be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

pub(crate) const ORPHANS_HELP: &str = "\
Example: look first, then clean up.
  sluice orphans
  sluice orphans --older-than 7d --delete";

#[derive(Debug, Args)]
pub(crate) struct OrphansArgs {
    /// Tables as `layer.name`; all, and unfinished files beside them, where absent.
    pub(crate) tables: Vec<String>,
    /// Younger files are left alone: `36h`, `3d`. At least a day.
    #[arg(long, value_name = "AGE", default_value = "3d")]
    pub(crate) older_than: Age,
    /// Delete what is found.
    #[arg(long)]
    pub(crate) delete: bool,
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

pub(crate) const TAG_HELP: &str = "\
Example: before a risky change, keep what is there and compare with it later.
  sluice tag create silver.field_pixels before-recalibration
  sluice sql --as-of before-recalibration \"SELECT avg(b001) FROM field_pixels\"";

pub(crate) const BRANCH_HELP: &str = "\
Example: look at a delivery before anybody else sees it.
  sluice land --branch may-delivery FOLDER
  sluice sql --branch may-delivery \"SELECT site, count(*) FROM field_pixels GROUP BY site\"
  sluice branch publish may-delivery      (or: sluice branch drop may-delivery)";

#[derive(Debug, Subcommand)]
pub(crate) enum TagAction {
    /// Name the newest snapshot of a table, or an older one. Naming it again changes nothing.
    Create {
        /// `layer.name`
        table: String,
        /// Begins with a letter: letters, digits, `_`, `-`, `.`
        name: String,
        /// The snapshot to name: its id, or a time at which it was the newest.
        #[arg(long, value_name = "SNAPSHOT|TIME")]
        at: Option<String>,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Forget a name; what it alone kept goes at the next `sluice expire`.
    Drop {
        /// `layer.name`
        table: String,
        /// The tag.
        name: String,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum BranchAction {
    /// Fork a branch from what readers see now. `land --branch` does so by itself, for the tables that it lands in.
    Create {
        /// The branch.
        name: BranchName,
        /// Tables as `layer.name`; all where absent.
        tables: Vec<String>,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// List the branches with their tables.
    List {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Forget a branch with everything that it alone has. Its payloads may land again.
    Drop {
        /// The branch.
        name: BranchName,
        /// Only say what would be lost.
        #[arg(long)]
        dry_run: bool,
        /// Keep its payloads out: arrivals of them stay duplicates.
        #[arg(long)]
        discard: bool,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show readers what a branch has. Refused where its payloads changed on main since it was forked; what was
    /// interrupted goes on where it stopped.
    Publish {
        /// The branch.
        name: BranchName,
        /// Only say what would be done, or why it cannot be.
        #[arg(long)]
        dry_run: bool,
        /// Leave gold as it is.
        #[arg(long)]
        skip_gold: bool,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

pub(crate) const COMPACT_HELP: &str = "\
Example: make one file of a day's small ones.
  sluice compact silver.field_pixels --where acquired_at_day=2026-05-01 --dry-run
  sluice compact silver.field_pixels --target-size 256MiB

References made by `sluice export --refs` name files: make them again afterwards.";

#[derive(Debug, Args)]
pub(crate) struct CompactArgs {
    /// Tables as `layer.name`.
    #[arg(required = true)]
    pub(crate) tables: Vec<String>,
    /// Bytes of a file at most: `64MiB`, `1GiB`. Files of three quarters of it are left alone.
    #[arg(long, value_name = "SIZE", default_value = "128MiB")]
    pub(crate) target_size: Size,
    /// Fewer files of a partition are not worth it.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) min_files: usize,
    /// Only partitions with this value, as `site=north`; several must all hold. `sluice describe` shows the fields.
    #[arg(long = "where", value_name = "FIELD=VALUE")]
    pub(crate) only: Vec<PartitionFilter>,
    /// Only say what would be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

pub(crate) const REWRITE_MANIFESTS_HELP: &str = "\
Example: after months of small landings, so that queries of one day plan quickly.
  sluice rewrite-manifests silver.field_pixels";

#[derive(Debug, Args)]
pub(crate) struct RewriteManifestsArgs {
    /// Tables as `layer.name`.
    #[arg(required = true)]
    pub(crate) tables: Vec<String>,
    /// Only say what would be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

pub(crate) const SCHEMA_HELP: &str = "\
Example: whole numbers of a sensor that will soon outgrow 32 bits.
  sluice schema widen silver.field_pixels count long

Example: a column under the name that analysts know it by. Plugins go on under the old one, and so do models.
  sluice schema rename silver.field_pixels b028 red

No file is rewritten. Snapshots of the past are asked for by the names of their time (`--as-of`, `\"t@v\"`).";

#[derive(Debug, Subcommand)]
pub(crate) enum SchemaAction {
    /// Give a column a type that holds more: int to long, float to double, a decimal to more digits.
    Widen {
        #[command(flatten)]
        target: SchemaTarget,
        /// `long`, `double`, `decimal(20,2)`
        to: String,
    },
    /// Let rows come that do not have the column.
    MakeOptional {
        #[command(flatten)]
        target: SchemaTarget,
    },
    /// Give a silver column another name.
    ///
    /// What lands later under the old name lands in the column. The old name stays the column's own: no other one may
    /// have it.
    Rename {
        #[command(flatten)]
        target: SchemaTarget,
        /// `[a-z][a-z0-9_]*`
        to: String,
    },
    /// Take a column out of a silver table.
    ///
    /// Snapshots of before still have it, until they expire; compaction leaves it behind. What lands later with the
    /// column lands without it, and its name is never used again.
    Drop {
        #[command(flatten)]
        target: SchemaTarget,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SchemaTarget {
    /// `layer.name`
    pub(crate) table: String,
    /// The column.
    pub(crate) column: String,
    /// Only say whether it could be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}
