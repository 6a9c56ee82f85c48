//! What every split needs to know: the plan's shared bytes, and a split's own context.
//!
//! Shared bytes, all little endian: where the JSON begins and its length (u64 each), single-precision arrays of
//! (band, sample) for gains and each reference, the JSON.

use serde::{Deserialize, Serialize};
use sluice_plugin_sdk::Host;

use crate::bands::Grid;
use crate::bits::Bits;
use crate::error::Error;
use crate::layout::Layout;
use crate::precision::BandRounding;
use crate::reference::Kind;

/// What the host holds for a plan at most.
pub(crate) const SHARED_BYTES_MAX: u64 = 64 << 20;

/// How raw numbers become values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Scaling {
    /// As they are.
    Identity,
    /// By the header, band by band.
    Linear {
        /// Factors.
        gains: Vec<Bits>,
        /// Summands.
        offsets: Vec<Bits>,
    },
    /// By references, element by element.
    Elements,
}

/// Index of each table in the plan; none where it is not made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tables {
    /// `pixels`.
    pub pixels: Option<u32>,
    /// `chunks`.
    pub chunks: Option<u32>,
    /// `band_grids`.
    pub grids: Option<u32>,
    /// `calibrations`.
    pub calibrations: Option<u32>,
}

/// A reference whose values are among the shared arrays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SharedReference {
    /// What it shows.
    pub kind: String,
    /// Its exposure, where it is known.
    pub exposure_ms: Option<Bits>,
}

/// The plan as splits see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Job {
    /// The image's part.
    pub part: u32,
    /// The image's name, for messages.
    pub file: String,
    /// How the image is cut.
    pub layout: Layout,
    /// Bytes after the last number.
    pub suffix_bytes: u64,
    /// The raw number that says "no data".
    pub ignore: Option<String>,
    /// Raw numbers from here on are saturated.
    pub saturation: Option<Bits>,
    /// From pixels to map coordinates.
    pub transform: Option<[Bits; 6]>,
    /// Raw numbers to values.
    pub scaling: Scaling,
    /// Rounding of values.
    pub rounding: BandRounding,
    /// Whether band columns are double.
    pub wide: bool,
    /// The bands.
    pub grid: Grid,
    /// Largest rounding error per band.
    pub error_max: Vec<Option<Bits>>,
    /// Id of the references.
    pub calibration_id: Option<String>,
    /// The references, in the order of their arrays.
    pub references: Vec<SharedReference>,
    /// Where rows go.
    pub tables: Tables,
}

/// The array of gains; the references follow it in their order.
pub(crate) const GAIN_ARRAY: u64 = 0;

/// Bytes before the arrays: where the JSON begins, and its length.
pub(crate) const ARRAYS_AT: u64 = 16;

impl Job {
    /// The array of dark levels; none where nothing is subtracted.
    pub(crate) fn dark_array(&self) -> Option<u64> {
        let at = self.references.iter().position(|reference| reference.kind == Kind::Dark.role())?;
        Some(GAIN_ARRAY + 1 + at as u64)
    }

    /// The shared bytes of this plan: `arrays` begin with place for [`ARRAYS_AT`] bytes.
    pub(crate) fn to_shared(&self, arrays: Option<Vec<u8>>) -> Result<Vec<u8>, Error> {
        let json = serde_json::to_vec(self).map_err(|error| Error::Split(error.to_string()))?;
        let mut shared = arrays.unwrap_or_else(|| vec![0; 16]);
        let place = [shared.len() as u64, json.len() as u64].map(u64::to_le_bytes);
        shared.extend_from_slice(&json);
        check_shared(shared.len() as u64)?;
        shared[..8].copy_from_slice(&place[0]);
        shared[8..16].copy_from_slice(&place[1]);
        Ok(shared)
    }
}

/// Refuses coefficients that the host would not hold.
pub(crate) fn check_shared(bytes: u64) -> Result<(), Error> {
    if bytes <= SHARED_BYTES_MAX {
        return Ok(());
    }
    let expected = format!("at most {SHARED_BYTES_MAX} bytes of coefficients");
    Err(Error::calibration("references", expected, format!("{bytes} bytes"), "crop or bin image and references"))
}

/// The shared bytes, seen from a split.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The plan.
    pub job: Job,
}

impl Shared {
    /// Reads the plan.
    pub(crate) fn read(host: &mut dyn Host) -> Result<Self, Error> {
        let mut number = |at: u64| {
            let bytes = host.shared(at, 8).try_into().map(u64::from_le_bytes);
            bytes.map_err(|_| Error::Split("the plan's shared bytes are missing".into()))
        };
        let (at, length) = (number(0)?, number(8)?);
        let job = serde_json::from_slice(&host.shared(at, length)).map_err(|error| Error::Split(error.to_string()))?;
        Ok(Self { job })
    }

    /// Numbers of one band in one array.
    pub(crate) fn row(
        &self,
        host: &mut dyn Host,
        array: u64,
        band: u64,
        sample: u64,
        samples: u64,
    ) -> Result<Vec<f32>, Error> {
        let image = &self.job.layout.image;
        let first = (array * image.bands + band) * image.samples + sample;
        let bytes = host.shared(ARRAYS_AT + first * 4, samples * 4);
        if bytes.len() as u64 != samples * 4 {
            let text = format!("expected {} bytes of shared array {array}, found {}", samples * 4, bytes.len());
            return Err(Error::Split(text));
        }
        Ok(bytes.as_chunks().0.iter().map(|item| f32::from_le_bytes(*item)).collect())
    }
}

/// Which windows a split reads, and whether it sends what stands once per payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Context {
    /// First window.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// Whether it is the first split.
    pub leads: bool,
}

impl Context {
    /// As the host keeps it.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = self.first.to_le_bytes().to_vec();
        bytes.extend(self.count.to_le_bytes());
        bytes.push(u8::from(self.leads));
        bytes
    }

    /// Back from the host.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let number = |from: usize| Some(u64::from_le_bytes(bytes.get(from..from + 8)?.try_into().ok()?));
        match (number(0), number(8), bytes.get(16), bytes.len()) {
            (Some(first), Some(count), Some(leads), 17) => Ok(Self { first, count, leads: *leads == 1 }),
            _ => Err(Error::Split(format!("expected a context of 17 bytes, found {}", bytes.len()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_round_trip() {
        let context = Context { first: 7, count: 9, leads: true };
        assert_eq!(Context::from_bytes(&context.to_bytes()), Ok(context));
        assert!(Context::from_bytes(&[1, 2]).is_err());
    }
}
