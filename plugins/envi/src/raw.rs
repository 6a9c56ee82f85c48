//! Raw numbers: bytes of either order to Rust's types, and those to the columns' precision.
#![expect(clippy::cast_possible_truncation, reason = "conversions round or are compared with what they came from")]

use crate::decode::ByteOrder;

/// A raw number.
pub(crate) trait Raw: Copy + PartialEq + PartialOrd + Default + std::fmt::Debug + 'static {
    /// Bytes of one.
    const BYTES: usize;
    /// Whether it can be NaN or infinite.
    const FLOAT: bool;

    /// Numbers that lie one after the other.
    fn decode(bytes: &[u8], order: ByteOrder, out: &mut [Self]);

    /// Numbers that lie `stride` bytes apart, from the first byte on.
    fn decode_strided(bytes: &[u8], stride: usize, order: ByteOrder, out: &mut [Self]);

    /// A text as this type; none where it cannot hold the number, so that no pixel can equal it.
    fn parse(text: &str) -> Option<Self>;

    /// The smallest number of this type that is not below `limit`; none where there is none.
    fn at_least(limit: f64) -> Option<Self>;

    /// As single precision, rounded to nearest.
    fn to_f32(self) -> f32;

    /// As double precision, rounded to nearest.
    fn to_f64(self) -> f64;

    /// Neither NaN nor infinite.
    fn finite(self) -> bool;
}

macro_rules! raw {
    ($($type:ty, $float:literal, $finite:expr;)*) => {$(
        impl Raw for $type {
            const BYTES: usize = size_of::<$type>();
            const FLOAT: bool = $float;

            fn decode(bytes: &[u8], order: ByteOrder, out: &mut [Self]) {
                let (items, _) = bytes.as_chunks::<{ size_of::<$type>() }>();
                match order {
                    ByteOrder::Little => out.iter_mut().zip(items).for_each(|(o, i)| *o = Self::from_le_bytes(*i)),
                    ByteOrder::Big => out.iter_mut().zip(items).for_each(|(o, i)| *o = Self::from_be_bytes(*i)),
                }
            }

            fn decode_strided(bytes: &[u8], stride: usize, order: ByteOrder, out: &mut [Self]) {
                for (o, item) in out.iter_mut().zip(bytes.chunks(stride)) {
                    let item = item.first_chunk().copied().unwrap_or_default();
                    *o = match order {
                        ByteOrder::Little => Self::from_le_bytes(item),
                        ByteOrder::Big => Self::from_be_bytes(item),
                    };
                }
            }

            fn parse(text: &str) -> Option<Self> {
                if let Ok(number) = text.parse() {
                    return Some(number);
                }
                let wide: f64 = text.parse().ok()?;
                let narrow = wide as Self;
                (narrow.to_f64() == wide).then_some(narrow)
            }

            fn at_least(limit: f64) -> Option<Self> {
                let number = (if $float { limit } else { limit.ceil() }) as Self;
                (number.to_f64() >= limit).then_some(number)
            }

            #[inline]
            fn to_f32(self) -> f32 {
                self as f32
            }

            #[inline]
            fn to_f64(self) -> f64 {
                self as f64
            }

            #[inline]
            fn finite(self) -> bool {
                let check: fn($type) -> bool = $finite;
                check(self)
            }
        }
    )*};
}

raw! {
    u8, false, |_| true;
    i16, false, |_| true;
    i32, false, |_| true;
    f32, true, f32::is_finite;
    f64, true, f64::is_finite;
    u16, false, |_| true;
    u32, false, |_| true;
    i64, false, |_| true;
    u64, false, |_| true;
}

/// Runs an expression with `$raw` standing for the Rust type of a `DataType`.
macro_rules! with_raw {
    ($data_type:expr, $raw:ident => $body:expr) => {
        match $data_type {
            $crate::decode::DataType::U8 => {
                type $raw = u8;
                $body
            }
            $crate::decode::DataType::I16 => {
                type $raw = i16;
                $body
            }
            $crate::decode::DataType::I32 => {
                type $raw = i32;
                $body
            }
            $crate::decode::DataType::F32 => {
                type $raw = f32;
                $body
            }
            $crate::decode::DataType::F64 => {
                type $raw = f64;
                $body
            }
            $crate::decode::DataType::U16 => {
                type $raw = u16;
                $body
            }
            $crate::decode::DataType::U32 => {
                type $raw = u32;
                $body
            }
            $crate::decode::DataType::I64 => {
                type $raw = i64;
                $body
            }
            $crate::decode::DataType::U64 => {
                type $raw = u64;
                $body
            }
        }
    };
}
pub(crate) use with_raw;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_orders_and_strides_decode() {
        let mut out = [0_u16; 2];
        u16::decode(&[1, 2, 3, 4], ByteOrder::Little, &mut out);
        assert_eq!(out, [0x0201, 0x0403]);
        u16::decode(&[1, 2, 3, 4], ByteOrder::Big, &mut out);
        assert_eq!(out, [0x0102, 0x0304]);
        u16::decode_strided(&[1, 2, 9, 3, 4], 3, ByteOrder::Big, &mut out);
        assert_eq!(out, [0x0102, 0x0304]);
        let mut wide = [0.0_f64];
        f64::decode(&(-2.5_f64).to_be_bytes(), ByteOrder::Big, &mut wide);
        assert_eq!(wide, [-2.5]);
    }

    #[test]
    fn no_data_is_compared_in_the_raw_type() {
        assert_eq!(i16::parse("-9999"), Some(-9999));
        assert_eq!(i16::parse("-9999.0"), Some(-9999));
        assert_eq!(u16::parse("-9999"), None);
        assert_eq!(u8::parse("0.5"), None);
        assert_eq!(i64::parse("9007199254740993"), Some(9_007_199_254_740_993));
        assert_eq!(f32::parse("-3.40282347e+38"), Some(f32::MIN));
    }

    #[test]
    fn saturation_takes_the_next_number_of_the_type() {
        assert_eq!(u16::at_least(4094.5), Some(4095));
        assert_eq!(u16::at_least(70_000.0), None);
        assert_eq!(f32::at_least(1.5), Some(1.5));
    }
}
