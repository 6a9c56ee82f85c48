//! A cube's array as its `zarr.json` tells it, and where the bytes of its chunks lie in the image.

use serde_json::Value;

/// Shape and chunks of a three-dimensional array in C order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Array {
    shape: [u64; 3],
    chunk: [u64; 3],
    item_bytes: u64,
}

/// A run of a decoded chunk and where it goes in the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) chunk_offset: u64,
    pub(super) image_offset: u64,
    pub(super) length: u64,
}

impl Array {
    /// Reads the metadata of a Zarr v3 array; none where it is not one of three dimensions.
    pub(super) fn of_zarr(text: &str) -> Option<Self> {
        let json: Value = serde_json::from_str(text).ok()?;
        let numbers = |value: &Value| -> Option<[u64; 3]> {
            let list: Vec<u64> = value.as_array()?.iter().map(Value::as_u64).collect::<Option<_>>()?;
            list.try_into().ok()
        };
        let chunk = numbers(json.pointer("/chunk_grid/configuration/chunk_shape")?)?;
        let bits: u64 = json.get("data_type")?.as_str()?.trim_start_matches(char::is_alphabetic).parse().ok()?;
        let shape = numbers(json.get("shape")?)?;
        (chunk.iter().all(|edge| *edge > 0)).then_some(Self { shape, chunk, item_bytes: bits / 8 })
    }

    /// Bytes of a decoded chunk: edge chunks are as large as any.
    pub(super) fn chunk_bytes(&self) -> u64 {
        self.chunk.iter().product::<u64>() * self.item_bytes
    }

    /// Bytes of the whole array.
    pub(super) fn image_bytes(&self) -> u64 {
        self.shape.iter().product::<u64>() * self.item_bytes
    }

    /// The runs of the chunk with these indices, longest possible first dimension last; none where it lies outside.
    pub(super) fn runs(&self, index: [u64; 3]) -> Option<Vec<Run>> {
        let mut first = [0; 3];
        let mut count = [0; 3];
        for axis in 0..3 {
            first[axis] = index[axis].checked_mul(self.chunk[axis]).filter(|first| *first < self.shape[axis])?;
            count[axis] = self.chunk[axis].min(self.shape[axis] - first[axis]);
        }
        let mut runs: Vec<Run> = Vec::new();
        for x in 0..count[0] {
            for y in 0..count[1] {
                let run = Run {
                    chunk_offset: (x * self.chunk[1] + y) * self.chunk[2] * self.item_bytes,
                    image_offset: (((first[0] + x) * self.shape[1] + first[1] + y) * self.shape[2] + first[2])
                        * self.item_bytes,
                    length: count[2] * self.item_bytes,
                };
                match runs.last_mut() {
                    Some(last)
                        if last.chunk_offset + last.length == run.chunk_offset
                            && last.image_offset + last.length == run.image_offset =>
                    {
                        last.length += run.length;
                    }
                    _ => runs.push(run),
                }
            }
        }
        Some(runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(shape: [u64; 3], chunk: [u64; 3]) -> Array {
        Array { shape, chunk, item_bytes: 2 }
    }

    #[test]
    fn every_byte_of_the_image_comes_from_exactly_one_chunk() {
        for (shape, chunk) in [([5, 4, 3], [2, 4, 3]), ([5, 4, 7], [5, 2, 3]), ([1, 1, 1], [4, 4, 4])] {
            let array = array(shape, chunk);
            let mut seen = vec![0; usize::try_from(array.image_bytes()).unwrap()];
            let chunks: Vec<u64> = (0..3).map(|axis| shape[axis].div_ceil(chunk[axis])).collect();
            for x in 0..chunks[0] {
                for y in 0..chunks[1] {
                    for z in 0..chunks[2] {
                        for run in array.runs([x, y, z]).unwrap() {
                            assert!(run.chunk_offset + run.length <= array.chunk_bytes());
                            for byte in run.image_offset..run.image_offset + run.length {
                                seen[usize::try_from(byte).unwrap()] += 1;
                            }
                        }
                    }
                }
            }
            assert!(seen.iter().all(|count| *count == 1), "{shape:?} {chunk:?}");
            assert!(array.runs([chunks[0], 0, 0]).is_none());
        }
    }

    #[test]
    fn whole_rows_are_one_run() {
        assert_eq!(array([6, 4, 3], [2, 4, 3]).runs([1, 0, 0]).unwrap().len(), 1);
    }

    #[test]
    fn reads_zarr_metadata() {
        let text = r#"{"shape":[5,4,3],"data_type":"uint16","chunk_grid":{"name":"regular","configuration":{"chunk_shape":[2,4,3]}}}"#;
        assert_eq!(Array::of_zarr(text), Some(array([5, 4, 3], [2, 4, 3])));
        assert_eq!(Array::of_zarr("{}"), None);
    }
}
