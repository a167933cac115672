//! What the guard has put in the place of a value. It says nothing about what a text wants, so it is read as a word.

use std::borrow::Cow;

/// How a placeholder begins, in lower case: `[REDACTED:EMAIL_ADDRESS]`.
const START: &[u8] = b"[redacted:";
/// Longest name of a type, in bytes. There is no room for a sentence.
const LONGEST: usize = 40;
/// What it is read as.
const WORD: &[u8] = b"value";

/// The text with a word and blanks in the place of each placeholder. Offsets stay what they are.
pub(crate) fn neutral(text: &str) -> Cow<'_, str> {
    let mut changed: Option<Vec<u8>> = None;
    for (at, _) in text.match_indices('[') {
        let Some(len) = text.as_bytes().get(at..).and_then(placeholder) else { continue };
        let bytes = changed.get_or_insert_with(|| text.as_bytes().to_vec());
        for (i, byte) in bytes.iter_mut().skip(at).take(len).enumerate() {
            *byte = WORD.get(i).copied().unwrap_or(b' ');
        }
    }
    changed.and_then(|bytes| String::from_utf8(bytes).ok()).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// The length of the placeholder that a text begins with.
fn placeholder(text: &[u8]) -> Option<usize> {
    let start = text.get(..START.len()).filter(|start| start.eq_ignore_ascii_case(START))?;
    let name = text.iter().skip(start.len()).take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
    let end = start.len() + name;
    ((1..=LONGEST).contains(&name) && text.get(end) == Some(&b']')).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_words_and_nothing_moves() {
        let text = "é write to [REDACTED:EMAIL_ADDRESS] or [redacted:us_ssn], not [REDACTED] or [REDACTED:two words]";
        let read = neutral(text);
        assert_eq!(read.len(), text.len());
        assert!(
            read.starts_with("é write to value ") && read.ends_with(", not [REDACTED] or [REDACTED:two words]"),
            "{read}"
        );
        let long = format!("[REDACTED:{}]", "A".repeat(41));
        assert!(matches!(neutral(&long), Cow::Borrowed(same) if same == long));
    }
}
