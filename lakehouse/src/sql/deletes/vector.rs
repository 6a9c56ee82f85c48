//! Deletion vectors: one bitmap of deleted rows per data file, a blob in a Puffin file.

use datafusion::error::Result;
use object_store::ObjectStoreExt;
use roaring::RoaringTreemap;

use super::Reader;
use crate::Error;
use crate::sql::files::LiveFile;

/// Length before, checksum after; the magic number counts as content.
const LENGTH_BYTES: usize = 4;
const CHECKSUM_BYTES: usize = 4;
const MAGIC: [u8; 4] = [0xD1, 0xD3, 0x39, 0x64];

pub(super) async fn read(reader: &Reader<'_>, vector: &LiveFile) -> Result<RoaringTreemap> {
    let file = vector.data_file();
    let damaged = |found: &str| {
        Error::Invalid(format!("expected a deletion vector in `{}`, found {found}", file.file_path())).into()
    };
    let place = file.content_offset().zip(file.content_size_in_bytes());
    let place = place.and_then(|(offset, size)| Some((u64::try_from(offset).ok()?, u64::try_from(size).ok()?)));
    let Some((offset, size)) = place else { return Err(damaged("no place of one in the metadata")) };
    let location = reader.location(file.file_path())?;
    let blob = reader.store.get_range(&location, offset..offset + size).await?;
    decode(&blob).ok_or_else(|| damaged("other bytes"))
}

fn decode(blob: &[u8]) -> Option<RoaringTreemap> {
    let (length, rest) = blob.split_at_checked(LENGTH_BYTES)?;
    let (content, checksum) = rest.split_at_checked(rest.len().checked_sub(CHECKSUM_BYTES)?)?;
    let length = usize::try_from(u32::from_be_bytes(length.try_into().ok()?)).ok()?;
    let mut crc = flate2::Crc::new();
    crc.update(content);
    if length != content.len() || crc.sum() != u32::from_be_bytes(checksum.try_into().ok()?) {
        return None;
    }
    RoaringTreemap::deserialize_from(content.strip_prefix(&MAGIC)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(rows: &RoaringTreemap) -> Vec<u8> {
        let mut content = MAGIC.to_vec();
        rows.serialize_into(&mut content).unwrap();
        let mut crc = flate2::Crc::new();
        crc.update(&content);
        let length = u32::try_from(content.len()).unwrap();
        [length.to_be_bytes().to_vec(), content, crc.sum().to_be_bytes().to_vec()].concat()
    }

    #[test]
    fn a_vector_comes_back_and_a_damaged_one_does_not() {
        let rows = RoaringTreemap::from_iter([0, 7, 1 << 33]);
        let mut bytes = blob(&rows);
        assert_eq!(decode(&bytes), Some(rows));
        bytes[12] ^= 1;
        assert_eq!(decode(&bytes), None);
        assert_eq!(decode(&bytes[..3]), None);
    }
}
