use std::ops::Range;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use sluice_durable::Step;

use super::{Failed, Source, Transfer, of_source};
use crate::Error;
use crate::storage::{Part, Upload, Written, is_unsupported};

/// Copied by one request. A store takes up to 5 GiB; smaller parts are copied side by side.
const COPY_PART_BYTES: u64 = 128 << 20;
const COPIES_AT_ONCE: usize = 4;
/// Held in memory where the store cannot copy.
const PUT_PART_BYTES: u64 = 16 << 20;
/// A store takes 10,000; the last is the footer.
const BODY_PARTS_MAX: u64 = 9_999;

impl Transfer<'_> {
    /// Makes the object from parts that the store copies, or that pass through here where it cannot.
    pub(super) async fn in_parts(&self, source: &Source<'_>) -> Result<Written, Failed> {
        let failed = |error| Failed::Error(Error::store("put", &self.to.to_string())(error));
        let upload = self.session.begin(self.to).await.map_err(failed)?;
        let parts = match self.parts(&upload, source).await {
            Ok(parts) => parts,
            Err(error) => {
                upload.abort().await;
                return Err(error);
            }
        };
        let completing = upload.complete(parts, source.stamped_bytes());
        match Step::LandFile.run_async(completing).await {
            Ok(written) => {
                if written == Written::Before {
                    upload.abort().await;
                }
                Ok(written)
            }
            // Whether it is done is read, never assumed.
            Err(_) if self.is_there(source).await? => Ok(Written::Ours),
            Err(error) => {
                upload.abort().await;
                Err(failed(error))
            }
        }
    }

    /// The parts of the stamped file.
    async fn parts(&self, upload: &Upload<'_>, source: &Source<'_>) -> Result<Vec<Part>, Failed> {
        let mut parts = match self.copy(upload, source).await {
            Err(error) if is_unsupported(&error) => {
                tracing::debug!(%error, "the store cannot copy parts: they pass through here");
                self.pass_on(upload, source).await?
            }
            copied => copied.map_err(of_source("copy", source.name))?,
        };
        let number = number_after(&parts);
        let footer = Bytes::from(source.stamped.footer.clone());
        let put = upload.put(number, footer).await;
        parts.push(put.map_err(Error::store("put a footer to", &self.to.to_string()))?);
        Ok(parts)
    }

    async fn copy(&self, upload: &Upload<'_>, source: &Source<'_>) -> object_store::Result<Vec<Part>> {
        let copies = ranges(source.stamped.body_bytes, COPY_PART_BYTES).enumerate().map(|(index, range)| {
            let number = i32::try_from(index + 1).unwrap_or(i32::MAX);
            upload.copy(number, source.name, &source.facts, range)
        });
        stream::iter(copies).buffered(COPIES_AT_ONCE).try_collect().await
    }

    /// Reads the body part by part, hashes it, and sends it again.
    async fn pass_on(&self, upload: &Upload<'_>, source: &Source<'_>) -> Result<Vec<Part>, Failed> {
        let mut hasher = blake3::Hasher::new();
        let mut parts = Vec::new();
        for range in ranges(source.stamped.body_bytes, PUT_PART_BYTES) {
            let got = self.session.get(source.name, range, &source.facts.etag).await;
            let bytes = got.map_err(of_source("read", source.name))?;
            hasher.update(&bytes);
            let put = upload.put(number_after(&parts), bytes).await;
            parts.push(put.map_err(Error::store("put a part of", &self.to.to_string()))?);
        }
        let digest = hasher.update(&source.found.end).finalize().into();
        self.work.check(source.name, "BLAKE3", &self.work.file.blake3, &digest)?;
        Ok(parts)
    }
}

/// The number of the next part: they are numbered from 1.
fn number_after(parts: &[Part]) -> i32 {
    i32::try_from(parts.len() + 1).unwrap_or(i32::MAX)
}

/// Cuts so many bytes into parts of much the same size, none above `part_bytes` unless there would be too many.
fn ranges(bytes: u64, part_bytes: u64) -> impl Iterator<Item = Range<u64>> {
    let count = bytes.div_ceil(part_bytes).clamp(1, BODY_PARTS_MAX);
    let size = bytes.div_ceil(count);
    (0..count).map(move |index| index * size..bytes.min((index + 1) * size)).filter(|range| !range.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::land::object::COPY_BYTES_MIN;

    #[test]
    fn parts_are_even_and_every_store_takes_them() {
        for part_bytes in [COPY_PART_BYTES, PUT_PART_BYTES] {
            for bytes in [COPY_BYTES_MIN, part_bytes - 1, part_bytes, part_bytes + 1, 3 * part_bytes + 7, 5 << 40] {
                let ranges: Vec<_> = ranges(bytes, part_bytes).collect();
                assert_eq!((ranges[0].start, ranges[ranges.len() - 1].end), (0, bytes));
                assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start), "{bytes}");
                assert!(ranges.len() as u64 <= BODY_PARTS_MAX);
                let sizes = || ranges.iter().map(|range| range.end - range.start);
                assert!(sizes().all(|size| (5 << 20..=5 << 30).contains(&size)), "{bytes}: {:?}", sizes().min());
            }
        }
    }
}
