use std::sync::OnceLock;

/// Environment variable that switches on one [`Sabotage`] in a debug build.
pub const SABOTAGE_VARIABLE: &str = "SLUICE_SABOTAGE";

/// A promise that a test breaks on purpose, to show that its checks would notice. Release builds keep all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// An append is committed, and then once more.
    CommitTwice,
    /// A batch is committed without looking whether it was before.
    SkipSearch,
    /// A new column takes the field id of an older one.
    ReuseFieldId,
    /// Stamping swaps the field ids of two columns.
    SwapFieldIds,
    /// A snapshot that rewrites manifests leaves one out.
    ForgetManifest,
    /// A message goes as soon as it is read, before anything that it tells of is claimed.
    AcknowledgeEarly,
    /// A batch that was decided is decided again, by what is seen now.
    DecideTwice,
    /// A payload lands without a claim.
    SkipClaim,
    /// A landed file lacks the rows of its last row group.
    DropRowGroup,
    /// A file gets its name before its bytes are on disk.
    ForgetFsync,
}

impl Sabotage {
    /// Those that a look at the tables shows; the others need a crash at the right place.
    pub const IN_TABLES: [Self; 5] =
        [Self::CommitTwice, Self::SkipSearch, Self::ReuseFieldId, Self::SwapFieldIds, Self::ForgetManifest];

    /// Its name in the environment variable.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CommitTwice => "commit-twice",
            Self::SkipSearch => "skip-search",
            Self::ReuseFieldId => "reuse-field-id",
            Self::SwapFieldIds => "swap-field-ids",
            Self::ForgetManifest => "forget-manifest",
            Self::DecideTwice => "decide-twice",
            Self::AcknowledgeEarly => "acknowledge-early",
            Self::SkipClaim => "skip-claim",
            Self::DropRowGroup => "drop-row-group",
            Self::ForgetFsync => "forget-fsync",
        }
    }

    /// Whether this process breaks the promise.
    #[must_use]
    pub fn is_on(self) -> bool {
        cfg!(debug_assertions) && chosen().as_deref() == Some(self.name())
    }
}

fn chosen() -> &'static Option<String> {
    static CHOSEN: OnceLock<Option<String>> = OnceLock::new();
    CHOSEN.get_or_init(|| {
        #[expect(clippy::disallowed_methods, reason = "sabotage is a setting of tests, read here only")]
        std::env::var(SABOTAGE_VARIABLE).ok()
    })
}
