use serde_json::json;
use sluice_lakehouse::SchemaChange;

use crate::Exit;
use crate::cli::{Format, SchemaAction, SchemaTarget};
use crate::output;
use crate::place::LakePlace;
use crate::verb::describe::parse;

pub(crate) async fn run(lake: &LakePlace, action: SchemaAction) -> anyhow::Result<Exit> {
    let lake = lake.open().await?;
    let (target, change, into) = match action {
        SchemaAction::Widen { target, to } => (target, SchemaChange::Widen { to: to.clone() }, to),
        SchemaAction::MakeOptional { target } => (target, SchemaChange::MakeOptional, "optional".to_owned()),
        SchemaAction::Rename { target, to } => (target, SchemaChange::Rename { to: to.clone() }, to),
        SchemaAction::Drop { target } => (target, SchemaChange::Drop, "dropped".to_owned()),
    };
    let SchemaTarget { table, column, dry_run, format } = target;
    let table = parse(&table)?;
    let changed = lake.change_schema(&table, &column, &change, dry_run).await?;
    if format == Format::Json {
        let document = json!({
            "table": table.to_string(), "column": column, "into": into, "changed": changed, "dry_run": dry_run
        });
        output::line(&serde_json::to_string_pretty(&document)?)?;
    } else {
        let is = match (changed, dry_run) {
            (false, _) => "is already",
            (true, true) => "would be",
            (true, false) => "is now",
        };
        output::line(&format!("{table}: `{column}` {is} {into}"))?;
    }
    Ok(Exit::Done)
}
