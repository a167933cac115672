//! Canonical words of a text that may arrive in pieces.

use bartizan_core::Span;

use crate::chars::{Kind, kind, letters, table};

/// A Mersenne prime; hashes are polynomials over its field.
const PRIME: u64 = (1 << 61) - 1;

/// Remainder by [`PRIME`] of a product of two numbers below it.
pub(crate) const fn modulo(product: u128) -> u64 {
    let folded = (product as u64 & PRIME) + (product >> 61) as u64;
    if folded >= PRIME { folded - PRIME } else { folded }
}

/// One canonical word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word {
    /// Polynomial over its letters.
    pub(crate) hash: u64,
    /// Byte range in the whole text, from its first letter to behind its last.
    pub(crate) span: Span,
}

/// Reads words. Cutting a text into pieces changes nothing.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    point: u64,
    table: &'static [u32],
    /// Hash of the word that is being read; 0 between words.
    hash: u64,
    span: Span,
    /// Bytes read.
    read: usize,
}

impl Words {
    pub(crate) fn new(point: u64) -> Self {
        Self { point, table: table(), hash: 0, span: Span::new(0, 0), read: 0 }
    }

    /// Takes the next piece.
    pub(crate) fn push(&mut self, text: &str, mut out: impl FnMut(Word)) {
        for (at, c) in text.char_indices() {
            let at = self.read + at;
            match kind(self.table, c) {
                Kind::Break => self.end(&mut out),
                Kind::Nothing => {}
                Kind::One { letter, alone: false } => self.letter(letter, at, c),
                Kind::One { letter, alone: true } => {
                    self.end(&mut out);
                    self.letter(letter, at, c);
                    self.end(&mut out);
                }
                Kind::Many => letters(c, |letter| match letter {
                    Some(letter) => self.letter(letter, at, c),
                    None => self.end(&mut out),
                }),
            }
        }
        self.read += text.len();
    }

    /// Says that the text is over.
    pub(crate) fn finish(&mut self, mut out: impl FnMut(Word)) {
        self.end(&mut out);
    }

    fn letter(&mut self, letter: u32, at: usize, c: char) {
        if self.hash == 0 {
            self.hash = 1;
            self.span.start = at;
        }
        self.span.end = at + c.len_utf8();
        // A sum of 0 would look like no word; it is as rare as any collision.
        let hash = modulo(u128::from(self.hash) * u128::from(self.point)) + u64::from(letter);
        self.hash = if hash >= PRIME { hash - PRIME } else { hash }.max(1);
    }

    fn end(&mut self, out: &mut impl FnMut(Word)) {
        if self.hash != 0 {
            out(Word { hash: self.hash, span: self.span });
            self.hash = 0;
        }
    }
}

/// How many canonical words a text has.
#[must_use]
pub fn count(text: &str) -> usize {
    let mut words = Words::new(2);
    let mut count = 0;
    words.push(text, |_| count += 1);
    words.finish(|_| count += 1);
    count
}

/// The last words, and the fingerprints' inner hash over them.
#[derive(Clone, Debug)]
pub(crate) struct Rolling<const N: usize> {
    words: [u64; N],
    next: usize,
    hash: u64,
}

impl<const N: usize> Rolling<N> {
    pub(crate) fn new() -> Self {
        Self { words: [0; N], next: 0, hash: 0 }
    }

    /// Takes a word; answers with the hash of the last `N`. `out` is `point` to the power of `N`.
    pub(crate) fn push(&mut self, word: u64, point: u64, out: u64) -> u64 {
        let old = self.words.get_mut(self.next).map_or(0, |place| std::mem::replace(place, word));
        self.next = if self.next + 1 >= N { 0 } else { self.next + 1 };
        let gone = modulo(u128::from(old) * u128::from(out));
        let sum = modulo(u128::from(self.hash) * u128::from(point)) + word + (PRIME - gone);
        self.hash = modulo(u128::from(sum));
        self.hash
    }
}
