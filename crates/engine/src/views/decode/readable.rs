//! Telling text from other bytes.

use crate::views::chars::{drops, props};

/// Payloads shorter than this have to be words and nothing else: random bytes pass for short texts now and then.
pub(super) const SHORT: usize = 24;

/// The text that `bytes` are, if they are one: valid UTF-8 without control characters, mostly letters, digits and
/// blanks. In a longer payload one byte in twenty may be broken, or a single one would hide the rest.
pub(super) fn readable(bytes: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(bytes.len());
    let (mut bad, mut good, mut all) = (0, 0, 0);
    for chunk in bytes.utf8_chunks() {
        bad += chunk.invalid().len();
        for c in chunk.valid().chars() {
            all += 1;
            let kind = props(c);
            if c.is_control() && !matches!(c, '\t' | '\n' | '\r') {
                bad += 1;
                continue;
            }
            if matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..) {
                bad += 1;
            }
            good += usize::from(kind.word() || drops(c) || kind.removed() || kind.tail() || c.is_whitespace());
            text.push(c);
        }
        // Hopeless data is given up early.
        if bad > 2 && bad * 20 > text.len() + bad {
            return None;
        }
    }
    let short = bytes.len() < SHORT;
    let enough = if short { bad == 0 && good * 5 >= all * 4 } else { bad * 20 <= bytes.len() && good * 3 >= all };
    (enough && good > 1).then_some(text)
}

/// False where bytes that begin like `start` are no text.
pub(super) fn promising(start: &[u8]) -> bool {
    let bad: usize = start
        .utf8_chunks()
        .map(|c| {
            let control =
                c.valid().bytes().filter(|b| (*b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r')) || *b == 0x7f);
            // The start may end within a character.
            let cut = std::str::from_utf8(c.invalid()).is_err_and(|e| e.error_len().is_none());
            control.count() + if cut { 0 } else { c.invalid().len() }
        })
        .sum();
    bad == 0 || (start.len() >= SHORT && bad <= 2)
}
