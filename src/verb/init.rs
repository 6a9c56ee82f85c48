use std::path::Path;

use anyhow::Context;
use sluice_lakehouse::Lake;

use crate::{Exit, output};

pub(crate) fn run(dir: &Path) -> anyhow::Result<Exit> {
    let lake = Lake::init(dir).with_context(|| format!("make a lake in `{}`", dir.display()))?;
    let shown = lake.root().display();
    output::line(&format!("lake ready in {shown}\nnext: sluice --lake {shown} land FILES-OR-FOLDERS"))?;
    Ok(Exit::Done)
}
