use anyhow::ensure;
use serde_json::json;

use crate::Exit;
use crate::cli::{Format, TagAction};
use crate::output;
use crate::place::LakePlace;
use crate::verb::describe::parse;
use crate::verb::sql::parse_as_of;

pub(crate) async fn run(lake: &LakePlace, action: TagAction) -> anyhow::Result<Exit> {
    let lake = lake.open().await?;
    match action {
        TagAction::Create { table, name, at, format } => {
            let table = parse(&table)?;
            let at = at.as_deref().map(parse_as_of).transpose()?;
            let snapshot_id = lake.tag(&table, &name, at.as_ref()).await?;
            report(format, &table.to_string(), &name, Some(snapshot_id), &format!("`{name}` is snapshot {snapshot_id}"))
        }
        TagAction::Drop { table, name, format } => {
            let table = parse(&table)?;
            ensure!(lake.drop_ref(&table, &name).await?, "expected a tag of `{table}`, found none named `{name}`");
            report(format, &table.to_string(), &name, None, &format!("`{name}` is gone"))
        }
    }
}

fn report(format: Format, table: &str, name: &str, snapshot_id: Option<i64>, said: &str) -> anyhow::Result<Exit> {
    if format == Format::Json {
        let document = json!({"table": table, "tag": name, "snapshot_id": snapshot_id});
        output::line(&serde_json::to_string_pretty(&document)?)?;
    } else {
        output::line(&format!("{table}: {said}"))?;
    }
    Ok(Exit::Done)
}
