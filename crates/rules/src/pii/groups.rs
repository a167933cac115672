//! Numbers as people write them: groups of digits with one separator between two groups.

use bartizan_core::Span;

use crate::tape::{Class, Tape};

/// Most groups that are read.
const MOST: usize = 8;

/// Groups of digits from one place on.
#[derive(Debug)]
pub(crate) struct Groups {
    /// Start and end of each group.
    groups: [(usize, usize); MOST],
    count: usize,
    /// The digits of all groups, as text.
    digits: Vec<u8>,
}

impl Groups {
    /// Reads groups from `start`, where a digit stands, with single `separators` between them, up to the group in which
    /// the row exceeds `most` digits.    /// `same` wants the same separator everywhere. `None` where the first group alone is longer.
    pub(crate) fn read(tape: &Tape<'_>, start: usize, separators: Class, same: bool, most: usize) -> Option<Self> {
        let mut all = Self { groups: [(0, 0); MOST], count: 0, digits: Vec::new() };
        let mut separator = None;
        let mut at = start;
        for slot in 0..MOST {
            let end = tape.run(at, at + most + 1, Class::DIGIT);
            if end == at {
                break;
            }
            if let Some(group) = all.groups.get_mut(slot) {
                *group = (at, end);
            }
            all.count += 1;
            all.digits.extend(tape.slice(Span::new(at, end)));
            if all.digits.len() > most {
                // The group that is too much is kept, so that the caller sees that the row goes on.
                break;
            }
            let next = tape.at(end).filter(|b| separators.has(*b) && (!same || separator.is_none_or(|s| s == *b)));
            match next {
                Some(byte) => separator = Some(byte),
                None => break,
            }
            at = end + 1;
        }
        (all.digits_of(1).len() <= most).then_some(all)
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (usize, usize)> + DoubleEndedIterator {
        self.groups.iter().copied().take(self.count)
    }

    /// Lengths of the groups.
    pub(crate) fn lengths(&self) -> Vec<usize> {
        self.iter().map(|(start, end)| end - start).collect()
    }

    /// The digits of the first `n` groups.
    pub(crate) fn digits_of(&self, n: usize) -> &[u8] {
        let count = self.iter().take(n).map(|(start, end)| end - start).sum();
        self.digits.get(..count).unwrap_or_default()
    }

    /// One past the last digit of the `n`-th group, counted from 1.
    pub(crate) fn end_of(&self, n: usize) -> Option<usize> {
        self.iter().nth(n.checked_sub(1)?).map(|(_, end)| end)
    }
}

/// True where a number may start at `at`: a digit stands there, and it is not part of a word, of a longer number, of a
/// decimal or of an identifier with hyphens.
pub(crate) fn number_starts(tape: &Tape<'_>, at: usize) -> bool {
    if !tape.at(at).is_some_and(|b| b.is_ascii_digit()) || !crate::tape::word_starts(tape, at) {
        return false;
    }
    match tape.before(at) {
        Some(b',') => !behind_number(tape, at),
        Some(b'-' | b'.' | b'_' | b'/' | b':') => {
            !at.checked_sub(1).and_then(|i| tape.before(i)).is_some_and(|b| Class::ALNUM.has(b))
                || tape.before(at) == Some(b':')
        }
        _ => true,
    }
}

/// True where a number may end before `at`: no digit, letter, decimal or hyphenated identifier goes on.
pub(crate) fn number_ends(tape: &Tape<'_>, at: usize) -> bool {
    match tape.at(at) {
        Some(byte) if Class::WORD.has(byte) => false,
        Some(b'-' | b'/') => !tape.at(at + 1).is_some_and(|b| Class::ALNUM.has(b)),
        Some(b'.') => !tape.at(at + 1).is_some_and(|b| b.is_ascii_digit()),
        Some(b',') => !before_number(tape, at),
        _ => true,
    }
}

/// True where the comma before `at` is of one number with what follows: thousands or decimals, and not the next cell of
/// a row.
pub(crate) fn behind_number(tape: &Tape<'_>, at: usize) -> bool {
    let comma = at.saturating_sub(1);
    let first = tape.run_back(comma, comma.saturating_sub(4), Class::DIGIT);
    match comma - first {
        0 => false,
        1..=3 => !is_grouped(tape, first),
        // Of a number written in one piece only decimals are left, and amounts have two.
        _ => tape.run(at, at + 3, Class::DIGIT) < at + 3,
    }
}

/// True where the comma at `comma` goes on the number before it.
pub(crate) fn before_number(tape: &Tape<'_>, comma: usize) -> bool {
    let digits = tape.run(comma + 1, comma + 5, Class::DIGIT) - comma - 1;
    let first = tape.run_back(comma, comma.saturating_sub(MOST), Class::DIGIT);
    (1..=3).contains(&digits) && !is_grouped(tape, first)
}

/// True where the digits from `first` are a later group of a date or of a number with hyphens.
fn is_grouped(tape: &Tape<'_>, first: usize) -> bool {
    matches!(tape.before(first), Some(b'-' | b'/' | b':'))
        && first.checked_sub(1).and_then(|i| tape.before(i)).is_some_and(|b| Class::ALNUM.has(b))
}

/// The value of the first `n` digits.
pub(crate) fn leading(digits: &[u8], n: usize) -> u32 {
    digits.iter().take(n).fold(0, |v, d| v * 10 + u32::from(d.saturating_sub(b'0')))
}
