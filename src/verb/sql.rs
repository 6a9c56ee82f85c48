use sluice_lakehouse::AsOf;

use crate::cli::SqlArgs;
use crate::place::LakePlace;
use crate::{Exit, output};

pub(crate) async fn run(lake: &LakePlace, args: SqlArgs) -> anyhow::Result<Exit> {
    let as_of = match (args.as_of.as_deref(), &args.branch) {
        (_, Some(branch)) => Some(AsOf::Ref(branch.to_string())),
        (Some(text), None) => Some(parse_as_of(text)?),
        (None, None) => None,
    };
    let rows = lake.open().await?.sql(&args.query, as_of).await?;
    output::print_batches(&rows.schema, &rows.batches, args.format)?;
    Ok(Exit::Done)
}

/// A snapshot id, a time, or the name of a tag or a branch; a time without zone is UTC.
pub(crate) fn parse_as_of(text: &str) -> anyhow::Result<AsOf> {
    Ok(text.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_of_is_a_snapshot_or_a_time() {
        assert!(matches!(parse_as_of("123").unwrap(), AsOf::Snapshot(123)));
        assert!(matches!(parse_as_of("1970-01-01T00:00:01Z").unwrap(), AsOf::Time(1_000_000)));
        assert!(matches!(parse_as_of("1970-01-02").unwrap(), AsOf::Time(86_400_000_000)));
        assert!(matches!(parse_as_of("1970-01-01 00:00:00.5").unwrap(), AsOf::Time(500_000)));
        assert!(matches!(parse_as_of("before-may").unwrap(), AsOf::Ref(name) if name == "before-may"));
        assert!(parse_as_of("2026-99").is_err());
    }
}
