use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use crc_fast::CrcAlgorithm::Crc64Nvme;
use serde::{Deserialize, Serialize};

/// The polynomial as a register that shifts to the right has it.
const POLYNOMIAL: u64 = 0x9a6c_9329_ac4b_c9b5;

/// CRC-64/NVME: the checksum that S3 keeps of a whole object by itself, whoever uploaded it, in however many parts.
/// Written as S3 writes it: base64 of the eight bytes, the highest first.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Crc64(u64);

/// The text is not base64 of eight bytes.
#[derive(Debug, thiserror::Error)]
#[error("expected a CRC64NVME as base64 of 8 bytes, found `{0}`")]
pub struct InvalidCrc64(String);

impl Crc64 {
    /// The checksum of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(crc_fast::checksum(Crc64Nvme, bytes))
    }

    /// What the checksum of a file becomes when its end is exchanged, without its other bytes: they need not be here to
    /// be vouched for.
    #[must_use]
    pub fn with_end_replaced(self, old: &[u8], new: &[u8]) -> Self {
        // The checksum of a whole is that of its start, moved past the end's length, plus that of the end.
        let moved_past_old = self.0 ^ Self::of(old).0;
        let (old_bytes, new_bytes) = (old.len() as u64, new.len() as u64);
        let moved_past_new = match new_bytes.checked_sub(old_bytes) {
            Some(further) => crc_fast::checksum_combine(Crc64Nvme, moved_past_old, 0, further),
            None => moved_back(moved_past_old, 8 * (old_bytes - new_bytes)),
        };
        Self(moved_past_new ^ Self::of(new).0)
    }
}

/// A register as it was so many bits before.
fn moved_back(register: u64, bits: u64) -> u64 {
    (0..bits).fold(register, |register, _| match register >> 63 {
        0 => register << 1,
        _ => (register ^ POLYNOMIAL) << 1 | 1,
    })
}

/// A [`Crc64`] of bytes that come one after another.
pub struct Crc64Hasher(crc_fast::Digest);

impl Crc64Hasher {
    /// Of no bytes yet.
    #[must_use]
    pub fn new() -> Self {
        Self(crc_fast::Digest::new(Crc64Nvme))
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Of all bytes so far.
    #[must_use]
    pub fn finalize(&self) -> Crc64 {
        Crc64(self.0.finalize())
    }
}

impl Default for Crc64Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Crc64Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Crc64Hasher").field(&self.finalize()).finish()
    }
}

impl fmt::Display for Crc64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(self.0.to_be_bytes()))
    }
}

impl fmt::Debug for Crc64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Crc64 {
    type Err = InvalidCrc64;

    fn from_str(text: &str) -> Result<Self, InvalidCrc64> {
        let bytes = BASE64.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(|bytes| Self(u64::from_be_bytes(bytes))).ok_or_else(|| InvalidCrc64(text.to_owned()))
    }
}

impl TryFrom<String> for Crc64 {
    type Error = InvalidCrc64;

    fn try_from(text: String) -> Result<Self, InvalidCrc64> {
        text.parse()
    }
}

impl From<Crc64> for String {
    fn from(crc: Crc64) -> Self {
        crc.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_checksum_of_the_catalogue_and_reads_what_it_writes() {
        let crc = Crc64::of(b"123456789");
        assert_eq!(crc, Crc64(0xae8b_1486_0a79_9888));
        assert_eq!(crc.to_string(), "rosUhgp5mIg=");
        assert_eq!(crc.to_string().parse::<Crc64>().unwrap(), crc);
        let mut hasher = Crc64Hasher::new();
        hasher.update(b"1234");
        hasher.update(b"56789");
        assert_eq!(hasher.finalize(), crc);
        for wrong in ["", "VbD4pg==", "ae8b14860a799888", "rosUhgp5mIg"] {
            assert!(wrong.parse::<Crc64>().unwrap_err().to_string().contains(wrong));
        }
    }

    #[test]
    fn an_end_is_exchanged_without_the_bytes_before_it() {
        let body: Vec<u8> = (0..70_001_u32).map(|number| number.to_le_bytes()[number as usize % 3]).collect();
        let ends: [&[u8]; 5] = [b"", b"x", b"a footer", b"another footer, a longer one", &[0; 3000]];
        for old in ends {
            for new in ends {
                let (before, after) = ([&body, old].concat(), [&body, new].concat());
                assert_eq!(Crc64::of(&before).with_end_replaced(old, new), Crc64::of(&after), "{old:?} {new:?}");
            }
        }
    }
}
