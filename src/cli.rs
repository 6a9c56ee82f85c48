mod catalog;
mod ingest;
mod maintenance;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use sluice_lakehouse::BranchName;

pub(crate) use catalog::{AuthKind, CatalogKind, InitArgs, ServeArgs};
use catalog::{INIT_EXAMPLES, SERVE_EXAMPLES};
use ingest::INGEST_HELP;
pub(crate) use ingest::{BundleArgs, IngestAction, JobArgs, LambdaArgs, RunArgs, StatusArgs, SweepArgs, WorkArgs};
use maintenance::{
    BRANCH_HELP, COMPACT_HELP, EXPIRE_HELP, ORPHANS_HELP, REWRITE_MANIFESTS_HELP, SCHEMA_HELP, TAG_HELP,
};
pub(crate) use maintenance::{
    BranchAction, CompactArgs, ExpireArgs, OrphansArgs, RewriteManifestsArgs, SchemaAction, SchemaTarget, TagAction,
};

use crate::verb::rerun::RerunArgs;
use crate::verb::rollback::RollbackArgs;
use crate::verb::undo::UndoArgs;

/// Heavy payloads (hyperspectral cubes, GPU traces) to queryable Iceberg tables.
///
/// A payload is flattened by a sandboxed plugin, lands exactly once, and is there for SQL. Start with
/// `sluice init my-lake`, then `sluice --lake my-lake land FOLDER`, then `sluice --lake my-lake tables`.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Folder of the lake, or `s3://bucket/prefix`.
    #[arg(long, global = true, env = "SLUICE_LAKE", default_value = "lake", value_name = "DIR|URI")]
    pub(crate) lake: PathBuf,

    /// URL of the S3 server, where it is not that of the AWS settings (AWS_ENDPOINT_URL ...).
    #[arg(long, global = true, env = "SLUICE_ENDPOINT", value_name = "URL")]
    pub(crate) endpoint: Option<String>,

    /// Of a lake in a bucket: folder of this machine for what is being made and is not uploaded yet. One of its own for
    /// each lake below `~/.local/state/sluice` where absent.
    #[arg(long, global = true, env = "SLUICE_WORK", value_name = "DIR")]
    pub(crate) work: Option<PathBuf>,

    /// More lines on stderr: -v what is done, -vv how.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    /// How log lines are written: `json` gives one object on each line, with payload_id and batch_id as fields.
    #[arg(long, global = true, env = "SLUICE_LOG_FORMAT", value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) log_format: LogFormat,

    #[command(subcommand)]
    pub(crate) verb: Verb,
}

const SQL_EXAMPLES: &str = r#"Examples:
  sluice sql "SELECT name, count(*) FROM silver.traces_kernel GROUP BY name"
  sluice sql "SELECT count(*) FROM silver.traces_kernel FOR TIMESTAMP AS OF '2026-05-01'"
  sluice sql 'SELECT file_path, record_count FROM silver."traces_kernel$files"'"#;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make an empty lake. Doing it again changes nothing.
    ///
    /// Its tables lie in the folder or in an object store. Its catalog is a SQLite file in the folder, or a server that
    /// speaks the Iceberg REST protocol.
    #[command(after_help = INIT_EXAMPLES)]
    Init(InitArgs),
    /// Land payloads: files, or folders that are searched for them. Landing something again adds no row.
    ///
    /// ENVI cubes are found by their header (`*.hdr`), traces by `*.json` and `*.json.gz`. Routes in `sluice.toml` of
    /// the lake say more: dataset, plugin configuration, calibration references. Exit code 3 means that something
    /// went to quarantine (`sluice quarantine list` says why) and everything else landed.
    Land(LandArgs),
    /// Flatten payloads to plain Parquet in a folder, without a lake.
    ///
    /// The same plugins and the same columns as `land`: one folder for each table, one manifest for each payload.
    /// Nothing is committed anywhere; run it again and what is there is left alone.
    ///
    /// Example: sluice flatten field.hdr --to parquet
    Flatten(FlattenArgs),
    /// Ask a question in SQL. Tables are `layer.name`; without a layer, silver.
    ///
    /// A table as it was is `"name@VERSION"`, by snapshot id, time, tag or branch; `FOR VERSION AS OF` and
    /// `FOR TIMESTAMP AS OF` mean the same. What its metadata says stands in `"name$snapshots"`, `$history`, `$refs`,
    /// `$manifests`, `$files` and `$partitions`.
    #[command(after_help = SQL_EXAMPLES)]
    Sql(SqlArgs),
    /// List the tables with rows and files.
    Tables {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show a table's columns with types, units and docs, and the band centres of a table of pixels.
    Describe {
        /// `layer.name`
        table: String,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show a table's snapshots.
    History {
        /// `layer.name`
        table: String,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show the tags and branches of a table, or of all tables.
    Refs {
        /// `layer.name`; all tables where absent.
        table: Option<String>,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Name a snapshot of a table, so that it is kept and can be asked for.
    #[command(after_help = TAG_HELP)]
    Tag {
        #[command(subcommand)]
        action: TagAction,
    },
    /// Write, audit, publish: land on a branch that readers do not see, look at it, then publish or drop it.
    #[command(after_help = BRANCH_HELP)]
    Branch {
        #[command(subcommand)]
        action: BranchAction,
    },
    /// Make few large files of many small ones, partition by partition. No row changes; it may run beside landings, and
    /// goes on where it was interrupted.
    #[command(after_help = COMPACT_HELP)]
    Compact(CompactArgs),
    /// Sort a table's lists of files by partition, so that queries plan quickly. No row changes.
    #[command(after_help = REWRITE_MANIFESTS_HELP)]
    RewriteManifests(RewriteManifestsArgs),
    /// Change a column of a table so that every row stays readable.
    #[command(after_help = SCHEMA_HELP)]
    Schema {
        #[command(subcommand)]
        action: SchemaAction,
    },
    /// Drop old snapshots, and delete the files that no snapshot names any more.
    ///
    /// Kept are what a tag or a branch names, what gold was computed from, and what landings that are not finished need.
    /// Queries of a snapshot that is dropped fail from then on.
    #[command(after_help = EXPIRE_HELP)]
    Expire(ExpireArgs),
    /// List files of tables that nothing names, left behind by processes that died.
    ///
    /// Nothing is deleted without `--delete`.
    #[command(after_help = ORPHANS_HELP)]
    Orphans(OrphansArgs),
    /// Show where a payload is on its way.
    Follow {
        /// Payload id, or the first digits of it.
        payload: String,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Take payloads out of every table, and bring gold up to date.
    ///
    /// What is selected leaves all tables of bronze and silver, its row in `bronze.payloads` last; the computed tables
    /// follow. Old snapshots keep it readable with `--as-of` until they expire. `--dry-run` shows the files and rows
    /// first. A payload that is taken out does not come back by itself: see `--reopen`.
    Undo(UndoArgs),
    /// Flatten payloads that have landed once more, with today's plugin, configuration and calibration.
    ///
    /// Their parts are given back from bronze, or read where `--from` says. Each replaces its rows in all tables, in one
    /// snapshot per table; old snapshots keep the old rows until they expire. A payload that cannot be flattened stays as
    /// it is. `--dry-run` lists what would be done.
    ///
    /// Example: sluice rerun --plugin envi --routes new.toml
    Rerun(RerunArgs),
    /// Go back to an older snapshot of a table.
    ///
    /// Snapshots since then leave its history. So that no payload is half there, the payloads whose rows came or went
    /// in between leave all other tables too; each that was still in may land again. `--dry-run` lists snapshots,
    /// batches and payloads.
    Rollback(RollbackArgs),
    /// Check that everything announced is in its place, once: announcements, claims, rows and files joined.
    ///
    /// Prints what is missing, twice or orphaned and ends with 1 if anything is; what is on its way is pending. Files
    /// that no table names are what `sluice orphans` lists.
    Verify {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Bring gold up to date with what has landed, as `land` does at its end.
    Promote {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Look at what could not land.
    Quarantine {
        #[command(subcommand)]
        action: QuarantineAction,
    },
    /// Give a payload's parts back from bronze, or references that open its cube in xarray.
    Export(ExportArgs),
    /// Serve the lake's catalog to other engines, over the Iceberg REST protocol.
    ///
    /// They read and write the tables' files themselves, so they must see the lake's folder. Only reading is allowed
    /// unless `--read-write` is given.
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServeArgs),
    /// Land what edge hosts announce, as a service: from a queue, batch by batch.
    #[command(after_help = INGEST_HELP)]
    Ingest {
        #[command(subcommand)]
        action: IngestAction,
    },
    /// Land the demo's payloads and ask the demo's questions.
    Demo(DemoArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LandArgs {
    /// Files and folders.
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Routes to use instead of the lake's `sluice.toml`.
    #[arg(long, value_name = "FILE")]
    pub(crate) routes: Option<PathBuf>,
    /// Threads that flatten; all cores where absent.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Leave gold as it is; the next `land` without this brings it up to date.
    #[arg(long)]
    pub(crate) skip_gold: bool,
    /// Land on a branch that readers do not see: look at it with `sluice sql --branch`, then publish or drop it with
    /// `sluice branch`. Gold is left as it is.
    #[arg(long, value_name = "NAME")]
    pub(crate) branch: Option<BranchName>,
    /// Flatten and announce, as an edge host does, and leave the landing to `sluice ingest`.
    #[arg(long)]
    pub(crate) announce_only: bool,
    /// How the report is printed.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct FlattenArgs {
    /// Files and folders.
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Folder for the Parquet files.
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
    /// Routes: datasets, plugin configuration, calibration references. Without them payloads are recognised.
    #[arg(long, value_name = "FILE")]
    pub(crate) routes: Option<PathBuf>,
    /// Threads that flatten; all cores where absent.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// How the report is printed.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct SqlArgs {
    /// The query.
    pub(crate) query: String,
    /// How rows are printed.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// The tables as they were: a snapshot id, the name of a tag, or a time such as `2026-05-01T12:00:00Z` or
    /// `2026-05-01`.
    #[arg(long, value_name = "SNAPSHOT|TAG|TIME")]
    pub(crate) as_of: Option<String>,
    /// The tables as a branch has them, before it is published.
    #[arg(long, value_name = "NAME", conflicts_with = "as_of")]
    pub(crate) branch: Option<BranchName>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum QuarantineAction {
    /// List what stands in quarantine, with reasons.
    List {
        /// Also what was dropped.
        #[arg(long)]
        all: bool,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show one record: where it came from, why it stands here, what it would have brought.
    Show {
        /// First digits of the record's id or of the payload's, or its source.
        id: String,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Try again, after whatever was wrong is mended: it lands once, as the next revision of its payload.
    Replay {
        /// First digits of the record's id or of the payload's, or its source; several may be named.
        #[arg(required_unless_present = "all")]
        ids: Vec<String>,
        /// Everything in quarantine.
        #[arg(long, conflicts_with = "ids")]
        all: bool,
        /// Open it only, and leave the landing to `sluice ingest`.
        #[arg(long)]
        open_only: bool,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Let it be: its table files go, its record stays and is no longer listed.
    Drop {
        /// First digits of the record's id or of the payload's, or its source.
        id: String,
        /// Without asking.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false, id = "what")]
pub(crate) struct What {
    /// Write the payload's parts again: the image byte for byte, the trace as equal JSON.
    #[arg(long, value_name = "PAYLOAD")]
    pub(crate) parts: Option<String>,
    /// Write kerchunk references to the chunks of the payload's cube.
    #[arg(long, value_name = "PAYLOAD")]
    pub(crate) refs: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) what: What,
    /// Folder for parts (default `.`), file for references (default `<payload>.refs.json`).
    #[arg(long, value_name = "PATH")]
    pub(crate) to: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Folder of payloads with their `sluice.toml`; generated ones where absent.
    #[arg(long, value_name = "DIR")]
    pub(crate) payloads: Option<PathBuf>,
    /// Folder of the demo's lake.
    #[arg(long, default_value = "sluice-demo", value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// Comma separated, with a header line.
    Csv,
}
