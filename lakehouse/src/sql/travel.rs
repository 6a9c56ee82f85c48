//! Time travel as other engines write it, as names of versions: `t FOR VERSION AS OF 1` (Trino), `t VERSION AS OF 1`
//! (Spark) and `t AT (VERSION => 1)` (DuckDB) become `"t@1"`, and so for times.

use std::borrow::Cow;

use chrono::DateTime;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::RESERVED_FOR_TABLE_ALIAS;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer, Word};

use super::version::parse_time;
use crate::Error;

/// The query with versions as names; itself where it has none.
pub(super) fn versions_named(query: &str) -> Result<Cow<'_, str>, Error> {
    // What is no SQL is for the parser to refuse.
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, query).with_unescape(false).tokenize() else {
        return Ok(Cow::Borrowed(query));
    };
    let mut rewritten = Vec::with_capacity(tokens.len());
    let mut rest = tokens.as_slice();
    let mut found = false;
    while let Some(token) = rest.first() {
        if let Some(clause) = Clause::at(rest)?
            && let Some(table) = last_word(&mut rewritten)
        {
            found = true;
            rest = &rest[clause.tokens..];
            let name = plain(table);
            *table = quoted(&format!("{name}@{}", clause.version));
            rewritten.truncate(significant_len(&rewritten));
            if !aliased(rest) {
                rewritten.push(Token::make_keyword(" AS "));
                rewritten.push(Token::Word(quoted(&name)));
            }
            continue;
        }
        rewritten.push(token.clone());
        rest = &rest[1..];
    }
    if !found {
        return Ok(Cow::Borrowed(query));
    }
    Ok(Cow::Owned(rewritten.iter().map(Token::to_string).collect()))
}

/// `FOR VERSION AS OF 1`, and so on.
struct Clause {
    tokens: usize,
    version: String,
}

#[derive(Clone, Copy)]
enum Kind {
    Version,
    Time,
}

impl Clause {
    fn at(tokens: &[Token]) -> Result<Option<Self>, Error> {
        let mut cursor = Cursor { tokens, next: 0 };
        let Some((kind, in_parentheses)) = cursor.opening() else { return Ok(None) };
        let Some(value) = cursor.value() else {
            return Err(Error::Invalid(
                "expected a number or a text in quotes after `AS OF`, found something else".to_owned(),
            ));
        };
        if in_parentheses && cursor.significant() != Some(&Token::RParen) {
            return Err(Error::Invalid("expected `)` after `AT (VERSION => ...`".to_owned()));
        }
        let version = match kind {
            Kind::Version => value,
            Kind::Time => time(&value)?,
        };
        Ok(Some(Self { tokens: cursor.next, version }))
    }
}

struct Cursor<'a> {
    tokens: &'a [Token],
    next: usize,
}

impl<'a> Cursor<'a> {
    fn significant(&mut self) -> Option<&'a Token> {
        while let Some(token) = self.tokens.get(self.next) {
            self.next += 1;
            if !matches!(token, Token::Whitespace(_)) {
                return Some(token);
            }
        }
        None
    }

    fn word(&mut self) -> Option<String> {
        match self.significant()? {
            Token::Word(Word { value, quote_style: None, .. }) => Some(value.to_uppercase()),
            _ => None,
        }
    }

    fn opening(&mut self) -> Option<(Kind, bool)> {
        let kind = |word: &str| match word {
            "VERSION" | "SYSTEM_VERSION" => Some(Kind::Version),
            "TIMESTAMP" | "SYSTEM_TIME" => Some(Kind::Time),
            _ => None,
        };
        let mut word = self.word()?;
        if word == "AT" {
            let open = self.significant()? == &Token::LParen;
            let kind = kind(&self.word()?)?;
            return (open && self.significant()? == &Token::RArrow).then_some((kind, true));
        }
        if word == "FOR" {
            word = self.word()?;
        }
        let kind = kind(&word)?;
        (self.word()? == "AS" && self.word()? == "OF").then_some((kind, false))
    }

    /// A number, a text, or a text that is called a time.
    fn value(&mut self) -> Option<String> {
        match self.significant()? {
            Token::Number(number, _) => Some(number.clone()),
            Token::SingleQuotedString(text) => Some(text.clone()),
            Token::Word(Word { value, quote_style: None, .. })
                if value.eq_ignore_ascii_case("timestamp") || value.eq_ignore_ascii_case("date") =>
            {
                match self.significant()? {
                    Token::SingleQuotedString(text) => Some(text.clone()),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// A time in one form; a bare number counts seconds since 1970, as in Spark.
fn time(value: &str) -> Result<String, Error> {
    let seconds = value.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1_000_000));
    let micros = seconds.or_else(|| parse_time(value));
    let time = micros.and_then(DateTime::from_timestamp_micros);
    time.map(|time| time.to_rfc3339()).ok_or_else(|| {
        Error::Invalid(format!("expected a time such as `2026-05-01 12:00:00` or `2026-05-01`, found `{value}`"))
    })
}

/// The identifier right before a clause, which ends the table's name.
fn last_word(tokens: &mut [Token]) -> Option<&mut Word> {
    match tokens.iter_mut().rev().find(|token| !matches!(token, Token::Whitespace(_)))? {
        Token::Word(word) => Some(word),
        _ => None,
    }
}

fn significant_len(tokens: &[Token]) -> usize {
    tokens.iter().rposition(|token| !matches!(token, Token::Whitespace(_))).map_or(0, |last| last + 1)
}

/// An identifier as the planner reads it.
fn plain(word: &Word) -> String {
    if word.quote_style.is_some() { word.value.clone() } else { word.value.to_lowercase() }
}

fn quoted(name: &str) -> Word {
    Word {
        value: name.to_owned(),
        quote_style: Some('"'),
        keyword: datafusion::sql::sqlparser::keywords::Keyword::NoKeyword,
    }
}

/// Whether a name for the table follows.
fn aliased(rest: &[Token]) -> bool {
    match rest.iter().find(|token| !matches!(token, Token::Whitespace(_))) {
        Some(Token::Word(word)) => {
            word.value.eq_ignore_ascii_case("as") || !RESERVED_FOR_TABLE_ALIAS.contains(&word.keyword)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(query: &str) -> String {
        versions_named(query).unwrap().into_owned()
    }

    #[test]
    fn every_engines_way_becomes_a_name() {
        let trino = "select * from silver.T for version as of 12 where x = 'it''s'";
        assert_eq!(named(trino), "select * from silver.\"t@12\" AS \"t\" where x = 'it''s'");
        assert_eq!(named("select 1 from t VERSION AS OF 'v1' x"), "select 1 from \"t@v1\" x");
        assert_eq!(named("select 1 from t AT (VERSION => 7) AS x"), "select 1 from \"t@7\" AS x");
        let both = "select 1 from a FOR VERSION AS OF 1 join a FOR VERSION AS OF 2 b on a.x = b.x";
        assert_eq!(named(both), "select 1 from \"a@1\" AS \"a\" join \"a@2\" b on a.x = b.x");
        let times = "from t FOR TIMESTAMP AS OF TIMESTAMP '2026-05-01 00:00:00'";
        assert_eq!(named(times), "from \"t@2026-05-01T00:00:00+00:00\" AS \"t\"");
        assert_eq!(named("from t TIMESTAMP AS OF 60"), "from \"t@1970-01-01T00:01:00+00:00\" AS \"t\"");
    }

    #[test]
    fn other_queries_stay_as_they_are() {
        for query in
            ["select version as of_x from t", "select timestamp '2026-01-01' as of", "select 'for version as of 1'"]
        {
            assert!(matches!(versions_named(query), Ok(Cow::Borrowed(same)) if same == query), "{query}");
        }
        assert!(versions_named("select 1 from t for version as of now()").is_err());
        assert!(versions_named("select 1 from t for timestamp as of 'noon'").is_err());
    }
}
