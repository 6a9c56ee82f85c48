//! Where things are, and the settings that the environment gives.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

/// The workspace and its target folder, under which everything is kept that a command downloads or makes.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    /// Real payloads of others, where somebody has them.
    pub(crate) sample_data: Option<PathBuf>,
    begun: Instant,
}

impl Workspace {
    pub(crate) fn locate() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the workspace")?.to_owned();
        // Cargo ran us out of <target>/<profile>/xtask, wherever the target folder was put.
        let exe = std::env::current_exe().context("find the running program")?;
        let target = exe.ancestors().nth(2).context("expected the program below a target folder")?.to_owned();
        let sample_data = setting("SLUICE_SAMPLE_DATA").map(PathBuf::from);
        if let Some(folder) = &sample_data
            && !folder.is_dir()
        {
            bail!("expected a folder in SLUICE_SAMPLE_DATA, found `{}`", folder.display());
        }
        Ok(Self { root, target, sample_data, begun: Instant::now() })
    }

    /// The workspace with a target folder of its own.
    #[cfg(test)]
    pub(crate) fn at(target: &Path) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        Self { root, target: target.to_owned(), sample_data: None, begun: Instant::now() }
    }

    /// One line about what begins now, with the time since the start.
    #[expect(clippy::print_stdout, reason = "telling is the purpose")]
    pub(crate) fn say(&self, what: impl std::fmt::Display) {
        let seconds = self.seconds();
        println!("==> [{:>2}:{:02}] {what}", seconds / 60, seconds % 60);
        // What follows may write to the same terminal by itself.
        let _flushed = std::io::stdout().flush();
    }

    /// Since the start.
    pub(crate) fn seconds(&self) -> u64 {
        self.begun.elapsed().as_secs()
    }

    /// The program that `cargo build` made.
    pub(crate) fn built(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }
}

/// A setting that is there and not empty.
pub(crate) fn setting(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the one place where settings are read")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
