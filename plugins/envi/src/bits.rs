//! Floats that pass through JSON as their bits: a decimal text would have to be read back exactly by every parser.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A double that serialises as its bits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bits(pub f64);

impl Serialize for Bits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0.to_bits())
    }
}

impl<'de> Deserialize<'de> for Bits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(|bits| Self(f64::from_bits(bits)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_float_survives() {
        for value in [0.1, -0.0, f64::MIN_POSITIVE, f64::INFINITY, f64::NAN, 1.0 / 3.0] {
            let json = serde_json::to_string(&Bits(value)).unwrap();
            assert_eq!(serde_json::from_str::<Bits>(&json).unwrap().0.to_bits(), value.to_bits());
        }
    }
}
