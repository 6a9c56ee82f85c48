//! The mean of a range of bands as an SQL expression over the wide pixel table.

use std::collections::BTreeMap;

/// One band of a payload's grid.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Band {
    /// 1-based, as in the columns' names.
    pub(super) number: u32,
    pub(super) centre_nm: Option<f64>,
    pub(super) fwhm_nm: Option<f64>,
    pub(super) good: bool,
}

/// Columns of a pixel table by band number.
pub(super) type BandColumns = BTreeMap<u32, String>;

/// A mean over bands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct BandMean {
    /// Null where one of the bands is.
    pub(super) expression: String,
    /// Which bands: `b028-b043,b045`.
    pub(super) bands: String,
}

/// The columns among `names` that hold bands: `b` and digits.
pub(super) fn band_columns<'a>(names: impl IntoIterator<Item = &'a str>) -> BandColumns {
    names
        .into_iter()
        .filter_map(|name| {
            let digits = name.strip_prefix('b')?;
            let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
            Some((number, name.to_owned()))
        })
        .collect()
}

/// The mean of the good bands whose centre lies in `range_nm`, both ends in, weighted by FWHM; weighted equally where
/// the FWHM of any of them is not known. None where no good band lies there.
pub(super) fn band_mean(grid: &[Band], range_nm: [f64; 2], columns: &BandColumns) -> Option<BandMean> {
    let mut used: Vec<(&Band, &str)> = grid
        .iter()
        .filter(|band| band.good && band.centre_nm.is_some_and(|centre| (range_nm[0]..=range_nm[1]).contains(&centre)))
        .filter_map(|band| Some((band, columns.get(&band.number)?.as_str())))
        .collect();
    used.sort_unstable_by_key(|(band, _)| band.number);
    let known = |band: &Band| band.fwhm_nm.filter(|fwhm| fwhm.is_finite() && *fwhm > 0.0);
    let weights: Option<Vec<f64>> = used.iter().map(|(band, _)| known(band)).collect();
    let weights = weights.unwrap_or_else(|| vec![1.0; used.len()]);
    let terms: Vec<String> = used
        .iter()
        .zip(&weights)
        .map(|((_, column), weight)| format!("CAST({column} AS DOUBLE) * {weight:?}"))
        .collect();
    let total: f64 = weights.iter().sum();
    (!terms.is_empty()).then(|| BandMean { expression: format!("{} / {total:?}", sum(&terms)), bands: spans(&used) })
}

/// A balanced sum: hundreds of bands must not become an expression hundreds deep.
fn sum(terms: &[String]) -> String {
    match terms {
        [term] => term.clone(),
        _ => {
            let (left, right) = terms.split_at(terms.len() / 2);
            format!("({} + {})", sum(left), sum(right))
        }
    }
}

fn spans(used: &[(&Band, &str)]) -> String {
    let mut spans: Vec<(u32, &str, u32, &str)> = Vec::new();
    for (band, column) in used {
        match spans.last_mut() {
            Some((_, _, last, last_column)) if *last + 1 == band.number => {
                (*last, *last_column) = (band.number, column)
            }
            _ => spans.push((band.number, column, band.number, column)),
        }
    }
    let texts: Vec<String> = spans
        .into_iter()
        .map(|(first, from, last, to)| if first == last { from.to_owned() } else { format!("{from}-{to}") })
        .collect();
    texts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn band(number: u32, centre: f64, fwhm: Option<f64>) -> Band {
        Band { number, centre_nm: Some(centre), fwhm_nm: fwhm, good: true }
    }

    fn columns(count: u32) -> BandColumns {
        let names: Vec<String> = (1..=count).map(|number| format!("b{number:03}")).collect();
        band_columns(names.iter().map(String::as_str))
    }

    #[test]
    fn bands_are_weighted_by_width_and_bad_ones_left_out() {
        let mut grid = vec![band(1, 600.0, Some(5.0)), band(2, 610.0, Some(10.0)), band(3, 620.0, Some(5.0))];
        grid[2].good = false;
        let mean = band_mean(&grid, [600.0, 620.0], &columns(3)).unwrap();
        assert_eq!(mean.expression, "(CAST(b001 AS DOUBLE) * 5.0 + CAST(b002 AS DOUBLE) * 10.0) / 15.0");
        assert_eq!(mean.bands, "b001-b002");
        assert_eq!(band_mean(&grid, [615.0, 700.0], &columns(3)), None);
    }

    #[test]
    fn one_unknown_width_makes_all_weights_equal() {
        let grid = [band(7, 600.0, None), band(9, 610.0, Some(10.0)), band(10, 611.0, Some(f64::NAN))];
        let mean = band_mean(&grid, [600.0, 620.0], &columns(10)).unwrap();
        assert!(mean.expression.ends_with(" / 3.0"), "{}", mean.expression);
        assert!(!mean.expression.contains("10.0"), "{}", mean.expression);
        assert_eq!(mean.bands, "b007,b009-b010");
    }

    #[test]
    fn unknown_centres_and_missing_columns_are_no_bands() {
        let grid = [Band { number: 1, centre_nm: None, fwhm_nm: None, good: true }, band(2, 600.0, None)];
        assert_eq!(band_mean(&grid, [0.0, 1e9], &columns(1)), None);
        assert_eq!(
            band_columns(["b", "bx1", "b01x", "line", "b1000", "b007"]).into_keys().collect::<Vec<_>>(),
            [7, 1000]
        );
    }

    #[test]
    fn a_thousand_bands_stay_shallow() {
        let grid: Vec<Band> = (1..=978).map(|number| band(number, f64::from(number), None)).collect();
        let mean = band_mean(&grid, [1.0, 978.0], &columns(978)).unwrap();
        let (mut depth, mut deepest) = (0_i32, 0);
        for byte in mean.expression.bytes() {
            depth += i32::from(byte == b'(') - i32::from(byte == b')');
            deepest = deepest.max(depth);
        }
        assert!(deepest <= 12, "{deepest}");
        assert_eq!(mean.bands, "b001-b978");
    }
}
