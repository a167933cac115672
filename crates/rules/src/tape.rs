//! Reading a text that may still be growing.
//!
//! A matcher that reads only through a [`Tape`] obeys the law of [`bartizan_core::Detector::live`] by construction:
//! as long as it never asked for a byte behind the end, appended text cannot change its answer.

use std::cell::{Cell, RefCell};

use bartizan_core::Span;

/// A set of ASCII bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class(u128);

impl Class {
    pub(crate) const DIGIT: Self = Self::range(b'0', b'9');
    pub(crate) const LOWER: Self = Self::range(b'a', b'z');
    pub(crate) const UPPER: Self = Self::range(b'A', b'Z');
    pub(crate) const ALNUM: Self = Self::DIGIT.or(Self::LOWER).or(Self::UPPER);
    pub(crate) const WORD: Self = Self::ALNUM.or(Self::of(b"_"));
    pub(crate) const SPACE: Self = Self::of(b" \t\r\n\x0b\x0c");

    /// These bytes; bytes outside ASCII are left out.
    pub(crate) const fn of(mut bytes: &[u8]) -> Self {
        let mut set = 0;
        while let Some((byte, rest)) = bytes.split_first() {
            if *byte < 128 {
                set |= 1 << *byte;
            }
            bytes = rest;
        }
        Self(set)
    }

    /// All bytes from `first` to `last`.
    pub(crate) const fn range(first: u8, last: u8) -> Self {
        let mut set = 0;
        let mut byte = first;
        while byte <= last && byte < 128 {
            set |= 1 << byte;
            byte += 1;
        }
        Self(set)
    }

    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn has(self, byte: u8) -> bool {
        byte < 128 && self.0 >> byte & 1 == 1
    }

    pub(crate) const fn overlaps(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The bytes of the set, in order.
    pub(crate) fn bytes(self) -> impl Iterator<Item = u8> {
        (0..128).filter(move |b| self.has(*b))
    }
}

/// Runs up to here are cheaper to read than to remember.
const SHORT: usize = 32;

/// A text that remembers whether anybody looked behind its end.
#[derive(Debug)]
pub(crate) struct Tape<'a> {
    bytes: &'a [u8],
    open: Cell<bool>,
    /// What each reader of [`Tape::run_again`] and [`Tape::find_again`] found out last.
    known: RefCell<Vec<Span>>,
    #[cfg(test)]
    reads: Cell<usize>,
}

impl<'a> Tape<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self {
            bytes: text.as_bytes(),
            open: Cell::new(false),
            known: RefCell::new(Vec::new()),
            #[cfg(test)]
            reads: Cell::new(0),
        }
    }

    /// How many bytes were asked for.
    #[cfg(test)]
    pub(crate) fn reads(&self) -> usize {
        self.reads.get()
    }

    /// The byte at `index`. Past the end there is none, and the tape counts as open.
    pub(crate) fn at(&self, index: usize) -> Option<u8> {
        #[cfg(test)]
        self.reads.set(self.reads.get() + 1);
        let byte = self.bytes.get(index).copied();
        if byte.is_none() {
            self.open.set(true);
        }
        byte
    }

    /// The byte before `index`.
    pub(crate) fn before(&self, index: usize) -> Option<u8> {
        self.bytes.get(index.checked_sub(1)?).copied()
    }

    /// The bytes of a range that was read before; empty where it does not fit.
    pub(crate) fn slice(&self, span: Span) -> &'a [u8] {
        self.bytes.get(span.start..span.end).unwrap_or_default()
    }

    pub(crate) const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// True where `literal` stands at `index`.
    pub(crate) fn starts(&self, index: usize, literal: &[u8]) -> bool {
        (index..).zip(literal).all(|(i, want)| self.at(i) == Some(*want))
    }

    /// The end of the run of `class` that starts at `from`, looking no further than `limit`.
    pub(crate) fn run(&self, from: usize, limit: usize, class: Class) -> usize {
        let mut end = from;
        while end < limit && self.at(end).is_some_and(|b| class.has(b)) {
            end += 1;
        }
        end
    }

    /// As [`Tape::run`], for a reader that asks at many places of one long run: what it read before is not read again.
    /// Readers are small numbers; one reader always asks for one class. Linear in the text while `from` rises.
    pub(crate) fn run_again(&self, reader: usize, from: usize, limit: usize, class: Class) -> usize {
        let near = self.run(from, limit.min(from + SHORT), class);
        if near < from + SHORT || near >= limit {
            return near;
        }
        let known = self.recall(reader, from);
        let end = self.run(near.max(known.end).min(limit), limit, class);
        self.remember(reader, Span::new(known.start, known.end.max(end)));
        end
    }

    /// The first place in `from..until` where `literal` stands, without asking for anything behind the end. One reader
    /// always asks for one literal. Linear in the text while `from` rises.
    pub(crate) fn find_again(&self, reader: usize, from: usize, until: usize, literal: &[u8]) -> Option<usize> {
        let known = self.recall(reader, from);
        let stands = |at: &usize| self.bytes.get(*at..).is_some_and(|rest| rest.starts_with(literal));
        let until = until.min(self.bytes.len());
        let found = (known.end..until).find(stands);
        self.remember(reader, Span::new(known.start, found.unwrap_or(until).max(known.end)));
        found
    }

    /// What a reader knows around `from`: a range that begins at or before it and does not end before it.
    fn recall(&self, reader: usize, from: usize) -> Span {
        let known = self.known.borrow().get(reader).copied().unwrap_or_default();
        if known.start <= from && from <= known.end { known } else { Span::new(from, from) }
    }

    fn remember(&self, reader: usize, span: Span) {
        let mut known = self.known.borrow_mut();
        if known.len() <= reader {
            known.resize(reader + 1, Span::default());
        }
        if let Some(slot) = known.get_mut(reader) {
            *slot = span;
        }
    }

    /// The start of the run of `class` that ends at `end`, looking back no further than `limit`.
    pub(crate) fn run_back(&self, end: usize, limit: usize, class: Class) -> usize {
        let mut start = end;
        while start > limit && self.before(start).is_some_and(|b| class.has(b)) {
            start -= 1;
        }
        start
    }

    /// Whether a byte behind the end was asked for since the last call.
    pub(crate) fn take_open(&self) -> bool {
        self.open.replace(false)
    }
}

/// True where a word may start at `index`: behind anything but a letter or digit, or behind an escape sequence
/// whose last character only looks like one (`\n`, `%3D`).
pub(crate) fn word_starts(tape: &Tape<'_>, index: usize) -> bool {
    let Some(last) = tape.before(index) else { return true };
    if !Class::ALNUM.has(last) {
        return true;
    }
    let back = |n: usize| index.checked_sub(n).and_then(|i| tape.before(i));
    match back(1) {
        Some(b'\\') => matches!(last, b'n' | b'r' | b't'),
        Some(middle) => back(2) == Some(b'%') && middle.is_ascii_hexdigit() && last.is_ascii_hexdigit(),
        None => false,
    }
}

/// How much of `tail` to hold for a matcher that is tried at every byte of the last `bound` bytes: from the first
/// place where `try_at` asked for a byte behind the end.
pub(crate) fn live_from(tail: &str, bound: usize, try_at: impl Fn(&Tape<'_>, usize)) -> usize {
    let tape = Tape::new(tail);
    let first = tail.len().saturating_sub(bound);
    (first..tail.len())
        .find(|start| {
            try_at(&tape, *start);
            tape.take_open()
        })
        .map_or(0, |start| tail.len() - tail.floor_char_boundary(start))
}

/// True where one of `words` begins in the `within` bytes before `start` and ends there, without regard to ASCII case.
/// With `whole`, only at the start of a word.
pub(crate) fn word_before(tape: &Tape<'_>, start: usize, within: usize, words: &[&[u8]], whole: bool) -> bool {
    let from = start.saturating_sub(within);
    let before = tape.slice(Span::new(from, start));
    // By the last five bits: nearly no byte begins one of the words, so the words are compared at few places.
    let begins = words.iter().filter_map(|word| word.first()).fold(0_u32, |set, byte| set | 1 << (byte & 31));
    (0..before.len()).filter(|at| before.get(*at).is_some_and(|byte| begins >> (byte & 31) & 1 == 1)).any(|at| {
        let rest = before.get(at..).unwrap_or_default();
        words.iter().any(|word| rest.get(..word.len()).is_some_and(|r| r.eq_ignore_ascii_case(word)))
            && (!whole || !tape.before(from + at).is_some_and(|b| Class::ALNUM.has(b)))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_remembered_is_what_is_read(
            text in "([a-c]{1,90}[-.]){1,9}[a-c]{0,50}",
            places in prop::collection::vec((0..500_usize, 0..200_usize), 1..30),
        ) {
            let (tape, fresh) = (Tape::new(&text), Tape::new(&text));
            let class = Class::LOWER.or(Class::of(b"-"));
            for (from, most) in places {
                prop_assert_eq!(tape.run_again(0, from, from + most, class), fresh.run(from, from + most, class));
                prop_assert_eq!(tape.take_open(), fresh.take_open());
                let found = (from..from + most).find(|at| text.as_bytes().get(*at..).is_some_and(|r| r.starts_with(b"c-a")));
                prop_assert_eq!(tape.find_again(1, from, from + most, b"c-a"), found);
                prop_assert!(!tape.take_open());
            }
        }
    }
}
