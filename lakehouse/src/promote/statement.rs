//! One query of a model, and how it becomes rows of the model's table.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider};
use datafusion::datasource::MemTable;
use datafusion::logical_expr::SortExpr;
use datafusion::prelude::{SessionContext, col};

use super::model::{Key, Model};
use super::payloads::{PayloadRow, relation};
use super::template::{self, literals};
use crate::Error;

/// The catalog, schema and name of the relation that a statement finds its payloads in. The lake's own catalog takes
/// no relation that is not a table of it.
const INPUT_CATALOG: &str = "promotion";
const INPUT_SCHEMA: &str = "input";
const PAYLOADS: &str = "promotion.input.payloads";

/// SQL, and the payloads that it reads.
#[derive(Debug)]
pub(super) struct Statement<'a> {
    pub(super) sql: String,
    pub(super) payloads: Vec<&'a PayloadRow>,
}

/// The model's SQL with its values put in.
pub(super) fn expand(model: &Model, value_of: impl Fn(&str) -> Option<String>) -> Result<String, Error> {
    template::expand(&model.body, value_of)
        .map_err(|name| Error::Invalid(format!("expected a value for `{name}` in model `{}`, found none", model.name)))
}

/// The statement of a model whose SQL is the same for all payloads.
pub(super) fn plain<'a>(model: &Model, dataset: &str, payloads: &[&'a PayloadRow]) -> Result<Statement<'a>, Error> {
    let sql = expand(model, |name| match name {
        "dataset" => Some(dataset.to_owned()),
        "payloads" => Some(PAYLOADS.to_owned()),
        "payload_ids" => Some(literals(payloads.iter().map(|row| row.payload_id.as_str()))),
        _ => None,
    })?;
    Ok(Statement { sql, payloads: payloads.to_vec() })
}

/// The columns of the model's table, with docs and units in the fields' metadata.
pub(super) fn schema(model: &Model) -> SchemaRef {
    let fields = model.columns.iter().map(|column| {
        let mut metadata = HashMap::from([("doc".to_owned(), column.doc.clone())]);
        metadata.extend(column.unit.clone().map(|unit| ("unit".to_owned(), unit)));
        let nullable = model.key == Key::Partition || !model.key.columns().contains(&column.name.as_str());
        Field::new(&column.name, column.column_type.arrow(), nullable).with_metadata(metadata)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Runs the statements one after the other; the rows of all, in the model's order and its table's types.
pub(super) async fn run(
    context: &SessionContext,
    model: &Model,
    statements: &[Statement<'_>],
) -> Result<Vec<RecordBatch>, Error> {
    let schema = schema(model);
    let input = MemoryCatalogProvider::new();
    input.register_schema(INPUT_SCHEMA, Arc::new(MemorySchemaProvider::new()))?;
    context.register_catalog(INPUT_CATALOG, Arc::new(input));
    let mut batches = Vec::new();
    for statement in statements {
        let payloads = relation(&statement.payloads)?;
        let table = MemTable::try_new(payloads.schema(), vec![vec![payloads]])?;
        context.deregister_table(PAYLOADS)?;
        context.register_table(PAYLOADS, Arc::new(table))?;
        for batch in context.sql(&statement.sql).await?.collect().await? {
            batches.push(conform(&batch, &schema, model)?);
        }
    }
    batches.retain(|batch| batch.num_rows() > 0);
    if batches.is_empty() {
        return Ok(batches);
    }
    let order: Vec<SortExpr> = model.order.iter().map(|column| col(format!("\"{column}\"")).sort(true, true)).collect();
    let sorted = context.read_batches(batches)?.sort(order)?.collect().await?;
    sorted
        .into_iter()
        .map(|batch| batch.with_schema(Arc::clone(&schema)).map_err(Error::rows("sort the rows of a model")))
        .collect()
}

/// A batch of the query's answer with the table's columns, in their order and types.
fn conform(batch: &RecordBatch, schema: &SchemaRef, model: &Model) -> Result<RecordBatch, Error> {
    let columns = schema.fields().iter().map(|field| {
        let column = batch.column_by_name(field.name()).ok_or_else(|| {
            Error::Invalid(format!("expected the query of model `{}` to give `{}`", model.name, field.name()))
        })?;
        cast(column, field.data_type()).map_err(Error::rows(format!(
            "bring column `{}` of model `{}` to its type",
            field.name(),
            model.name
        )))
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(Arc::clone(schema), columns)
        .map_err(Error::rows(format!("build the rows of model `{}`", model.name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promote::model::named;

    #[test]
    fn every_name_of_a_statement_has_its_value() {
        let row = PayloadRow { payload_id: "p".into(), ..PayloadRow::default() };
        let statement = plain(&named("collective"), "d", &[&row]).unwrap();
        assert!(statement.sql.contains("FROM silver.d_collective"), "{}", statement.sql);
        assert!(statement.sql.contains("IN ('p')") && !statement.sql.contains("{{"), "{}", statement.sql);
    }

    #[test]
    fn a_table_has_docs_units_and_a_required_key() {
        let model = named("straggler");
        let schema = schema(&model);
        assert!(!schema.field_with_name("capture_id").unwrap().is_nullable());
        let delay = schema.field_with_name("total_delay_ns").unwrap();
        assert_eq!(delay.metadata()["unit"], "ns");
        assert!(delay.is_nullable() && !delay.metadata()["doc"].is_empty());
    }
}
