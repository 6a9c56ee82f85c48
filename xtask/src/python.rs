//! The Python that fetches the demo's cube, and that reads our tables as others would.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::process::{is_there, run};
use crate::workspace::{Workspace, setting};

/// A virtual environment.
pub(crate) struct Venv {
    folder: PathBuf,
}

impl Venv {
    /// The one below the target folder, made where it is not there yet.
    pub(crate) fn ensure(workspace: &Workspace) -> Result<Self> {
        Self::ensure_at(workspace, workspace.target.join("venv"))
    }

    /// One in a folder of its own.
    pub(crate) fn ensure_at(workspace: &Workspace, folder: PathBuf) -> Result<Self> {
        let venv = Self { folder };
        if is_there(venv.python()) {
            return Ok(venv);
        }
        let python = setting("PYTHON").unwrap_or_else(|| "python3".to_owned());
        if !is_there(&python) {
            bail!("expected Python 3.11 or later as `{python}`: install it, or name one in PYTHON");
        }
        workspace.say(format_args!("making a Python environment in {}", venv.folder.display()));
        run(Command::new(&python).args(["-m", "venv", "--clear"]).arg(&venv.folder))
            .context("make a virtual environment (on Debian, the package `python3-venv` has what it takes)")?;
        Ok(venv)
    }

    /// Its interpreter.
    pub(crate) fn python(&self) -> PathBuf {
        self.folder.join("bin/python")
    }

    /// Installs `requirements`, unless the very same text was installed before.
    pub(crate) fn install(&self, workspace: &Workspace, requirements: &Path) -> Result<()> {
        self.install_all(workspace, &[requirements])
    }

    /// [`Venv::install`] for several files at once.
    pub(crate) fn install_all<P: AsRef<Path>>(&self, workspace: &Workspace, requirements: &[P]) -> Result<()> {
        let read = |path: &Path| fs::read_to_string(path).with_context(|| format!("read `{}`", path.display()));
        let wanted = requirements.iter().map(|path| read(path.as_ref())).collect::<Result<String>>()?;
        let marker = self.folder.join("installed-requirements.txt");
        if fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
            return Ok(());
        }
        workspace.say("installing the Python readers (PyIceberg, DuckDB, xarray, ...)");
        let mut pip = Command::new(self.python());
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        for file in requirements {
            pip.arg("--requirement").arg(file.as_ref());
        }
        run(&mut pip)?;
        fs::write(&marker, wanted).with_context(|| format!("write `{}`", marker.display()))
    }

    /// Downloads one wheel, whose digest `requirements` states, and unpacks it.
    pub(crate) fn unpack_wheel(&self, requirements: &Path, wheels: &Path, into: &Path) -> Result<()> {
        let mut pip = Command::new(self.python());
        pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
        pip.args(["--only-binary", ":all:", "--require-hashes", "--requirement"]).arg(requirements);
        run(pip.arg("--dest").arg(wheels))?;
        let files = fs::read_dir(wheels).with_context(|| format!("list `{}`", wheels.display()))?;
        for file in files {
            let wheel = file.with_context(|| format!("list `{}`", wheels.display()))?.path();
            run(Command::new(self.python()).args(["-m", "zipfile", "-e"]).arg(&wheel).arg(into))?;
        }
        Ok(())
    }
}
