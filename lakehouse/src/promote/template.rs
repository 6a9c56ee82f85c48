//! `{{ name }}` in a model's SQL. Nothing but replacement: what a value is, Rust decides; what is done with it, SQL.

const OPEN: &str = "{{ ";
const CLOSE: &str = " }}";
const MODEL: &str = "model.";

/// Replaces each `{{ name }}`; the name that has no value is the error.
pub(super) fn expand(text: &str, value_of: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let (name, after) = after.split_once(CLOSE).ok_or_else(|| after.chars().take(40).collect::<String>())?;
        expanded.push_str(before);
        expanded.push_str(&value_of(name).ok_or_else(|| name.to_owned())?);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// Replaces each `{{ model.x }}` by the SQL of model `x`, which includes none itself, and leaves the other names.
pub(super) fn include(text: &str, bodies: &[(String, String)]) -> Result<String, String> {
    expand(text, |name| match name.strip_prefix(MODEL) {
        Some(model) => bodies.iter().find(|(other, _)| other == model).map(|(_, body)| format!("\n{}\n", body.trim())),
        None => Some(format!("{OPEN}{name}{CLOSE}")),
    })
}

/// Text as an SQL literal.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Texts as the inside of an SQL `IN (...)`; no text gives a list that nothing is in.
pub(super) fn literals<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let list: Vec<String> = texts.into_iter().map(literal).collect();
    if list.is_empty() { "NULL".to_owned() } else { list.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_in_once_and_never_read_again() {
        let value_of = |name: &str| (name == "a").then(|| "{{ a }}".to_owned());
        assert_eq!(expand("x {{ a }} y", value_of), Ok("x {{ a }} y".to_owned()));
        assert_eq!(expand("{{ a }}{{ b }}", value_of), Err("b".to_owned()));
        assert_eq!(expand("{{ a", value_of), Err("a".to_owned()));
        assert_eq!(expand("{{}} {a}", value_of), Ok("{{}} {a}".to_owned()));
    }

    #[test]
    fn a_model_is_included_with_its_own_names_left() {
        let bodies = [("m".to_owned(), "SELECT {{ dataset }}\n".to_owned())];
        assert_eq!(
            include("({{ model.m }}) {{ keys }}", &bodies),
            Ok("(\nSELECT {{ dataset }}\n) {{ keys }}".to_owned())
        );
        assert_eq!(include("{{ model.n }}", &bodies), Err("model.n".to_owned()));
    }

    #[test]
    fn text_cannot_leave_its_literal() {
        assert_eq!(literal("o'neill"), "'o''neill'");
        assert_eq!(literals(["a", "b'"]), "'a', 'b'''");
        assert_eq!(literals([]), "NULL");
    }
}
