//! Facts, to and from the contract.

use sluice_api::{FactValue, Facts, check_name};

use crate::bindings::wit;
use crate::error::{Checked, Violation};
use crate::{Limit, Limits};

/// The facts as a plan request lists them.
pub(crate) fn to_guest(facts: &Facts) -> Vec<wit::Fact> {
    let value = |value: &FactValue| match value {
        FactValue::Text(text) => wit::FactValue::Text(text.clone()),
        FactValue::Integer(number) => wit::FactValue::Integer(*number),
        FactValue::Real(number) => wit::FactValue::Real(*number),
        FactValue::Boolean(truth) => wit::FactValue::Boolean(*truth),
        FactValue::Timestamp(micros) => wit::FactValue::Timestamp(*micros),
    };
    facts.iter().map(|(name, fact)| wit::Fact { name: name.clone(), value: value(fact) }).collect()
}

/// The facts of a guest: named once each, texts within the limits, numbers that JSON can hold.
pub(crate) fn from_guest(facts: Vec<wit::Fact>, limits: &Limits) -> Checked<Facts> {
    Limit::Facts.check(facts.len() as u64, limits.facts_max as u64)?;
    let mut checked = Facts::new();
    for wit::Fact { name, value } in facts {
        Limit::NameBytes.check(name.len() as u64, limits.name_bytes_max as u64)?;
        check_name(&name).map_err(|_| Violation::new("facts", "a name of `[a-z][a-z0-9_]*`", format!("`{name}`")))?;
        let value = match value {
            wit::FactValue::Text(text) => {
                Limit::TextBytes.check(text.len() as u64, limits.text_bytes_max as u64)?;
                FactValue::Text(text)
            }
            wit::FactValue::Integer(number) => FactValue::Integer(number),
            wit::FactValue::Real(number) if number.is_finite() => FactValue::Real(number),
            wit::FactValue::Real(number) => {
                return Err(Violation::new(format!("fact `{name}`"), "a finite number", format!("`{number}`")).into());
            }
            wit::FactValue::Boolean(truth) => FactValue::Boolean(truth),
            wit::FactValue::Timestamp(micros) => FactValue::Timestamp(micros),
        };
        if checked.contains_key(&name) {
            return Err(Violation::new("facts", "each name once", format!("`{name}` twice")).into());
        }
        checked.insert(name, value);
    }
    Ok(checked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_round_trip_and_are_checked() {
        let facts = Facts::from([("run_id".into(), "a".into()), ("rank".into(), 3.into())]);
        let limits = Limits::default();
        assert_eq!(from_guest(to_guest(&facts), &limits).unwrap(), facts);
        let fact = |name: &str, value| wit::Fact { name: name.into(), value };
        let not_a_number = vec![fact("x", wit::FactValue::Real(f64::NAN))];
        let twice = vec![fact("x", wit::FactValue::Integer(1)), fact("x", wit::FactValue::Integer(1))];
        let unnamed = vec![fact("X y", wit::FactValue::Integer(1))];
        for bad in [not_a_number, twice, unnamed] {
            assert!(from_guest(bad, &limits).is_err());
        }
    }
}
