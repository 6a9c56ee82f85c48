//! Columns being filled, row by row, in the form in which they leave.

use sluice_plugin_sdk::{Column, DictionaryValues, ListInt64Values, Values, VarLen};

use crate::interner::{Interner, same};

/// Which rows are present.
#[derive(Debug, Default)]
struct Presence {
    /// Of the rows up to the last absent one; the ones after it are present.
    bits: Vec<u8>,
    rows: usize,
}

impl Presence {
    #[inline]
    fn push(&mut self, present: bool) {
        if !present {
            self.absent();
        }
        self.rows += 1;
    }

    /// The next row is absent.
    #[inline]
    fn absent(&mut self) {
        self.bits.resize(self.rows / 8 + 1, u8::MAX);
        if let Some(last) = self.bits.last_mut() {
            *last &= !(1 << (self.rows % 8));
        }
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        let (rows, capacity) = (self.rows, self.bits.len());
        let mut bits = std::mem::replace(self, Self { bits: Vec::with_capacity(capacity), rows: 0 }).bits;
        if bits.is_empty() {
            return None;
        }
        bits.resize(rows.div_ceil(8), u8::MAX);
        if let Some(last) = bits.last_mut()
            && rows % 8 != 0
        {
            *last &= (1 << (rows % 8)) - 1;
        }
        Some(bits)
    }
}

/// Takes what is in a vector; the next batch will have about as many.
fn taken<T>(items: &mut Vec<T>) -> Vec<T> {
    let capacity = items.len();
    std::mem::replace(items, Vec::with_capacity(capacity))
}

/// A column of numbers.
#[derive(Debug, Default)]
pub(crate) struct Numbers<T> {
    items: Vec<T>,
    presence: Presence,
}

impl<T: Default> Numbers<T> {
    #[inline]
    pub(crate) fn push(&mut self, item: Option<T>) {
        self.presence.push(item.is_some());
        self.items.push(item.unwrap_or_default());
    }

    fn take(&mut self, values: impl FnOnce(Vec<T>) -> Values) -> Column {
        Column { values: values(taken(&mut self.items)), validity: self.presence.take() }
    }
}

impl Numbers<i32> {
    pub(crate) fn column(&mut self) -> Column {
        self.take(Values::Int32)
    }
}

impl Numbers<i64> {
    pub(crate) fn column(&mut self) -> Column {
        self.take(Values::Int64)
    }
}

impl Numbers<f64> {
    pub(crate) fn column(&mut self) -> Column {
        self.take(Values::Float64)
    }
}

/// A column of texts or bytes.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    items: VarLen,
    presence: Presence,
}

impl Texts {
    #[inline]
    pub(crate) fn push(&mut self, item: Option<&[u8]>) {
        self.presence.push(item.is_some());
        match item {
            Some(item) => self.items.push(item),
            None => self.items.push_empty(),
        }
    }

    /// Bytes of all items.
    pub(crate) fn bytes(&self) -> usize {
        self.items.bytes.len()
    }

    fn items(&mut self) -> VarLen {
        let mut next = VarLen::default();
        next.offsets.reserve(self.items.offsets.len());
        next.bytes.reserve(self.items.bytes.len());
        std::mem::replace(&mut self.items, next)
    }

    pub(crate) fn column(&mut self) -> Column {
        Column { values: Values::Utf8(self.items()), validity: self.presence.take() }
    }

    pub(crate) fn binary_column(&mut self) -> Column {
        Column { values: Values::Binary(self.items()), validity: self.presence.take() }
    }
}

/// A column of texts that repeat.
#[derive(Debug, Default)]
pub(crate) struct Repeated {
    keys: Vec<u32>,
    values: Interner,
    presence: Presence,
    last: u32,
}

impl Repeated {
    #[inline]
    pub(crate) fn push(&mut self, item: Option<&[u8]>) {
        self.presence.push(item.is_some());
        let Some(item) = item else {
            self.keys.push(0);
            return;
        };
        if self.values.len() == 0 || !same(self.values.get(self.last as usize), item) {
            self.last = self.values.index(item);
        }
        self.keys.push(self.last);
    }

    /// Bytes of the distinct texts.
    pub(crate) fn bytes(&self) -> usize {
        self.values.bytes()
    }

    pub(crate) fn column(&mut self) -> Column {
        self.last = 0;
        if self.values.len() == 0 && !self.keys.is_empty() {
            // The keys of absent rows point somewhere too.
            self.values.index(b"");
        }
        let values = DictionaryValues { keys: taken(&mut self.keys), values: self.values.take() };
        Column { values: Values::Dictionary(values), validity: self.presence.take() }
    }
}

/// A column of lists of whole numbers.
#[derive(Debug)]
pub(crate) struct Lists {
    offsets: Vec<u32>,
    items: Vec<i64>,
    presence: Presence,
}

impl Default for Lists {
    fn default() -> Self {
        Self { offsets: vec![0], items: vec![], presence: Presence::default() }
    }
}

impl Lists {
    pub(crate) fn push(&mut self, list: Option<&[i64]>) {
        self.presence.push(list.is_some());
        self.items.extend_from_slice(list.unwrap_or_default());
        self.offsets.push(u32::try_from(self.items.len()).expect("a batch has fewer than 2^32 items"));
    }

    /// Bytes of all items.
    pub(crate) fn bytes(&self) -> usize {
        self.items.len() * 8
    }

    pub(crate) fn column(&mut self) -> Column {
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        let values = ListInt64Values { offsets, items: taken(&mut self.items) };
        Column { values: Values::ListInt64(values), validity: self.presence.take() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_rows_are_zero_bits() {
        let mut numbers = Numbers::<i64>::default();
        (0..10).for_each(|n| numbers.push((n % 3 != 1).then_some(n)));
        let column = numbers.column();
        assert_eq!(column.validity, Some(vec![0b0110_1101, 0b11]));
        numbers.push(Some(1));
        assert_eq!(numbers.column().validity, None);
    }

    #[test]
    fn repeated_texts_are_kept_once() {
        let mut column = Repeated::default();
        for text in [None, Some("a"), Some("a"), Some("b"), None, Some("a")] {
            column.push(text.map(str::as_bytes));
        }
        let Column { values: Values::Dictionary(found), validity } = column.column() else { panic!("a dictionary") };
        assert_eq!(found.keys, [0, 0, 0, 1, 0, 0]);
        assert_eq!((found.values.bytes.as_slice(), validity), (&b"ab"[..], Some(vec![0b10_1110])));
        column.push(None);
        let Column { values: Values::Dictionary(found), .. } = column.column() else { panic!("a dictionary") };
        assert_eq!(found.values.len(), 1);
    }
}
