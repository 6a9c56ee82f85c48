//! From raw numbers to values, run by run: the loops that touch every number of a cube. A run is consecutive samples
//! of one line and band. All arithmetic is plain IEEE 754 in a fixed order, so that any other tool that writes the
//! same formula gets the same bits.

use sluice_plugin_sdk::Values;

use crate::raw::Raw;

/// How raw numbers of a band become values.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scale<'a> {
    /// As they are.
    Identity,
    /// `raw * gain + offset` in double precision, rounded once.
    Linear {
        /// Factor.
        gain: f64,
        /// Summand.
        offset: f64,
    },
    /// `(raw - dark) * gain` in single precision, with one pair per sample.
    Elements {
        /// Dark level of each sample of the run.
        dark: &'a [f32],
        /// Gain of each sample of the run.
        gain: &'a [f32],
    },
}

/// How values of a band are rounded for silver.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Rounding {
    /// Not at all.
    Exact,
    /// To the nearest multiple of a power of two.
    Step(f32),
    /// To so many bits of mantissa.
    Mantissa(u32),
}

/// A column's precision.
pub(crate) trait Output: Copy + Default + 'static {
    /// Fills `out` with the values of `run`.
    fn apply<T: Raw>(run: &[T], scale: Scale<'_>, out: &mut [Self]);

    /// Rounds values in place.
    fn round(values: &mut [Self], rounding: Rounding);

    /// Neither NaN nor infinite.
    fn finite(self) -> bool;

    /// As a column.
    fn column(values: Vec<Self>) -> Values;
}

impl Output for f32 {
    #[expect(clippy::cast_possible_truncation, reason = "rounds to nearest")]
    fn apply<T: Raw>(run: &[T], scale: Scale<'_>, out: &mut [Self]) {
        match scale {
            Scale::Identity => out.iter_mut().zip(run).for_each(|(o, raw)| *o = raw.to_f32()),
            Scale::Linear { gain, offset } => {
                out.iter_mut().zip(run).for_each(|(o, raw)| *o = (raw.to_f64() * gain + offset) as Self);
            }
            Scale::Elements { dark, gain } => {
                for (((o, raw), dark), gain) in out.iter_mut().zip(run).zip(dark).zip(gain) {
                    *o = (raw.to_f32() - dark) * gain;
                }
            }
        }
    }

    fn round(values: &mut [Self], rounding: Rounding) {
        match rounding {
            Rounding::Exact => {}
            Rounding::Step(step) => round_to_step(values, step),
            Rounding::Mantissa(bits) => keep_mantissa(values, bits),
        }
    }

    fn finite(self) -> bool {
        self.is_finite()
    }

    fn column(values: Vec<Self>) -> Values {
        Values::Float32(values)
    }
}

impl Output for f64 {
    fn apply<T: Raw>(run: &[T], scale: Scale<'_>, out: &mut [Self]) {
        match scale {
            Scale::Identity => out.iter_mut().zip(run).for_each(|(o, raw)| *o = raw.to_f64()),
            Scale::Linear { gain, offset } => {
                out.iter_mut().zip(run).for_each(|(o, raw)| *o = raw.to_f64() * gain + offset);
            }
            Scale::Elements { dark, gain } => {
                for (((o, raw), dark), gain) in out.iter_mut().zip(run).zip(dark).zip(gain) {
                    *o = (raw.to_f64() - Self::from(*dark)) * Self::from(*gain);
                }
            }
        }
    }

    /// Double columns hold coordinates and times: they stay exact.
    fn round(_values: &mut [Self], _rounding: Rounding) {}

    fn finite(self) -> bool {
        self.is_finite()
    }

    fn column(values: Vec<Self>) -> Values {
        Values::Float64(values)
    }
}

/// Adding and taking away 1.5 * 2^23 steps leaves no place for less than a step. Above 2^22 steps single precision is
/// itself as coarse as half a step, so such values stay.
fn round_to_step(values: &mut [f32], step: f32) {
    let magic = step * 12_582_912.0;
    let limit = step * 4_194_304.0;
    for value in values {
        let rounded = (*value + magic) - magic;
        *value = if value.abs() < limit { rounded } else { *value };
    }
}

/// Half to even, as IEEE 754 rounds; where that would leave the finite range, towards zero.
fn keep_mantissa(values: &mut [f32], bits: u32) {
    let shift = f32::MANTISSA_DIGITS - 1 - bits.clamp(1, f32::MANTISSA_DIGITS - 1);
    if shift == 0 {
        return;
    }
    let mask = !((1_u32 << shift) - 1);
    let exponent = f32::INFINITY.to_bits();
    for value in values {
        let raw = value.to_bits();
        let carried = raw.wrapping_add(((raw >> shift) & 1) + (1 << (shift - 1)) - 1) & mask;
        let kept = if carried & exponent == exponent { raw & mask } else { carried };
        *value = if raw & exponent == exponent { *value } else { f32::from_bits(kept) };
    }
}

/// What raw numbers mean that are not measurements.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks<T> {
    /// The number that says "no data".
    pub ignore: Option<T>,
    /// Numbers from here on are saturated.
    pub saturation: Option<T>,
}

impl<T: Raw> Marks<T> {
    /// Whether this number is no measurement.
    pub(crate) fn is_void(&self, raw: T) -> bool {
        self.ignore == Some(raw) || !raw.finite()
    }

    /// Whether this number lies at the sensor's end.
    pub(crate) fn is_saturated(&self, raw: T) -> bool {
        self.saturation.is_some_and(|limit| raw >= limit)
    }

    /// Whether a run holds any number that is void or saturated.
    pub(crate) fn any(&self, run: &[T]) -> bool {
        // Folds without an early end, so that they are vectorised.
        let mut found = false;
        if let Some(ignore) = self.ignore {
            found |= run.iter().fold(false, |any, raw| any | (*raw == ignore));
        }
        if let Some(limit) = self.saturation {
            found |= run.iter().fold(false, |any, raw| any | (*raw >= limit));
        }
        if T::FLOAT {
            found |= run.iter().fold(false, |any, raw| any | !raw.finite());
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rounded(value: f32, rounding: Rounding) -> f32 {
        let mut values = [value];
        <f32 as Output>::round(&mut values, rounding);
        values[0]
    }

    #[test]
    fn linear_scaling_equals_division_for_every_count() {
        let raw: Vec<u16> = (0..=u16::MAX).collect();
        let mut out = vec![0_f32; raw.len()];
        f32::apply(&raw, Scale::Linear { gain: 1.0 / 10_000.0, offset: 0.0 }, &mut out);
        for (raw, value) in raw.iter().zip(out) {
            assert_eq!(value.to_bits(), (f32::from(*raw) / 10_000.0).to_bits());
        }
    }

    #[test]
    fn elements_subtract_before_they_multiply() {
        let mut out = [0_f32; 2];
        f32::apply(&[100_u16, 7], Scale::Elements { dark: &[90.5, 10.0], gain: &[0.1, 0.5] }, &mut out);
        assert_eq!(out, [(100.0_f32 - 90.5) * 0.1, -1.5]);
    }

    #[test]
    fn marks_find_what_is_no_measurement() {
        let marks = Marks { ignore: Some(0_u16), saturation: Some(4095) };
        assert!(!marks.any(&[1, 2, 4094]));
        assert!(marks.any(&[1, 0]) && marks.any(&[4095]));
        let marks: Marks<f32> = Marks { ignore: None, saturation: None };
        assert!(marks.any(&[1.0, f32::NAN]) && marks.any(&[f32::INFINITY]) && !marks.any(&[1.0]));
    }

    proptest! {
        #[test]
        fn steps_err_by_half_a_step_at_most(value in -1.0e9_f32..1.0e9, exponent in -20_i32..3) {
            let step = 2_f32.powi(exponent);
            let result = rounded(value, Rounding::Step(step));
            prop_assert!((f64::from(result) - f64::from(value)).abs() <= f64::from(step) / 2.0);
            if value.abs() < step * 4_000_000.0 {
                prop_assert_eq!((f64::from(result) / f64::from(step)).fract(), 0.0);
            }
        }

        #[test]
        fn mantissas_err_by_half_a_bit_at_most(value in any::<f32>(), bits in 1_u32..=23) {
            let result = rounded(value, Rounding::Mantissa(bits));
            if !value.is_finite() {
                prop_assert_eq!(result.to_bits(), value.to_bits());
            } else if value.is_normal() {
                prop_assert!(result.is_finite());
                let ulps = 2_f64.powi(if result.abs() < value.abs() && value.abs() > 1.0e38 { 0 } else { -1 });
                let bound = f64::from(value).abs() * 2_f64.powi(-i32::try_from(bits).unwrap()) * ulps;
                prop_assert!((f64::from(result) - f64::from(value)).abs() <= bound);
                prop_assert_eq!(result.to_bits() & ((1 << (23 - bits)) - 1), 0);
            }
        }
    }
}
