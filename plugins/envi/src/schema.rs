//! The tables: their columns, units and docs.

use sluice_plugin_sdk::{ColumnSpec, ColumnType, Encoding, Layer, PartitionTransform, TableSpec};

use crate::bands::Band;
use crate::companion::band_label;
use crate::config::Precision;
use crate::quantity::{Measure, Quantity};

/// What the columns of `pixels` depend on.
#[derive(Debug)]
pub(crate) struct Pixels<'a> {
    /// The bands.
    pub bands: &'a [Band],
    /// What they measure; none for companions.
    pub measure: Option<&'a Measure>,
    /// Rounding asked for.
    pub precision: Precision,
    /// Whether band columns are double.
    pub wide: bool,
}

fn payload_id() -> ColumnSpec {
    ColumnSpec::new("payload_id", ColumnType::Utf8, "the payload that the row came from").required()
}

/// `silver.<dataset>_pixels`.
pub(crate) fn pixels(of: &Pixels<'_>) -> TableSpec {
    use ColumnType::{Float64, Int32, TimestampMicros, Utf8};
    let q = "quality bits: 1 (bit 0) a band has no data, 2 (bit 1) a band is saturated, 4 (bit 2) white <= dark at a \
             band; 0 is good";
    let doc = "one row per pixel; band values are null where there is no data or white <= dark";
    let mut table = TableSpec::new(Layer::Silver, "pixels", doc)
        .constant(payload_id())
        .constant(ColumnSpec::new("site", Utf8, "where the payload was taken"))
        .constant(ColumnSpec::new("node", Utf8, "the machine that took it in"))
        .constant(ColumnSpec::new("acquired_at", TimestampMicros, "when the image was taken, UTC"))
        .column(ColumnSpec::new("line", Int32, "row along track, from 0").required())
        .column(ColumnSpec::new("sample", Int32, "pixel of the row, from 0").required())
        .column(ColumnSpec::new("x", Float64, "map x of the pixel's centre, in the units of the payload's CRS"))
        .column(ColumnSpec::new("y", Float64, "map y of the pixel's centre, in the units of the payload's CRS"))
        .column(ColumnSpec::new("q", Int32, q).required());
    let digits = of.bands.len().to_string().len().max(3);
    for (index, band) in of.bands.iter().enumerate() {
        table = table.column(band_column(of, index + 1, digits, band));
    }
    table
        .partition("site", PartitionTransform::Identity)
        .partition("acquired_at", PartitionTransform::Day)
        .sorted_by(&["line", "sample"])
}

/// Docs name whole nanometres: centres of two flights differ by less, and the table's doc stays the first one's.
fn band_column(of: &Pixels<'_>, number: usize, digits: usize, band: &Band) -> ColumnSpec {
    let rounding = match of.precision {
        _ if of.wide => "double precision, exact".to_owned(),
        Precision::Exact => "exact".to_owned(),
        Precision::Sensor => "rounded by at most half a raw count (bronze.band_grids.error_max)".to_owned(),
        Precision::Bits(bits) => format!("rounded to {bits} bits of mantissa (bronze.band_grids.error_max)"),
    };
    let what = match (of.measure, &band.centre_nm) {
        (Some(measure), Some(centre)) => {
            format!("band {number}, nominal centre {:.0} nm: {}", centre.0, measure.quantity.name())
        }
        (Some(measure), None) => format!("band {number}: {}", measure.quantity.name()),
        (None, _) => match band.name.as_deref().and_then(band_label) {
            Some(name) => format!("band {number}: {name}"),
            None => format!("band {number}"),
        },
    };
    let column_type = if of.wide { ColumnType::Float64 } else { ColumnType::Float32 };
    let column = ColumnSpec::new(&format!("b{number:0digits$}"), column_type, &format!("{what}; {rounding}"));
    match of.measure.and_then(|measure| measure.unit.as_deref()) {
        Some(unit) => column.unit(unit),
        None => column,
    }
}

/// `bronze.<dataset>_chunks`.
pub(crate) fn chunks() -> TableSpec {
    use ColumnType::{Binary, Dictionary, Int32, Int64};
    let doc = "the image's own bytes: chunks of a Zarr v3 array (the payload's fact `zarr`), and what lies around them";
    let array =
        "`image`: a chunk of the array; `prefix`, `suffix`: pieces of the bytes before and after it, by chunk_0";
    let index = |name: &str, axis: &str| {
        ColumnSpec::new(name, Int32, &format!("index of the chunk along the array's {axis} axis")).required()
    };
    TableSpec::new(Layer::Bronze, "chunks", doc)
        .constant(payload_id())
        .column(ColumnSpec::new("array", Dictionary, array).required())
        .column(index("chunk_0", "first"))
        .column(index("chunk_1", "second"))
        .column(index("chunk_2", "third"))
        .column(ColumnSpec::new("raw_bytes", Int64, "bytes before compression").required().unit("By"))
        .column(ColumnSpec::new("data", Binary, "the encoded chunk (zstd)").required().encoding(Encoding::Chunk))
}

/// `bronze.band_grids`.
pub(crate) fn band_grids() -> TableSpec {
    use ColumnType::{Boolean, Dictionary, Float64, Int32, Utf8};
    let scale = "value = raw * gain + offset, by the header; null where references calibrate each element";
    let error = "largest absolute rounding error of the band in silver; null where no bound is known beforehand";
    TableSpec::new(Layer::Bronze, "band_grids", "one row per band of a payload's image")
        .shared_by_datasets()
        .constant(payload_id())
        .constant(ColumnSpec::new("dataset", Utf8, "the dataset that the payload belongs to"))
        .column(
            ColumnSpec::new("band_grid_id", Dictionary, "digest of the ordered list of centre, width, good").required(),
        )
        .column(ColumnSpec::new("band", Int32, "number of the band, from 1: column b001 is band 1").required())
        .column(ColumnSpec::new("centre_nm", Float64, "wavelength of the band's centre").unit("nm"))
        .column(ColumnSpec::new("fwhm_nm", Float64, "full width at half maximum").unit("nm"))
        .column(ColumnSpec::new("good", Boolean, "the header's bad band list does not name it").required())
        .column(ColumnSpec::new("name", Utf8, "the header's name of the band"))
        .column(ColumnSpec::new("gain", Float64, scale))
        .column(ColumnSpec::new("offset", Float64, scale))
        .column(ColumnSpec::new("error_max", Float64, error))
}

/// `bronze.calibrations`.
pub(crate) fn calibrations() -> TableSpec {
    use ColumnType::{Dictionary, Float64, Int32, ListFloat32, Utf8};
    let coefficients = "mean along track of each sample; NaN where the reference has no data";
    TableSpec::new(Layer::Bronze, "calibrations", "one row per reference and band of a payload's calibration set")
        .shared_by_datasets()
        .constant(payload_id())
        .constant(ColumnSpec::new("dataset", Utf8, "the dataset that the payload belongs to"))
        .column(ColumnSpec::new("calibration_id", Dictionary, "digest of the references").required())
        .column(ColumnSpec::new("band", Int32, "number of the band, from 1").required())
        .column(ColumnSpec::new("kind", Dictionary, "`dark`, `white`, `white_dark` or `flat`").required())
        .column(ColumnSpec::new("exposure_ms", Float64, "exposure of the reference, where it is known").unit("ms"))
        .column(ColumnSpec::new("coefficients", ListFloat32, coefficients).required())
}

/// All tables; `pixels` as an image of three bands would have it.
pub(crate) fn examples() -> Vec<TableSpec> {
    let band = Band { centre_nm: None, fwhm_nm: None, good: true, name: None };
    let measure = Measure { quantity: Quantity::Dn, unit: None };
    let bands = [band.clone(), band.clone(), band];
    let of = Pixels { bands: &bands, measure: Some(&measure), precision: Precision::Exact, wide: false };
    vec![pixels(&of), chunks(), band_grids(), calibrations()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::Bits;

    fn docs(centre: f64) -> Vec<(String, String)> {
        let band = Band { centre_nm: Some(Bits(centre)), fwhm_nm: None, good: true, name: None };
        let measure = Measure { quantity: Quantity::Radiance, unit: Some("W".into()) };
        let of = Pixels { bands: &[band], measure: Some(&measure), precision: Precision::Sensor, wide: false };
        pixels(&of).columns.into_iter().map(|column| (column.name, column.doc)).collect()
    }

    #[test]
    fn band_docs_name_centre_quantity_and_rounding() {
        let doc = docs(376.6).pop().unwrap();
        assert_eq!(doc.0, "b001");
        assert!(doc.1.starts_with("band 1, nominal centre 377 nm: radiance; rounded by at most half a raw count"));
        assert_eq!(docs(376.6), docs(377.0));
    }

    #[test]
    fn numbers_are_padded_to_the_widest() {
        let band = Band { centre_nm: None, fwhm_nm: None, good: true, name: Some("Slope".into()) };
        let bands = vec![band; 1000];
        let of = Pixels { bands: &bands, measure: None, precision: Precision::Exact, wide: true };
        let last = pixels(&of).columns.pop().unwrap();
        assert_eq!((last.name.as_str(), last.doc.as_str()), ("b1000", "band 1000: Slope; double precision, exact"));
        assert_eq!(pixels(&of).columns[5].name, "b0001");
    }
}
