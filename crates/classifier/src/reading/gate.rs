//! What in a text says that it may be worth another reading. One pass over its bytes.

use bartizan_core::Span;

use super::Reading;
use super::words::{Disguise, KINDS, SHORTEST, Words};
use crate::normal::step;

const ALPHA: u8 = 1;
const UPPER: u8 = 2;
/// Takes part in a run of code: digits, dots and dashes, and what stands between them.
const CODE: u8 = 4;
/// Stands for a letter that it looks like.
const SIGN: u8 = 8;

/// Bytes of code in a row that are looked at: eight letters of two digits with something between.
pub(super) const CODE_RUN: usize = 22;
/// Letters of a word without blanks that is cut at its capitals, and how many capitals it has.
pub(super) const LONG: usize = 24;
const HUMPS: usize = 3;
/// Letters that stand alone, one after the other.
const LONE: usize = 6;

const CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let b = at as u8;
        let mut class = 0;
        if b.is_ascii_alphabetic() {
            class |= ALPHA;
        }
        if b.is_ascii_uppercase() {
            class |= UPPER;
        }
        if matches!(b, b'0'..=b'9' | b' ' | b',' | b';' | b'/' | b'-' | b'.' | b'|' | b'_' | b'\n') {
            class |= CODE;
        }
        if super::letters::sign(b).is_some() {
            class |= SIGN;
        }
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, within bounds")]
        {
            table[at] = class;
        }
        at += 1;
    }
    table
};

/// True for a byte that a run of code may have.
pub(super) fn is_code(b: u8) -> bool {
    CLASSES.get(usize::from(b)).is_some_and(|class| class & CODE != 0)
}

/// Bytes between two signs of the same reading, at most.
const REACH: usize = 200;
/// Bytes around what was seen that are read with it.
const AROUND: usize = 160;

/// Places where something says so often that it may be worth a reading that there is no chance in it.
#[derive(Clone, Default)]
pub(super) struct Trail {
    first: usize,
    last: usize,
    points: usize,
    /// Where enough was seen, in order.
    found: Vec<Span>,
}

impl Trail {
    fn take(&mut self, at: usize, points: usize, enough: usize) {
        if self.points == 0 || at - self.last > REACH {
            (self.first, self.points) = (at, 0);
        }
        self.points += points;
        self.last = at;
        if self.points >= enough {
            match self.found.last_mut().filter(|span| span.end + REACH >= self.first) {
                Some(span) => span.end = at,
                None => self.found.push(Span::new(self.first, at)),
            }
        }
    }

    /// The stretches of `text` that it was seen in, each with a little around, none over another.
    fn stretches(&self, text: &str) -> Vec<Span> {
        let mut all: Vec<Span> = Vec::with_capacity(self.found.len());
        for span in &self.found {
            let start = text.ceil_char_boundary(span.start.saturating_sub(AROUND));
            let end = text.ceil_char_boundary(span.end.saturating_add(AROUND).min(text.len()));
            match all.last_mut().filter(|last| last.end >= start) {
                Some(last) => last.end = end,
                None => all.push(Span::new(start, end)),
            }
        }
        all
    }
}

/// What was seen.
pub(super) struct Seen {
    trails: Vec<Trail>,
}

/// Trails beside those of words, after them.
const SIGNS: usize = KINDS;
const CODES: usize = KINDS + 1;
const ALONE: usize = KINDS + 2;
const PIECES: usize = KINDS + 3;
const HUMPED: usize = KINDS + 4;
const TURNED: usize = KINDS + 5;
const TRAILS: usize = KINDS + 6;

/// The word that is being read.
#[derive(Default)]
struct Word {
    hash: u32,
    letters: usize,
    humps: usize,
}

impl Seen {
    pub(super) fn of(text: &str, words: &Words) -> Self {
        let mut seen = Self { trails: vec![Trail::default(); TRAILS] };
        let mut word = Word { hash: words.seed(), ..Word::default() };
        let (mut run, mut digits, mut alone) = (0usize, 0usize, 0usize);
        // Classes of the two bytes before.
        let (mut before, mut before2) = (0u8, 0u8);
        let mut last = 0u8;
        for (at, &b) in text.as_bytes().iter().enumerate() {
            let class = CLASSES.get(usize::from(b)).copied().unwrap_or(0);
            if class & ALPHA != 0 {
                word.hash = step(word.hash, b | 0x20);
                word.letters += 1;
                word.humps += usize::from(class & UPPER != 0 && before & (ALPHA | UPPER) == ALPHA);
                if before & SIGN != 0 && before2 & ALPHA != 0 {
                    seen.take(SIGNS, at, 1, 2);
                }
                (run, digits) = (0, 0);
            } else {
                if word.letters > 0 {
                    alone = if word.letters == 1 { alone + 1 } else { 0 };
                    if alone >= LONE {
                        seen.take(ALONE, at, 1, 1);
                    }
                    if word.letters >= SHORTEST {
                        seen.word(&word, at, words);
                    }
                    word = Word { hash: words.seed(), ..Word::default() };
                }
                if class & CODE != 0 {
                    run += 1;
                    digits += usize::from(!matches!(b, b' ' | b'\n'));
                    if run >= CODE_RUN && 2 * digits > run {
                        seen.take(CODES, at, 8, 8);
                    }
                } else {
                    (run, digits) = (0, 0);
                    match b {
                        b'+' if matches!(last, b'"' | b'\'') => seen.take(PIECES, at, 1, 3),
                        0xa0..=0xa3 if last == 0xe2 => seen.take(CODES, at, 1, 8),
                        0xc7 | 0xc9 | 0xca => seen.take(TURNED, at, 1, 6),
                        _ => {}
                    }
                }
            }
            (before2, before) = (before, class);
            if b != b' ' {
                last = b;
            }
        }
        if word.letters >= SHORTEST {
            seen.word(&word, text.len(), words);
        }
        seen
    }

    fn take(&mut self, trail: usize, at: usize, points: usize, enough: usize) {
        if let Some(trail) = self.trails.get_mut(trail) {
            trail.take(at, points, enough);
        }
    }

    fn word(&mut self, word: &Word, at: usize, words: &Words) {
        if word.letters >= LONG && word.humps >= HUMPS {
            // All of the word, however long it is.
            self.take(HUMPED, at - word.letters, 1, 1);
            if let Some(span) = self.trails.get_mut(HUMPED).and_then(|trail| trail.found.last_mut()) {
                span.end = at;
            }
        }
        if let Some((kind, points)) = words.find(word.hash) {
            self.take(kind, at, points, Disguise::enough(kind));
        }
    }

    /// The readings that `text` is worth, those that most of it says first, and where.
    pub(super) fn readings(&self, text: &str) -> Vec<(Reading, Vec<Span>)> {
        let mut all: Vec<(Reading, Vec<Span>)> = Vec::new();
        for (number, trail) in self.trails.iter().enumerate().filter(|(_, trail)| !trail.found.is_empty()) {
            let stretches = trail.stretches(text);
            match number {
                SIGNS => all.push((Reading::PlainLetters, stretches)),
                CODES => all.push((Reading::Codes, stretches)),
                ALONE => all.push((Reading::Joined, stretches)),
                PIECES => all.push((Reading::Pieces, stretches)),
                HUMPED => all.push((Reading::Humps, stretches)),
                TURNED => all.push((Reading::Turned, stretches)),
                kind => all.extend(Disguise::of_kind(kind).iter().map(|d| (Reading::Words(*d), stretches.clone()))),
            }
        }
        all.sort_by_key(|(_, stretches)| std::cmp::Reverse(stretches.iter().map(|span| span.len()).sum::<usize>()));
        all
    }
}
