use sluice_api::TableName;

/// How many likely names an error shows.
const SHOWN_MAX: usize = 3;

/// Tables whose names are like the one asked for, likeliest first.
pub(crate) fn near_names(asked: &str, tables: &[TableName]) -> Vec<String> {
    let asked = asked.to_lowercase();
    let bare = asked.rsplit('.').next().unwrap_or(&asked);
    let mut scored: Vec<(usize, String)> = tables
        .iter()
        .filter_map(|table| {
            let distance = distance(bare, &table.name).min(distance(&asked, &table.to_string()));
            let contains = table.name.contains(bare) || bare.contains(table.name.as_str());
            let near = contains || distance <= 1 + bare.len() / 4;
            near.then(|| (distance, table.to_string()))
        })
        .collect();
    scored.sort();
    scored.into_iter().take(SHOWN_MAX).map(|(_, name)| name).collect()
}

/// The table that a planner's message says is missing, without our catalog's name.
pub(super) fn missing_table(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("table '")?;
    let (name, rest) = rest.split_once('\'')?;
    rest.trim_start().starts_with("not found").then(|| name.strip_prefix("lake.").unwrap_or(name).to_owned())
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_api::Layer;

    #[test]
    fn likely_names_come_first() {
        let tables = ["train_kernel", "train_slice", "field_pixel"].map(|name| TableName::new(Layer::Silver, name));
        assert_eq!(near_names("silver.train_kernels", &tables), ["silver.train_kernel"]);
        assert_eq!(near_names("kernel", &tables), ["silver.train_kernel"]);
        assert_eq!(near_names("zzz", &tables), Vec::<String>::new());
    }

    #[test]
    fn missing_tables_are_read_from_messages() {
        let message = "Error during planning: table 'lake.silver.x' not found";
        assert_eq!(missing_table(message).as_deref(), Some("silver.x"));
        assert_eq!(missing_table("something else"), None);
    }
}
