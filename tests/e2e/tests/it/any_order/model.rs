//! What should be in the lake: which payloads are in, and what each operation does to that.

use std::collections::BTreeMap;

use sluice_testkit::Random;

/// Bands that every payload has.
const BANDS_MIN: usize = 20;

/// Where a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Not in the lake, and may land.
    Out,
    /// In the lake.
    In,
    /// Taken out for good.
    Discarded,
}

/// One thing that somebody does to the lake. Numbers are those of payloads.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Land(usize),
    /// On a branch, then published.
    Publish(usize),
    Undo {
        payload: usize,
        reopen: bool,
    },
    Compact,
    RewriteManifests,
    Expire,
    Orphans,
    Tag,
    /// Of the column of a band.
    Rename(u32),
    /// The same.
    Widen(u32),
    /// Of `bronze.payloads` or of the pixels, to the point of this number.
    Rollback {
        pixels: bool,
        point: usize,
    },
}

/// A state that a table can be rolled back to.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) clock: u64,
    pub(super) payloads_snapshot: i64,
    pub(super) pixels_snapshot: i64,
}

#[derive(Debug)]
pub(super) struct Model {
    pub(super) places: Vec<Place>,
    touched: Vec<u64>,
    /// How often the column of a band was renamed.
    pub(super) renamed: BTreeMap<u32, u32>,
    pub(super) clock: u64,
    pub(super) points: Vec<Point>,
}

/// Steps that only some operations take, beside those of a landing.
const MORE_STEPS: [&str; 4] = ["file-delete", "end", "open", "revert"];

/// Some step of some operation; one that is not on the way is never reached.
pub(super) fn crash_point(random: &mut Random) -> String {
    let mut points: Vec<String> = sluice_durable::crash_points().collect();
    points.extend(MORE_STEPS.iter().flat_map(|step| ["before", "after"].map(|side| format!("{step}.{side}"))));
    let index = usize::try_from(random.below(points.len() as u64)).unwrap();
    format!("{}:{}", points[index], 1 + random.below(3))
}

impl Model {
    pub(super) fn new(payloads: usize) -> Self {
        Self {
            places: vec![Place::Out; payloads],
            touched: vec![0; payloads],
            renamed: BTreeMap::new(),
            clock: 0,
            points: vec![],
        }
    }

    pub(super) fn inside(&self) -> Vec<usize> {
        self.at(Place::In)
    }

    fn at(&self, place: Place) -> Vec<usize> {
        (0..self.places.len()).filter(|payload| self.places[*payload] == place).collect()
    }

    /// One operation, or several that concern different payloads and may run at once.
    pub(super) fn choose(&self, random: &mut Random) -> Vec<Operation> {
        let mut out = self.at(Place::Out);
        let mut inside = self.at(Place::In);
        // The first one stays: tags are asked for it.
        let mut bands: Vec<usize> = (2..=BANDS_MIN).collect();
        let take = |from: &mut Vec<usize>, random: &mut Random| {
            let index = usize::try_from(random.below(from.len() as u64)).unwrap();
            (!from.is_empty()).then(|| from.swap_remove(index))
        };
        let several = random.below(3) == 0;
        let mut chosen = Vec::new();
        while chosen.len() < if several { 3 } else { 1 } {
            let operation = match random.below(if several { 12 } else { 16 }) {
                0..=3 => take(&mut out, random).map(Operation::Land),
                4..=5 => {
                    take(&mut inside, random).map(|payload| Operation::Undo { payload, reopen: random.below(3) > 0 })
                }
                6..=7 => Some(Operation::Compact),
                8 => Some(Operation::RewriteManifests),
                9 => Some(Operation::Expire),
                10 => take(&mut bands, random).map(|band| Operation::Rename(u32::try_from(band).unwrap())),
                11 => take(&mut bands, random).map(|band| Operation::Widen(u32::try_from(band).unwrap())),
                12 => Some(Operation::Tag),
                13 => take(&mut out, random).map(Operation::Publish),
                14 => Some(Operation::Orphans),
                _ => usize::try_from(random.below(self.points.len() as u64))
                    .ok()
                    .filter(|point| *point < self.points.len())
                    .map(|point| Operation::Rollback { pixels: random.below(2) == 0, point }),
            };
            chosen.extend(operation);
        }
        chosen
    }

    /// What an operation that was done means.
    pub(super) fn apply(&mut self, operation: &Operation) {
        self.clock += 1;
        match operation {
            Operation::Land(payload) | Operation::Publish(payload) => self.put(*payload, Place::In),
            Operation::Undo { payload, reopen } => {
                self.put(*payload, if *reopen { Place::Out } else { Place::Discarded });
            }
            Operation::Rollback { point, .. } => {
                let point = self.points[*point].clone();
                for payload in 0..self.places.len() {
                    // What came or went since then leaves, and may land again; what was discarded stays so.
                    if self.touched[payload] > point.clock && self.places[payload] == Place::In {
                        self.put(payload, Place::Out);
                    }
                }
                self.points.retain(|other| other.clock <= point.clock);
            }
            // Older snapshots are gone.
            Operation::Expire => self.points.clear(),
            Operation::Rename(band) => *self.renamed.entry(*band).or_default() += 1,
            Operation::Widen(_)
            | Operation::Compact
            | Operation::RewriteManifests
            | Operation::Orphans
            | Operation::Tag => {}
        }
    }

    /// What the column of a band is called after it was renamed once more, or as it is.
    pub(super) fn column(&self, band: u32, more: u32) -> String {
        match self.renamed.get(&band).copied().unwrap_or(0) + more {
            0 => format!("b{band:03}"),
            times => format!("band_{band}_{times}"),
        }
    }

    fn put(&mut self, payload: usize, place: Place) {
        self.places[payload] = place;
        self.touched[payload] = self.clock;
    }
}
