//! JSON as bytes that arrive in blocks. Two readers of one value: [`skip`] finds its end as fast as it can, for the
//! plan; [`strict`] checks every byte of it and makes the compact text that is kept. A document that the first one
//! accepts and that is not JSON is found by the second one, on the same bytes.

pub(crate) mod block;
pub(crate) mod number;
pub(crate) mod skip;
pub(crate) mod strict;
pub(crate) mod string;

/// Nesting beyond this is refused: no tracer writes it, and every reader downstream has a limit of its own.
pub(crate) const DEPTH_MAX: usize = 128;

/// Why a value could not be read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The bytes end inside the value: more are needed.
    Short,
    /// These bytes are not JSON.
    Fault(Fault),
}

/// What was expected where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Index into the bytes that were being read.
    pub(crate) at: usize,
    /// In words.
    pub(crate) expected: String,
    /// In words; none: the byte at `at` says it.
    pub(crate) found: Option<String>,
}

impl Fault {
    /// The byte at `at` is not what was expected.
    #[cold]
    pub(crate) fn new(at: usize, expected: impl Into<String>) -> Self {
        Self { at, expected: expected.into(), found: None }
    }

    /// Says what was found.
    #[cold]
    pub(crate) fn found(mut self, found: impl Into<String>) -> Self {
        self.found = Some(found.into());
        self
    }
}

/// As an early return from a reader of values.
#[cold]
pub(crate) fn fault<T>(at: usize, expected: &'static str) -> Result<T, Stop> {
    Err(Stop::Fault(Fault::new(at, expected)))
}

/// The byte at `at`.
#[inline(always)]
pub(crate) fn byte(bytes: &[u8], at: usize) -> Result<u8, Stop> {
    match bytes.get(at) {
        Some(byte) => Ok(*byte),
        None => Err(Stop::Short),
    }
}

/// Whether JSON takes a byte for white space.
#[inline(always)]
pub(crate) fn is_space(byte: u8) -> bool {
    byte <= b' ' && matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// Index of the first byte from `at` on that is not white space.
#[inline(always)]
pub(crate) fn space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).copied().is_some_and(is_space) {
        at += 1;
    }
    at
}

/// How a byte is shown in an error text.
pub(crate) fn show(byte: u8) -> String {
    if byte.is_ascii_graphic() { format!("`{}`", char::from(byte)) } else { format!("byte 0x{byte:02x}") }
}
