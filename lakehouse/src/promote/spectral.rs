//! The index model's template: one statement per band grid, cell size and index, because the bands of a range are
//! other columns in another grid.

use std::collections::BTreeMap;

use super::bands::{Band, BandColumns, band_mean};
use super::model::{IndexDefinition, Model};
use super::payloads::PayloadRow;
use super::statement::Statement;
use super::template::{literal, literals};
use super::{Skipped, statement};
use crate::Error;

/// Route fact: edge of a cell in pixels.
const CELL_FACT: &str = "index_cell";
/// Route fact: quantities that indices may be computed of, separated by commas.
const QUANTITIES_FACT: &str = "index_quantities";
/// Route fact: which indices to compute, separated by commas; all without it.
const INDICES_FACT: &str = "indices";

const CELL_PIXELS_DEFAULT: u32 = 8;
const CELL_PIXELS_MAX: u32 = 1_000_000;
const QUANTITIES_DEFAULT: &str = "toa_reflectance, surface_reflectance, relative_reflectance";

/// The bands of one payload; equal ids are equal lists.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    pub(super) id: String,
    pub(super) bands: Vec<Band>,
}

/// What a payload's route asks for, the same for all payloads of one statement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Settings {
    quantity: String,
    cell_pixels: u32,
    indices: Vec<String>,
}

impl Settings {
    /// Of a payload, or why it gets no index.
    fn of(row: &PayloadRow, definitions: &[IndexDefinition]) -> Result<Self, String> {
        let fact = |name: &str| row.facts.get(name).map(String::as_str);
        let quantity = row.quantity.clone().unwrap_or_default();
        let allowed = fact(QUANTITIES_FACT).unwrap_or(QUANTITIES_DEFAULT);
        if !listed(allowed).any(|name| name == quantity) {
            return Err(format!(
                "expected a quantity that the route lists for indices (`{QUANTITIES_FACT}`: {allowed}), found `{quantity}`"
            ));
        }
        let cell_pixels = match fact(CELL_FACT) {
            None => CELL_PIXELS_DEFAULT,
            Some(text) => {
                text.parse().ok().filter(|pixels| (1..=CELL_PIXELS_MAX).contains(pixels)).ok_or_else(|| {
                    format!("expected `{CELL_FACT}` to be 1 to {CELL_PIXELS_MAX} pixels, found `{text}`")
                })?
            }
        };
        let known = || definitions.iter().map(|index| index.name.clone());
        let indices = match fact(INDICES_FACT) {
            None => known().collect(),
            Some(text) => {
                if let Some(unknown) = listed(text).find(|name| !known().any(|index| index == *name)) {
                    let known: Vec<_> = known().collect();
                    return Err(format!("expected `{INDICES_FACT}` of {}, found `{unknown}`", known.join(", ")));
                }
                known().filter(|index| listed(text).any(|name| name == index)).collect()
            }
        };
        Ok(Self { quantity, cell_pixels, indices })
    }
}

fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty())
}

/// The statements for these payloads, and the payloads that get none, with the reason.
pub(super) fn statements<'a>(
    model: &Model,
    dataset: &str,
    payloads: &[&'a PayloadRow],
    grids: &BTreeMap<String, Grid>,
    columns: &BandColumns,
) -> Result<(Vec<Statement<'a>>, Vec<Skipped>), Error> {
    let mut skipped = Vec::new();
    let mut groups: BTreeMap<(&str, Settings), Vec<&'a PayloadRow>> = BTreeMap::new();
    for row in payloads {
        let grid = grids.get(&row.payload_id).filter(|grid| grid.bands.iter().any(|band| band.centre_nm.is_some()));
        let settings = Settings::of(row, &model.indices);
        match (settings, grid) {
            (Ok(settings), Some(grid)) => groups.entry((grid.id.as_str(), settings)).or_default().push(*row),
            (Ok(_), None) => skipped.push(Skipped::new(row, "expected centres of bands, found none")),
            (Err(reason), _) => skipped.push(Skipped::new(row, reason)),
        }
    }
    let mut statements = Vec::new();
    for ((_, settings), rows) in &groups {
        let Some(grid) = rows.first().and_then(|row| grids.get(&row.payload_id)) else { continue };
        let wanted = model.indices.iter().filter(|index| settings.indices.contains(&index.name));
        let before = statements.len();
        for index in wanted {
            let means = (band_mean(&grid.bands, index.a_nm, columns), band_mean(&grid.bands, index.b_nm, columns));
            let (Some(a), Some(b)) = means else { continue };
            let value_of = |name: &str| {
                Some(match name {
                    "dataset" => dataset.to_owned(),
                    "payload_ids" => literals(rows.iter().map(|row| row.payload_id.as_str())),
                    "mean_a" => a.expression.clone(),
                    "mean_b" => b.expression.clone(),
                    "bands_a" => literal(&a.bands),
                    "bands_b" => literal(&b.bands),
                    "formula" => index.formula.clone(),
                    "index" => literal(&index.name),
                    "quantity" => literal(&settings.quantity),
                    "cell_pixels" => settings.cell_pixels.to_string(),
                    _ => return None,
                })
            };
            statements.push(Statement { sql: statement::expand(model, value_of)?, payloads: rows.clone() });
        }
        if statements.len() == before {
            let reason = "expected good bands in the ranges of an index, found none";
            skipped.extend(rows.iter().map(|row| Skipped::new(row, reason)));
        }
    }
    Ok((statements, skipped))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promote::bands::band_columns;
    use crate::promote::model::named;

    fn cube(payload_id: &str, quantity: &str, facts: &[(&str, &str)]) -> PayloadRow {
        PayloadRow {
            payload_id: payload_id.into(),
            quantity: Some(quantity.into()),
            facts: facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            ..PayloadRow::default()
        }
    }

    fn grid(id: &str, centres: &[f64]) -> Grid {
        let bands = (1..).zip(centres).map(|(number, centre)| Band {
            number,
            centre_nm: Some(*centre),
            fwhm_nm: None,
            good: true,
        });
        Grid { id: id.into(), bands: bands.collect() }
    }

    fn run(payloads: &[PayloadRow], grids: &[(&str, Grid)]) -> (Vec<String>, Vec<String>) {
        let model = named("index");
        let names = ["b001", "b002", "b003"];
        let grids = grids.iter().map(|(id, grid)| ((*id).to_owned(), grid.clone())).collect();
        let rows: Vec<_> = payloads.iter().collect();
        let (statements, skipped) = statements(&model, "d", &rows, &grids, &band_columns(names)).unwrap();
        let skipped = skipped.into_iter().map(|skipped| skipped.reason).collect();
        (statements.into_iter().map(|statement| statement.sql).collect(), skipped)
    }

    #[test]
    fn payloads_of_one_grid_share_a_statement_and_absent_bands_give_none() {
        let payloads = [cube("p", "surface_reflectance", &[]), cube("q", "surface_reflectance", &[])];
        let red_and_infrared = grid("g", &[650.0, 800.0]);
        let (sql, skipped) = run(&payloads, &[("p", red_and_infrared.clone()), ("q", red_and_infrared)]);
        assert_eq!((sql.len(), skipped.len()), (1, 0), "only ndvi has both of its ranges");
        for part in
            ["'ndvi' AS index", "IN ('p', 'q')", "CAST(b002 AS DOUBLE) * 1.0 / 1.0 AS a", "line / 8 AS cell_line"]
        {
            assert!(sql[0].contains(part), "{part} in {}", sql[0]);
        }
        assert!(!sql[0].contains("{{"), "{}", sql[0]);
    }

    #[test]
    fn another_grid_or_setting_is_another_statement() {
        let facts = [("index_cell", "1"), ("indices", "ndvi")];
        let payloads = [
            cube("p", "surface_reflectance", &[]),
            cube("q", "surface_reflectance", &[]),
            cube("r", "surface_reflectance", &facts),
        ];
        let grids =
            [("p", grid("g", &[650.0, 800.0])), ("q", grid("h", &[800.0, 650.0])), ("r", grid("g", &[650.0, 800.0]))];
        let (sql, _) = run(&payloads, &grids);
        assert_eq!(sql.len(), 3);
        assert_eq!(sql.iter().filter(|sql| sql.contains("line / 1 AS cell_line")).count(), 1);
    }

    #[test]
    fn unlisted_quantities_and_unknown_settings_are_refused_with_the_reason() {
        let payloads = [
            cube("p", "radiance", &[]),
            cube("q", "radiance", &[("index_quantities", "radiance , dn")]),
            cube("r", "surface_reflectance", &[("index_cell", "0")]),
            cube("s", "surface_reflectance", &[("indices", "ndvi,savi")]),
            cube("t", "surface_reflectance", &[]),
            cube("u", "surface_reflectance", &[]),
        ];
        let visible = |id| (id, grid("g", &[650.0, 800.0]));
        let grids = [visible("p"), visible("q"), visible("r"), visible("s"), ("u", grid("far", &[2300.0]))];
        let (sql, skipped) = run(&payloads, &grids);
        assert_eq!(sql.len(), 1);
        assert_eq!(skipped.len(), 5);
        for (reason, part) in
            skipped.iter().zip(["found `radiance`", "found `0`", "found `savi`", "centres", "good bands"])
        {
            assert!(reason.contains(part), "{part} in {reason}");
        }
    }
}
