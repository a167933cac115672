//! A template as text: what is in its expressions and statements, where they do not parse.

use super::{condition as said, is_plain, opening, sentence};

use crate::desk::Desk;
use crate::rules;

/// Ways from a value to Python's objects.
const REACHES: &[&str] = &[
    "|attr(",
    "lipsum",
    "cycler.",
    "joiner.",
    "get_flashed_messages",
    "url_for",
    ".mro(",
    "popen",
    "os.system",
    "subprocess",
    "builtins",
    "importlib",
    "\\x5f",
    "\\u005f",
    "\\137",
    "%c",
    ".gi_frame",
    ".f_globals",
    ".func_globals",
    ".cr_frame",
];

/// Examines a template that stands at `offset`.
pub(super) fn examine(source: &str, offset: usize, desk: &mut Desk<'_>) {
    let mut rest = source;
    let mut condition: Option<(usize, String)> = None;
    while let Some(open) = opening(rest, b"{%#") {
        let at = offset + (source.len() - rest.len()) + open;
        let (text, tail) = rest.split_at(open);
        if let Some((place, word)) = condition.take()
            && sentence(text)
        {
            said(&word, place, text.len(), desk);
        }
        let close = if tail.starts_with("{%") {
            "%}"
        } else if tail.starts_with("{{") {
            "}}"
        } else {
            "#}"
        };
        let Some(inner) = tail.get(2..) else { return };
        let (code, after) = match inner.find(close) {
            Some(end) => (inner.get(..end).unwrap_or_default(), inner.get(end + 2..).unwrap_or_default()),
            None => (inner, ""),
        };
        if close != "#}" {
            expression(code, at, desk);
            if close == "%}" {
                condition = word_of(code).map(|word| (at, word));
            } else if let Some((place, word)) = condition.take() {
                // The text may be written as an expression.
                if sentence(code) && code.trim_matches(['-', ' ', '\n']).starts_with(['\'', '"']) {
                    said(&word, place, code.len(), desk);
                }
            }
        }
        rest = after;
    }
}

fn expression(code: &str, at: usize, desk: &mut Desk<'_>) {
    let squeezed: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let dunder = squeezed.match_indices("__").any(|(at, _)| {
        let rest = squeezed.get(at + 2..).unwrap_or_default();
        let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        let before = squeezed.get(..at).unwrap_or_default();
        name.ends_with("__") && name.len() > 2 && before.ends_with(['.', '[', '\'', '"', '('])
    });
    if dunder {
        desk.find(&rules::TEMPLATE, "an expression uses an attribute with two underscores", at, code.len());
    } else if let Some(reach) = REACHES.iter().find(|reach| squeezed.contains(**reach)) {
        desk.find(&rules::TEMPLATE, format!("an expression uses `{reach}`"), at, code.len());
    }
}

/// The plain word that an `if` looks for in the content of a message.
fn word_of(code: &str) -> Option<String> {
    let code = code.trim_matches(['-', '+', ' ', '\n', '\t']);
    let test = code.strip_prefix("if ").or_else(|| code.strip_prefix("elif "))?;
    let (before, after) = test.split_once(" in ")?;
    if !after.contains("content") {
        return None;
    }
    let before = before.trim_end();
    let quote = before.chars().last().filter(|c| matches!(c, '\'' | '"'))?;
    let inner = before.get(..before.len() - 1)?;
    let word = inner.get(inner.rfind(quote)? + 1..)?;
    is_plain(word).then(|| word.to_owned())
}
