//! Texts by number, in the order of their first appearance: the dictionary of a column, and the threads of a trace.
//! The hash has no random seed, because a guest has no randomness and the same bytes must give the same rows.

use sluice_plugin_sdk::VarLen;

/// Distinct byte strings and their indices.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    values: VarLen,
    hashes: Vec<u32>,
    /// Open addressing: index + 1 of a value, or 0.
    slots: Vec<u32>,
}

impl Interner {
    /// The index of `text`, a new one where it was not seen before.
    #[inline]
    pub(crate) fn index(&mut self, text: &[u8]) -> u32 {
        if self.hashes.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let hash = hash(text);
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            match self.slots[slot] {
                0 => break,
                found => {
                    let index = found as usize - 1;
                    if self.hashes[index] == hash && same(self.get(index), text) {
                        return found - 1;
                    }
                }
            }
            slot = (slot + 1) & mask;
        }
        self.values.push(text);
        self.hashes.push(hash);
        let count = u32::try_from(self.hashes.len()).expect("a batch has fewer than 2^32 rows");
        self.slots[slot] = count;
        count - 1
    }

    /// The text with this index.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> &[u8] {
        &self.values.bytes[self.values.offsets[index] as usize..self.values.offsets[index + 1] as usize]
    }

    /// How many texts.
    pub(crate) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Bytes of all texts and their offsets.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        self.values.bytes.len() + self.values.offsets.len() * 4
    }

    /// All texts in order of their indices; none is left.
    pub(crate) fn take(&mut self) -> VarLen {
        self.hashes.clear();
        self.slots.fill(0);
        std::mem::take(&mut self.values)
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(64);
        self.slots = vec![0; size];
        for (index, hash) in self.hashes.iter().enumerate() {
            let mut slot = *hash as usize & (size - 1);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (size - 1);
            }
            self.slots[slot] = u32::try_from(index + 1).expect("a batch has fewer than 2^32 rows");
        }
    }
}

/// Whether two texts are equal, eight bytes at a time: in a guest, comparing slices goes byte by byte.
#[inline(always)]
pub(crate) fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let ((left, left_rest), (right, right_rest)) = (left.as_chunks::<8>(), right.as_chunks::<8>());
    let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    left.iter().zip(right).all(|(left, right)| word(left) == word(right))
        && left_rest.iter().zip(right_rest).all(|(left, right)| left == right)
}

/// Multiply and rotate, eight bytes at a time: names are long, and whoever writes a trace can only slow down its own
/// reading by collisions.
#[inline]
fn hash(text: &[u8]) -> u32 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut state = text.len() as u64;
    let (words, rest) = text.as_chunks::<8>();
    for word in words {
        state = (state.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(FACTOR);
    }
    let mut last = 0;
    for byte in rest {
        last = last << 8 | u64::from(*byte);
    }
    state = (state.rotate_left(5) ^ last).wrapping_mul(FACTOR);
    // The upper half depends on all bytes.
    (state >> 32) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_are_the_same_when_slices_are(left in "[ab]{0,20}", right in "[ab]{0,20}", at in 0..20_usize) {
            let (left, right) = (left.as_bytes(), right.as_bytes());
            prop_assert_eq!(same(left, right), left == right);
            prop_assert!(same(left, left));
            let mut changed = left.to_vec();
            if let Some(byte) = changed.get_mut(at) {
                *byte = b'c';
                prop_assert!(!same(left, &changed));
            }
        }

        #[test]
        fn equal_texts_share_an_index(texts in prop::collection::vec("[ab]{0,12}", 0..500)) {
            let mut interner = Interner::default();
            let mut seen: HashMap<&str, u32> = HashMap::new();
            for _ in 0..2 {
                seen.clear();
                for text in &texts {
                    let next = u32::try_from(seen.len()).unwrap();
                    let expected = *seen.entry(text).or_insert(next);
                    prop_assert_eq!(interner.index(text.as_bytes()), expected);
                }
                prop_assert_eq!(interner.len(), seen.len());
                prop_assert_eq!(interner.take().len(), seen.len());
            }
        }
    }
}
