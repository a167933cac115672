//! What a query in SQL does, as far as its words tell.
//!
//! No parser: a database has more grammar than a gateway can know. What is not plainly a read is taken for a change.

use serde_json::Value;

use super::text::fold;
use super::vocab;

/// What a query does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It only reads.
    Reads,
    /// It changes something, or may.
    Changes,
    /// It is no statement of a query language.
    Words,
}

/// What the value of an argument does. `strict` where it can only be a statement, whatever it looks like.
pub(super) fn effect(value: &Value, strict: bool) -> Effect {
    let Some(text) = value.as_str() else { return if strict { Effect::Changes } else { Effect::Words } };
    let folded = fold(text);
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let words: Vec<&str> = folded.split(|c| !word(c)).filter(|w| !w.is_empty()).collect();
    let Some(first) = words.first() else { return if strict { Effect::Changes } else { Effect::Words } };
    if !strict && !is_statement(&folded, &words) {
        return Effect::Words;
    }
    let reads = vocab::QUERIES.contains(first)
        && !words.iter().any(|w| vocab::STATEMENTS.contains(w))
        && !folded.trim_end_matches([';', ' ']).contains(';')
        && !folded.contains("--")
        && !folded.contains("/*")
        && calls(&folded).all(|f| f.is_empty() || vocab::FUNCTIONS.contains(&f));
    if reads { Effect::Reads } else { Effect::Changes }
}

/// Words right before an opening bracket.
fn calls(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('(').map(|(at, _)| {
        let before = text.get(..at).unwrap_or_default().trim_end();
        before.rsplit(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).next().unwrap_or_default()
    })
}

/// True for what is a statement wherever it stands; people search for "update on the budget" too.
fn is_statement(text: &str, words: &[&str]) -> bool {
    let has = |w: &str| words.contains(&w);
    let starts = |text: &str| {
        let mut words = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|w| !w.is_empty());
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match first {
            "select" | "with" => has("from") && text.contains(['*', ',', '=', '(', '_']),
            "update" => has("set"),
            "insert" | "merge" => second == "into",
            "delete" => second == "from",
            "drop" | "alter" | "create" | "truncate" => {
                matches!(
                    second,
                    "table" | "database" | "schema" | "view" | "index" | "user" | "role" | "function" | "or"
                )
            }
            "grant" => has("to") && has("on"),
            "revoke" => has("from") && has("on"),
            "mutation" => text.contains('{'),
            "match" => text.contains('(') && (has("set") || has("delete") || has("create") || has("merge")),
            "exec" | "execute" | "call" => text.contains(['(', '_']),
            _ => false,
        }
    };
    text.split(';').any(starts)
}
