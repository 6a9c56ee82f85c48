use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Environment variable that names a crash point, `<step>.before` or `<step>.after`, optionally `:<n>` for the n-th
/// time it is reached. The process is then ended by SIGABRT, as abruptly as `kill -9`.
pub const CRASH_VARIABLE: &str = "SLUICE_CRASH_POINT";

/// Environment variable that names a point like [`CRASH_VARIABLE`] does. The process stops itself there by SIGSTOP, until
/// it is told to go on by SIGCONT: so a test decides what others do meanwhile.
pub const PAUSE_VARIABLE: &str = "SLUICE_PAUSE_POINT";

/// A durable step of the way of a payload, and of the operations that take it back. The order is that of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Edge: the flattened unit's folder becomes sealed.
    SpoolSeal,
    /// Edge: a table file reaches `landing/`.
    LandingPut,
    /// Edge: the announcement, its commit point.
    Announce,
    /// Edge: the unit leaves the spool.
    SpoolRelease,
    /// Ledger: the plan of a batch.
    Plan,
    /// Ledger: one claim.
    Claim,
    /// A table file, stamped, reaches its table.
    LandFile,
    /// Ledger: the result of a batch, which decides it.
    BatchResult,
    /// Lakehouse: manifests and metadata of one commit are on disk.
    MetadataWrite,
    /// Lakehouse: the catalog's compare-and-swap.
    CatalogSwap,
    /// Ledger: the batch is done.
    Done,
    /// `landing/` files of a batch that is done are removed.
    LandingRelease,
    /// Ledger: the record of a rejected payload.
    Quarantine,
    /// Maintenance: a file that no snapshot names is deleted. No payload passes here.
    FileDelete,
    /// Ledger: an operation takes one landing of a payload out of the lake.
    End,
    /// Ledger: the next landing of a payload may be claimed.
    Open,
    /// Ledger: a rollback dropped a batch from the history of a table.
    Revert,
}

impl Step {
    /// Of the way of a payload.
    const ALL: [Self; 13] = [
        Self::SpoolSeal,
        Self::LandingPut,
        Self::Announce,
        Self::SpoolRelease,
        Self::Plan,
        Self::Claim,
        Self::LandFile,
        Self::BatchResult,
        Self::MetadataWrite,
        Self::CatalogSwap,
        Self::Done,
        Self::LandingRelease,
        Self::Quarantine,
    ];

    /// Its name in crash points and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SpoolSeal => "spool-seal",
            Self::LandingPut => "landing-put",
            Self::Announce => "announce",
            Self::SpoolRelease => "spool-release",
            Self::Plan => "plan",
            Self::Claim => "claim",
            Self::LandFile => "land-file",
            Self::BatchResult => "batch-result",
            Self::MetadataWrite => "metadata-write",
            Self::CatalogSwap => "catalog-swap",
            Self::Done => "done",
            Self::LandingRelease => "landing-release",
            Self::Quarantine => "quarantine",
            Self::FileDelete => "file-delete",
            Self::End => "end",
            Self::Open => "open",
            Self::Revert => "revert",
        }
    }

    /// Runs `body` between the step's two crash points.
    pub fn run<T>(self, body: impl FnOnce() -> T) -> T {
        reach(self, "before");
        let value = body();
        reach(self, "after");
        value
    }

    /// [`Step::run`] for what is awaited.
    pub async fn run_async<T>(self, body: impl Future<Output = T>) -> T {
        reach(self, "before");
        let value = body.await;
        reach(self, "after");
        value
    }
}

/// The names of all crash points on the way of a payload, in its order.
pub fn crash_points() -> impl Iterator<Item = String> {
    points(&Step::ALL)
}

/// The names of the crash points that only maintenance reaches.
pub fn maintenance_crash_points() -> impl Iterator<Item = String> {
    points(&[Step::FileDelete])
}

fn points(steps: &'static [Step]) -> impl Iterator<Item = String> {
    steps.iter().flat_map(|step| ["before", "after"].map(|side| format!("{}.{side}", step.name())))
}

struct Armed {
    point: String,
    remaining: AtomicU32,
}

impl Armed {
    /// The point that a variable names.
    fn of(variable: &str) -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "the points are settings of tests, read here only")]
        let text = std::env::var(variable).ok()?;
        let (point, count) = match text.split_once(':') {
            Some((point, count)) => (point.to_owned(), count.parse().unwrap_or(1)),
            None => (text, 1),
        };
        Some(Self { point, remaining: AtomicU32::new(count) })
    }

    fn is_here(&self, step: Step, side: &str) -> bool {
        let here = self.point.strip_prefix(step.name()).and_then(|rest| rest.strip_prefix('.')) == Some(side);
        here && self.remaining.fetch_sub(1, Ordering::SeqCst) == 1
    }
}

fn reach(step: Step, side: &str) {
    static CRASH: OnceLock<Option<Armed>> = OnceLock::new();
    static PAUSE: OnceLock<Option<Armed>> = OnceLock::new();
    if CRASH.get_or_init(|| Armed::of(CRASH_VARIABLE)).as_ref().is_some_and(|armed| armed.is_here(step, side)) {
        std::process::abort();
    }
    if PAUSE.get_or_init(|| Armed::of(PAUSE_VARIABLE)).as_ref().is_some_and(|armed| armed.is_here(step, side)) {
        // Returns when the process goes on.
        let _stopped = Command::new("kill").args(["-STOP", &std::process::id().to_string()]).status();
    }
}
