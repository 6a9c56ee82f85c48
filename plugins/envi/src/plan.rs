//! The plan: the header read and checked, references averaged, tables, splits and facts.

use sluice_plugin_sdk::{Fact, FactValue, Host, PlanOutcome, PlanRequest, Ready, TableSpec};

use crate::acquired::{Acquired, acquired};
use crate::bands::{Grid, HeaderScale};
use crate::bits::Bits;
use crate::calibrate::Calibration;
use crate::config::{Config, TrailingBytes};
use crate::error::Error;
use crate::exposure;
use crate::facts::Facts;
use crate::geometry::Geometry;
use crate::header::{Header, excerpt};
use crate::image::Image;
use crate::job::{Context, Job, Scaling, Tables};
use crate::layout::Layout;
use crate::parts::{Pair, Pairs};
use crate::precision::Plan;
use crate::quantity::{Measure, Quantity, measure};
use crate::raw::{Raw, with_raw};
use crate::reader::prefetch;
use crate::reference::{Kind, Reference, saturation};
use crate::{companion, schema, sensor, zarr};

/// Plans a payload.
pub(crate) fn plan(host: &mut dyn Host, request: &PlanRequest) -> PlanOutcome {
    let outcome = Config::parse(&request.config).and_then(|config| {
        Ok(match Pairs::find(&request.parts)? {
            Ok(pairs) => ready(host, request, &config, &pairs)?.into(),
            Err(missing) => PlanOutcome::incomplete("an ENVI image with its header", missing),
        })
    });
    outcome.unwrap_or_else(|error| PlanOutcome::Refused(error.to_string()))
}

/// What was found out about the image, before anything is computed.
struct Found {
    header: Header,
    image: Image,
    suffix_bytes: u64,
    grid: Grid,
    geometry: Geometry,
    acquired: Option<Acquired>,
    companion: Option<String>,
}

/// What the values of silver are.
struct Values {
    calibration: Option<Calibration>,
    scaling: Scaling,
    /// None for companions.
    measure: Option<Measure>,
    /// Of the raw numbers.
    raw_measure: Option<Measure>,
    wide: bool,
}

fn ready(host: &mut dyn Host, request: &PlanRequest, config: &Config, pairs: &Pairs) -> Result<Ready, Error> {
    let mut warnings = vec![];
    let found = find(host, request, config, &pairs.image, &mut warnings)?;
    let mut values = values(host, config, pairs, &found, &mut warnings)?;
    let layout = Layout::new(found.image, config.window_bytes);
    let elements = values.calibration.as_ref().map(|calibration| calibration.gains.as_slice());
    let rounding = Plan::new(
        config.precision,
        found.image.data_type,
        values.wide,
        &values.scaling,
        elements,
        found.grid.bands.len(),
        &mut warnings,
    );
    let (specs, tables) = tables(config, &found, &values);
    let job = Job {
        part: pairs.image.image_part,
        file: pairs.image.image_name.clone(),
        layout,
        suffix_bytes: found.suffix_bytes,
        ignore: ignore(config, &found, &mut warnings),
        saturation: saturation_of_image(config, &found, &values).map(Bits),
        transform: found.geometry.transform.map(|transform| transform.map(Bits)),
        scaling: values.scaling.clone(),
        rounding: rounding.rounding,
        wide: values.wide,
        grid: found.grid.clone(),
        error_max: rounding.error_max.into_iter().map(|error| error.map(Bits)).collect(),
        calibration_id: values.calibration.as_ref().map(|c| c.id.clone()),
        references: values.calibration.as_ref().map(|c| c.references.clone()).unwrap_or_default(),
        tables,
    };
    let mut ready = PlanOutcome::ready();
    ready.tables = specs;
    for (number, (first, count)) in layout.splits().into_iter().enumerate() {
        let context = Context { first, count, leads: number == 0 };
        ready = ready.split(context.to_bytes(), prefetch(&job, context));
    }
    ready.facts = facts(&found, &values, &job, &pairs.image);
    ready.shared = job.to_shared(values.calibration.take().map(|calibration| calibration.arrays))?;
    ready.warnings = warnings;
    Ok(ready)
}

fn find(
    host: &mut dyn Host,
    request: &PlanRequest,
    config: &Config,
    pair: &Pair,
    warnings: &mut Vec<String>,
) -> Result<Found, Error> {
    let header = pair.read_header(host)?;
    warnings.extend(header.warnings.iter().cloned());
    let image = Image::from_header(&header, config.byte_order, warnings)?;
    let keep = config.trailing_bytes == TrailingBytes::Keep;
    let suffix_bytes = image.check_size(&header, &pair.image_name, pair.image_size, keep)?;
    let given = request.facts.iter().find_map(|fact| match fact {
        Fact { name, value: FactValue::Timestamp(micros) } if name == "acquired_at" => Some(*micros),
        _ => None,
    });
    let acquired = match given {
        Some(micros) => Some(Acquired { micros, source: "route".into() }),
        None => acquired(&header, &pair.image_name, warnings),
    };
    Ok(Found {
        companion: companion::kind(config.companion.as_deref(), &header, &pair.image_name, image.bands),
        grid: Grid::from_header(&header, image.bands, warnings)?,
        geometry: Geometry::from_header(&header, warnings),
        acquired,
        suffix_bytes,
        image,
        header,
    })
}

fn values(
    host: &mut dyn Host,
    config: &Config,
    pairs: &Pairs,
    found: &Found,
    warnings: &mut Vec<String>,
) -> Result<Values, Error> {
    let of_header = HeaderScale::from_header(&found.header, found.image.bands)?;
    let by_header = measure(config, &found.header, &pairs.image.image_name);
    if found.companion.is_some() || pairs.references.is_empty() {
        if !pairs.references.is_empty() {
            warnings.push(format!("`{}` is a companion: references do not apply", pairs.image.image_name));
        }
        let measure = (found.companion.is_none() || config.quantity.is_some()).then_some(by_header);
        return Ok(Values {
            calibration: None,
            scaling: of_header.map_or(Scaling::Identity, |scale| Scaling::Linear {
                gains: scale.gains.into_iter().map(Bits).collect(),
                offsets: scale.offsets.into_iter().map(Bits).collect(),
            }),
            raw_measure: measure.clone(),
            measure,
            wide: found.companion.is_some() && found.image.data_type.needs_double(),
        });
    }
    if of_header.is_some() {
        let text = "gain, offset and scale factor are not applied, as references calibrate the raw numbers";
        warnings.push(format!("header `{}`: {text}", found.header.file));
    }
    let mut references = vec![];
    for (kind, pair) in &pairs.references {
        references.push(Reference::open(host, *kind, pair, &found.image, config, warnings)?);
    }
    let exposure_ms = config.exposure_ms.or_else(|| exposure::of_header(&found.header));
    let calibration = Calibration::compute(host, &mut references, &found.image, exposure_ms, &found.grid, config)?;
    let has_white = references.iter().any(|reference| reference.kind == Kind::White);
    Ok(Values {
        calibration: Some(calibration),
        scaling: Scaling::Elements,
        measure: Some(calibrated_measure(config, has_white)?),
        raw_measure: Some(Measure { quantity: Quantity::Dn, unit: None }),
        wide: false,
    })
}

/// A white panel makes reflectances; a dark or a flat alone leaves counts, unless the route knows better.
fn calibrated_measure(config: &Config, has_white: bool) -> Result<Measure, Error> {
    let quantity = match config.quantity {
        Some(quantity) if has_white && !quantity.is_reflectance() => {
            let found = format!("`{}`", quantity.name());
            return Err(Error::config("quantity", "a reflectance, as a white reference is given", found));
        }
        Some(quantity) => quantity,
        None if has_white => Quantity::RelativeReflectance,
        None => Quantity::Dn,
    };
    let unit = config.unit.clone().or_else(|| quantity.is_reflectance().then(|| "1".to_owned()));
    Ok(Measure { quantity, unit })
}

/// The raw number that says "no data"; one that the type cannot hold is told, as no pixel can equal it.
fn ignore(config: &Config, found: &Found, warnings: &mut Vec<String>) -> Option<String> {
    let of_header = || found.header.text("data ignore value").map(str::to_owned);
    let text = config.data_ignore_value.clone().or_else(of_header)?;
    let held = with_raw!(found.image.data_type, T => <T as Raw>::parse(&text).is_some());
    if held {
        return Some(text);
    }
    let (file, name) = (&found.header.file, found.image.data_type.name());
    warnings.push(format!("header `{file}`: `data ignore value` ignored: `{}` is no {name}", excerpt(&text)));
    None
}

/// The largest number of a type is saturation only where numbers are counts.
fn saturation_of_image(config: &Config, found: &Found, values: &Values) -> Option<f64> {
    let counts = values.raw_measure.as_ref().is_some_and(|measure| measure.quantity == Quantity::Dn);
    if counts && found.companion.is_none() { saturation(config, &found.image) } else { config.saturation }
}

fn tables(config: &Config, found: &Found, values: &Values) -> (Vec<TableSpec>, Tables) {
    let mut specs = vec![];
    let mut tables = Tables::default();
    let mut add = |spec: TableSpec| {
        specs.push(spec);
        u32::try_from(specs.len() - 1).ok()
    };
    if config.silver {
        let pixels = schema::Pixels {
            bands: &found.grid.bands,
            measure: values.measure.as_ref(),
            precision: config.precision,
            wide: values.wide,
        };
        tables.pixels = add(schema::pixels(&pixels));
    }
    if config.bronze {
        tables.chunks = add(schema::chunks());
        tables.grids = add(schema::band_grids());
        if values.calibration.is_some() {
            tables.calibrations = add(schema::calibrations());
        }
    }
    (specs, tables)
}

fn facts(found: &Found, values: &Values, job: &Job, pair: &Pair) -> Vec<Fact> {
    let mut facts = Facts::default();
    let measure = values.measure.as_ref();
    facts.put("acquired_at", found.acquired.as_ref().map(|a| FactValue::Timestamp(a.micros)));
    facts.text("acquired_at_source", found.acquired.as_ref().map(|a| a.source.as_str()));
    facts.image(&found.image);
    let sensor = sensor::sensor(&found.header, &pair.image_name);
    let quantity = measure.map(|measure| measure.quantity);
    let dataset = sensor::suggested_dataset(sensor.as_deref(), found.image.bands, quantity);
    facts.text("sensor", sensor);
    facts.text("suggested_dataset", Some(dataset));
    facts.text("companion", found.companion.as_deref());
    facts.text("quantity", measure.map(|measure| measure.quantity.name()));
    facts.text("unit", measure.and_then(|measure| measure.unit.as_deref()));
    facts.real("scale_factor", found.header.number("reflectance scale factor").ok().flatten());
    facts.text("band_grid_id", Some(found.grid.id.as_str()));
    let range = found.grid.range_nm();
    facts.real("wavelength_min_nm", range.map(|(low, _)| low));
    facts.real("wavelength_max_nm", range.map(|(_, high)| high));
    facts.geometry(&found.geometry);
    facts.text("classes", companion::classes(&found.header));
    facts.text("calibration_id", job.calibration_id.as_deref());
    facts.integer("suffix_bytes", found.suffix_bytes);
    facts.text("zarr", Some(zarr::text(&job.layout, values.raw_measure.as_ref(), &found.grid)));
    facts.text("description", found.header.text("description").map(|text| excerpt(&text.replace('\n', " "))));
    facts.header_keys(&found.header);
    facts.into_list()
}
