use datafusion::datasource::physical_plan::parquet::{ParquetAccessPlan, RowGroupAccess};
use parquet::arrow::arrow_reader::RowSelection;
use parquet::file::metadata::ParquetMetaData;
use roaring::RoaringTreemap;

/// What is left to read of a file without the deleted rows.
pub(in crate::sql) fn access_plan(footer: &ParquetMetaData, deleted: &RoaringTreemap) -> ParquetAccessPlan {
    let mut first = 0_u64;
    let groups = footer.row_groups().iter().map(|group| {
        let rows = u64::try_from(group.num_rows()).unwrap_or(0);
        let range = first..first + rows;
        first = range.end;
        match deleted.range_cardinality(range.clone()) {
            0 => RowGroupAccess::Scan,
            gone if gone == rows => RowGroupAccess::Skip,
            _ => RowGroupAccess::Selection(remaining(deleted, range)),
        }
    });
    ParquetAccessPlan::new(groups.collect())
}

/// The rows of one row group that are not deleted.
fn remaining(deleted: &RoaringTreemap, group: std::ops::Range<u64>) -> RowSelection {
    let place = |row: u64| usize::try_from(row - group.start).unwrap_or(usize::MAX);
    let total = place(group.end);
    let mut kept = Vec::new();
    let mut next = group.start;
    let mut positions = deleted.iter();
    positions.advance_to(group.start);
    for row in positions.take_while(|row| *row < group.end) {
        if row > next {
            kept.push(place(next)..place(row));
        }
        next = row + 1;
    }
    if next < group.end {
        kept.push(place(next)..total);
    }
    RowSelection::from_consecutive_ranges(kept.into_iter(), total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_row_group() {
        let deleted = RoaringTreemap::from_iter([1_u64, 10, 11, 14, 30]);
        let selection = remaining(&deleted, 10..15);
        let kept: Vec<(bool, usize)> = selection.iter().map(|part| (part.skip, part.row_count)).collect();
        assert_eq!(kept, [(true, 2), (false, 2), (true, 1)]);
    }
}
