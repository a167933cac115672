//! Words around a place of a text.

use bartizan_core::Span;

use crate::tape::{Class, Tape};

/// Blanks within a line.
pub(super) const BLANK: Class = Class::of(b" \t");

/// True where `word`, in lower case, stands at `at` and ends there, without regard to ASCII case. A byte outside ASCII
/// goes on a word.
pub(super) fn word_at(tape: &Tape<'_>, at: usize, word: &[u8]) -> bool {
    (at..).zip(word).all(|(i, want)| tape.at(i).is_some_and(|b| b.to_ascii_lowercase() == *want))
        && !tape.at(at + word.len()).is_some_and(|b| b.is_ascii_alphanumeric() || b >= 128)
}

/// The longest of `words` that stands at `at`, and where it ends.
pub(super) fn any_at(tape: &Tape<'_>, at: usize, words: &[&[u8]]) -> Option<usize> {
    words.iter().filter(|w| word_at(tape, at, w)).map(|w| at + w.len()).max()
}

/// The end of the blanks from `at`, at most `most`.
pub(super) fn blanks(tape: &Tape<'_>, at: usize, most: usize) -> usize {
    tape.run(at, at + most, BLANK)
}

/// The word right before `at`, with at most two blanks, colons, equal signs, quotes or `#` between: lower case, at
/// most 24 bytes.
pub(super) fn previous(tape: &Tape<'_>, at: usize) -> Vec<u8> {
    let gap = tape.run_back(at, at.saturating_sub(4), Class::of(b" \t:=\"'#("));
    word_ending(tape, gap)
}

/// The word that ends at `end`, in lower case, with an abbreviation's full stop.
pub(super) fn word_ending(tape: &Tape<'_>, end: usize) -> Vec<u8> {
    let stop = end.saturating_sub(24);
    let mut start = if tape.before(end) == Some(b'.') { end.saturating_sub(1) } else { end };
    while start > stop && tape.before(start).is_some_and(|b| b.is_ascii_alphanumeric() || b >= 128) {
        start -= 1;
    }
    tape.slice(Span::new(start, end)).to_ascii_lowercase()
}

/// Reads up to `most` digits: their end and value.
pub(super) fn number(tape: &Tape<'_>, at: usize, most: usize) -> Option<(usize, u32)> {
    let end = tape.run(at, at + most + 1, Class::DIGIT);
    if end == at || end > at + most {
        return None;
    }
    Some((end, tape.slice(Span::new(at, end)).iter().fold(0, |n, b| n * 10 + u32::from(b - b'0'))))
}
