use anyhow::Context;
use serde_json::{Value, json};
use sluice_api::TableName;
use sluice_lakehouse::{ColumnDescription, Lake, TableDescription};

use crate::Exit;
use crate::cli::Format;
use crate::output::{self, Listing};
use crate::place::LakePlace;

pub(crate) async fn run(lake: &LakePlace, table: &str, format: Format) -> anyhow::Result<Exit> {
    let lake = lake.open().await?;
    let name = parse(table)?;
    let about = lake.describe(&name).await?;
    if format == Format::Json {
        output::line(&serde_json::to_string_pretty(&document(&about))?)?;
        return Ok(Exit::Done);
    }
    if format == Format::Table {
        output::line(&format!(
            "{name}: {}\n{} rows in {} files, {} bytes; partitioned by {}; sorted by {}\n",
            about.doc.as_deref().unwrap_or("(no doc)"),
            about.rows,
            about.files,
            about.bytes,
            list(&about.partition),
            list(&about.sort)
        ))?;
    }
    let mut listing = Listing::new(&["id", "column", "type", "required", "unit", "doc"]);
    for column in &about.columns {
        listing.row(column_row(column));
    }
    listing.print(format)?;
    if format == Format::Table {
        print_grids(&lake, &about).await?;
    }
    Ok(Exit::Done)
}

/// `layer.name`, as everywhere.
pub(crate) fn parse(table: &str) -> anyhow::Result<TableName> {
    TableName::parse(table).with_context(|| format!("expected a table as `layer.name`, found `{table}`"))
}

/// The tables that are named; all where none is.
pub(crate) async fn parse_all(lake: &Lake, tables: &[String]) -> anyhow::Result<Vec<TableName>> {
    if tables.is_empty() {
        return Ok(lake.tables().await?);
    }
    tables.iter().map(|table| parse(table)).collect()
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

fn column_row(column: &ColumnDescription) -> Vec<Value> {
    vec![
        json!(column.id),
        json!(column.name),
        json!(column.column_type),
        json!(column.required),
        json!(column.unit),
        json!(column.doc),
    ]
}

fn document(about: &TableDescription) -> Value {
    let columns: Vec<Value> = about
        .columns
        .iter()
        .map(|c| {
            json!({"id": c.id, "name": c.name, "type": c.column_type, "required": c.required, "unit": c.unit,
                   "doc": c.doc})
        })
        .collect();
    json!({
        "table": about.table.to_string(), "doc": about.doc, "rows": about.rows, "files": about.files,
        "bytes": about.bytes, "partition": about.partition, "sort": about.sort, "properties": about.properties,
        "snapshot_id": about.head, "metadata_location": about.metadata_location, "columns": columns,
    })
}

/// The band centres of a table of pixels: one line per grid, as grids may differ by payload.
async fn print_grids(lake: &Lake, about: &TableDescription) -> anyhow::Result<()> {
    let Some(dataset) = about.table.name.strip_suffix("_pixels") else { return Ok(()) };
    let query = format!(
        "SELECT band_grid_id AS grid, count(DISTINCT payload_id) AS payloads, count(DISTINCT band) AS bands,
                min(centre_nm) AS first_nm, max(centre_nm) AS last_nm,
                count(DISTINCT CASE WHEN good THEN band END) AS good_bands
         FROM bronze.band_grids WHERE dataset = '{dataset}' GROUP BY band_grid_id ORDER BY payloads DESC, grid"
    );
    let rows = lake.sql(&query, None).await?;
    output::line("\nband grids (centres of each band: SELECT * FROM bronze.band_grids WHERE dataset = ...)")?;
    output::print_batches(&rows.schema, &rows.batches, Format::Table)
}
