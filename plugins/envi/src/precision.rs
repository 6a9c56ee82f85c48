//! How silver is rounded, per band, and by how much at most.

use serde::{Deserialize, Serialize};

use crate::bits::Bits;
use crate::config::Precision;
use crate::decode::DataType;
use crate::job::Scaling;
use crate::kernel::Rounding;

/// The rounding of every band.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum BandRounding {
    /// None.
    Exact,
    /// To multiples of one step per band; 0 where a band is constant.
    Steps(Vec<Bits>),
    /// To so many bits of mantissa.
    Mantissa(u32),
}

/// A rounding with its bounds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// The rounding.
    pub rounding: BandRounding,
    /// Largest absolute error per band; none where no bound can be given beforehand.
    pub error_max: Vec<Option<f64>>,
}

/// Gains of a band's elements, as the bounds need them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Gains {
    /// The smallest magnitude; 0 where no element has a gain.
    pub smallest: f64,
    /// The largest magnitude of a value that an integer type can give.
    pub largest_value: Option<f64>,
}

impl BandRounding {
    /// The rounding of one band.
    #[expect(clippy::cast_possible_truncation, reason = "a power of two within single precision")]
    pub(crate) fn of(&self, band: usize) -> Rounding {
        match self {
            Self::Exact => Rounding::Exact,
            Self::Steps(steps) => match steps.get(band) {
                Some(step) if step.0 > 0.0 => Rounding::Step(step.0 as f32),
                _ => Rounding::Exact,
            },
            Self::Mantissa(bits) => Rounding::Mantissa(*bits),
        }
    }
}

impl Plan {
    /// Plans the rounding of an image; what is asked for and makes no sense is told.
    pub(crate) fn new(
        precision: Precision,
        data_type: DataType,
        wide: bool,
        scaling: &Scaling,
        elements: Option<&[Gains]>,
        bands: usize,
        warnings: &mut Vec<String>,
    ) -> Self {
        let exact = Self { rounding: BandRounding::Exact, error_max: vec![Some(0.0); bands] };
        let of_band = |band: usize| match (scaling, elements) {
            (Scaling::Elements, Some(gains)) => gains[band],
            (Scaling::Linear { gains, offsets }, _) => of_line(gains[band].0, offsets[band].0, data_type),
            _ => of_line(1.0, 0.0, data_type),
        };
        match precision {
            _ if wide => exact,
            Precision::Exact => exact,
            Precision::Sensor if data_type.is_float() => {
                let text = "`precision`: the image's numbers are no counts, so values stay exact instead of `sensor`";
                warnings.push(text.into());
                exact
            }
            Precision::Sensor if *scaling == Scaling::Identity => exact,
            Precision::Sensor => {
                let steps: Vec<f64> = (0..bands).map(|band| power_of_two_below(of_band(band).smallest)).collect();
                Self {
                    error_max: steps.iter().map(|step| Some(step / 2.0)).collect(),
                    rounding: BandRounding::Steps(steps.into_iter().map(Bits).collect()),
                }
            }
            Precision::Bits(bits) => {
                let share = 2_f64.powi(-1 - i32::try_from(bits).unwrap_or(0));
                Self {
                    rounding: BandRounding::Mantissa(bits),
                    error_max: (0..bands).map(|band| of_band(band).largest_value.map(|v| v * share)).collect(),
                }
            }
        }
    }
}

fn of_line(gain: f64, offset: f64, data_type: DataType) -> Gains {
    let largest_value = data_type.limits().map(|(low, high)| {
        let at = |raw: f64| (raw * gain + offset).abs();
        at(low).max(at(high))
    });
    Gains { smallest: gain.abs(), largest_value }
}

impl Gains {
    /// Of a band whose elements have coefficients of their own; those without any do not count.
    pub(crate) fn of_elements(dark: Option<&[f32]>, gain: &[f32], data_type: DataType) -> Self {
        let (mut smallest, mut largest) = (f64::INFINITY, 0.0_f64);
        for (index, gain) in gain.iter().enumerate().filter(|(_, gain)| gain.is_finite() && **gain != 0.0) {
            let (dark, gain) = (dark.map_or(0.0, |dark| f64::from(dark[index])), f64::from(*gain));
            smallest = smallest.min(gain.abs());
            if let Some((low, high)) = data_type.limits() {
                largest = largest.max(((low - dark) * gain).abs()).max(((high - dark) * gain).abs());
            }
        }
        let smallest = if smallest.is_finite() { smallest } else { 0.0 };
        Self { smallest, largest_value: data_type.limits().map(|_| largest) }
    }
}

/// The largest power of two that is not above a gain; 0 for no gain, and where single precision would not hold it.
fn power_of_two_below(gain: f64) -> f64 {
    const EXPONENT: u64 = 0x7ff0_0000_0000_0000;
    let power = f64::from_bits(gain.to_bits() & EXPONENT);
    if (1e-30..1e30).contains(&power) { power } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(precision: Precision, data_type: DataType, scaling: &Scaling, elements: Option<&[Gains]>) -> Plan {
        Plan::new(precision, data_type, false, scaling, elements, 1, &mut vec![])
    }

    #[test]
    fn sensor_steps_are_at_most_the_smallest_gain() {
        let gain = [0.3, 0.26, f32::INFINITY, f32::NAN];
        let gains = [Gains::of_elements(None, &gain, DataType::U16)];
        let made = plan(Precision::Sensor, DataType::U16, &Scaling::Elements, Some(&gains));
        assert_eq!(made.rounding.of(0), Rounding::Step(0.25));
        assert_eq!(made.error_max, [Some(0.125)]);
    }

    #[test]
    fn counts_need_no_rounding_and_fractions_get_none() {
        assert_eq!(plan(Precision::Sensor, DataType::U16, &Scaling::Identity, None).rounding, BandRounding::Exact);
        let line = Scaling::Linear { gains: vec![Bits(0.1)], offsets: vec![Bits(0.0)] };
        let mut warnings = vec![];
        let made = Plan::new(Precision::Sensor, DataType::F32, false, &line, None, 1, &mut warnings);
        assert_eq!((made.rounding, warnings.len()), (BandRounding::Exact, 1));
    }

    #[test]
    fn mantissas_are_bounded_by_the_largest_value() {
        let line = Scaling::Linear { gains: vec![Bits(2.0)], offsets: vec![Bits(1.0)] };
        let made = plan(Precision::Bits(7), DataType::U8, &line, None);
        assert_eq!(made.error_max, [Some(511.0 / 256.0)]);
        assert_eq!(plan(Precision::Bits(7), DataType::F32, &line, None).error_max, [None]);
    }
}
