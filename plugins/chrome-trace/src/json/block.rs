//! Many bytes looked at together: bit n of a mask is byte n. In a guest these are vector instructions; a native build,
//! which only tests use, says the same byte by byte.

/// Bytes of one look at a string.
pub(crate) const SHORT: usize = 16;
/// Bytes of one look at a number.
pub(crate) const NUMBER: usize = 32;
/// Bytes of one look at nested values.
pub(crate) const LONG: usize = 64;

/// What a reader of strings asks about sixteen bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    /// Quotes, backslashes and control characters.
    pub(crate) special: u32,
    /// Bytes beyond ASCII.
    pub(crate) high: u32,
}

/// What a reader of nested values asks about 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Structure {
    pub(crate) quotes: u64,
    pub(crate) backslashes: u64,
    /// `{` and `[`.
    pub(crate) opening: u64,
    /// `}` and `]`.
    pub(crate) closing: u64,
}

/// The next so many bytes from `at` on, where there are as many.
#[inline(always)]
pub(crate) fn at<const N: usize>(bytes: &[u8], at: usize) -> Option<&[u8; N]> {
    bytes.get(at..)?.first_chunk()
}

pub(crate) use lanes::{digits, quotes_and_backslashes, structure, text};

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod lanes {
    use core::arch::wasm32::{
        u8x16_bitmask, u8x16_eq, u8x16_lt, u8x16_splat, u8x16_sub, u64x2, v128, v128_and, v128_or,
    };

    use super::{LONG, NUMBER, SHORT, Structure, Text};

    #[inline(always)]
    fn load(bytes: &[u8; SHORT]) -> v128 {
        let (words, _) = bytes.as_chunks::<8>();
        u64x2(u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1]))
    }

    #[inline(always)]
    fn is(lanes: v128, byte: u8) -> v128 {
        u8x16_eq(lanes, u8x16_splat(byte))
    }

    #[inline(always)]
    pub(crate) fn text(bytes: &[u8; SHORT]) -> Text {
        let lanes = load(bytes);
        let special = v128_or(v128_or(is(lanes, b'"'), is(lanes, b'\\')), u8x16_lt(lanes, u8x16_splat(0x20)));
        Text { special: u8x16_bitmask(special).into(), high: u8x16_bitmask(lanes).into() }
    }

    #[inline(always)]
    pub(crate) fn quotes_and_backslashes(bytes: &[u8; SHORT]) -> u32 {
        let lanes = load(bytes);
        u8x16_bitmask(v128_or(is(lanes, b'"'), is(lanes, b'\\'))).into()
    }

    /// Which of the bytes are digits.
    #[inline(always)]
    pub(crate) fn digits(bytes: &[u8; NUMBER]) -> u64 {
        let (halves, _) = bytes.as_chunks::<SHORT>();
        let digits = |half| u8x16_bitmask(u8x16_lt(u8x16_sub(load(half), u8x16_splat(b'0')), u8x16_splat(10)));
        u64::from(digits(&halves[0])) | u64::from(digits(&halves[1])) << SHORT
    }

    #[inline(always)]
    pub(crate) fn structure(bytes: &[u8; LONG]) -> Structure {
        let mut found = Structure { quotes: 0, backslashes: 0, opening: 0, closing: 0 };
        let (quarters, _) = bytes.as_chunks::<SHORT>();
        for (quarter, shift) in quarters.iter().zip([0, 16, 32, 48]) {
            let lanes = load(quarter);
            // Braces and brackets differ in this bit alone.
            let brackets = v128_and(lanes, u8x16_splat(!0x20));
            found.quotes |= u64::from(u8x16_bitmask(is(lanes, b'"'))) << shift;
            found.backslashes |= u64::from(u8x16_bitmask(is(lanes, b'\\'))) << shift;
            found.opening |= u64::from(u8x16_bitmask(is(brackets, b'['))) << shift;
            found.closing |= u64::from(u8x16_bitmask(is(brackets, b']'))) << shift;
        }
        found
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod lanes {
    use super::{LONG, NUMBER, SHORT, Structure, Text};

    fn mask(bytes: &[u8], is: impl Fn(u8) -> bool) -> u64 {
        bytes.iter().enumerate().fold(0, |mask, (at, byte)| mask | u64::from(is(*byte)) << at)
    }

    fn short(bytes: &[u8; SHORT], is: impl Fn(u8) -> bool) -> u32 {
        bytes.iter().enumerate().fold(0, |mask, (at, byte)| mask | u32::from(is(*byte)) << at)
    }

    pub(crate) fn text(bytes: &[u8; SHORT]) -> Text {
        let special = short(bytes, |byte| matches!(byte, b'"' | b'\\' | 0..0x20));
        Text { special, high: short(bytes, |byte| !byte.is_ascii()) }
    }

    pub(crate) fn quotes_and_backslashes(bytes: &[u8; SHORT]) -> u32 {
        short(bytes, |byte| matches!(byte, b'"' | b'\\'))
    }

    pub(crate) fn digits(bytes: &[u8; NUMBER]) -> u64 {
        mask(bytes, |byte| byte.is_ascii_digit())
    }

    pub(crate) fn structure(bytes: &[u8; LONG]) -> Structure {
        Structure {
            quotes: mask(bytes, |byte| byte == b'"'),
            backslashes: mask(bytes, |byte| byte == b'\\'),
            opening: mask(bytes, |byte| matches!(byte, b'{' | b'[')),
            closing: mask(bytes, |byte| matches!(byte, b'}' | b']')),
        }
    }
}
