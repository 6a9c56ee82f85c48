//! Length of a Parquet page header: the bytes before a chunk. Parquet writes it in Thrift's compact protocol
//! (thrift `doc/specs/thrift-compact-protocol.md`); only its extent is needed, so values are skipped, not kept.

/// A header that is cut off or nested beyond what Parquet writes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a Parquet page header, found bytes that are not one")]
pub(super) struct NotAPageHeader;

const DEPTH_MAX: u32 = 8;

/// How many bytes the page header at the start of `bytes` takes.
pub(super) fn length(bytes: &[u8]) -> Result<usize, NotAPageHeader> {
    let mut cursor = Cursor { bytes, at: 0 };
    cursor.skip_struct(0)?;
    Ok(cursor.at)
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn byte(&mut self) -> Result<u8, NotAPageHeader> {
        let byte = *self.bytes.get(self.at).ok_or(NotAPageHeader)?;
        self.at += 1;
        Ok(byte)
    }

    fn varint(&mut self) -> Result<u64, NotAPageHeader> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(NotAPageHeader)
    }

    fn advance(&mut self, count: u64) -> Result<(), NotAPageHeader> {
        let count = usize::try_from(count).map_err(|_| NotAPageHeader)?;
        self.at = self.at.checked_add(count).filter(|at| *at <= self.bytes.len()).ok_or(NotAPageHeader)?;
        Ok(())
    }

    fn skip_struct(&mut self, depth: u32) -> Result<(), NotAPageHeader> {
        if depth > DEPTH_MAX {
            return Err(NotAPageHeader);
        }
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(());
            }
            if head >> 4 == 0 {
                self.varint()?; // a field id that is not a small step from the one before
            }
            self.skip_value(head & 0x0f, depth)?;
        }
    }

    fn skip_value(&mut self, kind: u8, depth: u32) -> Result<(), NotAPageHeader> {
        match kind {
            1 | 2 => Ok(()), // true and false stand in the field's head
            3 => self.advance(1),
            4..=6 => self.varint().map(|_| ()),
            7 => self.advance(8),
            8 => {
                let count = self.varint()?;
                self.advance(count)
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                (0..count).try_for_each(|_| self.skip_value(head & 0x0f, depth + 1))
            }
            12 => self.skip_struct(depth + 1),
            _ => Err(NotAPageHeader),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_page_header_has_its_length() {
        // type i32 = 0, sizes, then a nested data page header of four fields.
        let header = [0x15, 0x00, 0x15, 0x80, 0x01, 0x15, 0x80, 0x01, 0x2c, 0x15, 2, 0x15, 0, 0x15, 6, 0x15, 6, 0, 0];
        let mut page = header.to_vec();
        page.extend([9; 40]);
        assert_eq!(length(&page), Ok(header.len()));
        assert_eq!(length(&header[..10]), Err(NotAPageHeader));
        assert_eq!(length(&[]), Err(NotAPageHeader));
    }
}
