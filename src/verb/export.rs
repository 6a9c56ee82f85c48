use std::path::PathBuf;

use sluice_lakehouse::export;

use crate::cli::ExportArgs;
use crate::place::LakePlace;
use crate::progress::count;
use crate::{Exit, output};

pub(crate) async fn run(lake: &LakePlace, args: ExportArgs) -> anyhow::Result<Exit> {
    let lake = lake.open().await?;
    if let Some(payload) = args.what.parts {
        let folder = args.to.unwrap_or_else(|| PathBuf::from("."));
        for path in export::parts(&lake, &payload, &folder).await? {
            output::line(&path.display().to_string())?;
        }
    } else if let Some(payload) = args.what.refs {
        let file = args.to.unwrap_or_else(|| PathBuf::from(format!("{payload}.refs.json")));
        let chunks = export::refs(&lake, &payload, &file).await?;
        output::line(&format!("{}: references to {}", file.display(), count(chunks, "chunk")))?;
    }
    Ok(Exit::Done)
}
