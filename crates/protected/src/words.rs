//! Canonical words of a text that may arrive in pieces.

use bartizan_core::Span;

use crate::chars::{Kind, kind, letters, stands_alone, table};

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

/// ASCII letters of a word that go into its hash at once.
const PACKED: u32 = 7;
/// What tells any other letter from packed ones, which are below.
const WIDE: u64 = 1 << 56;

/// Reads words. Cutting a text into pieces changes nothing.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    point: u64,
    table: &'static [u32],
    /// Hash of the letters of the word so far; 0 between words.
    hash: u64,
    /// Letters that are not in the hash yet, and how many.
    packed: u64,
    waiting: u32,
    span: Span,
    /// Bytes read.
    read: usize,
}

impl Words {
    pub(crate) fn new(point: u64) -> Self {
        Self { point, table: table(), hash: 0, packed: 0, waiting: 0, span: Span::new(0, 0), read: 0 }
    }

    /// Takes the next piece.
    pub(crate) fn push(&mut self, text: &str, mut out: impl FnMut(Word)) {
        let mut rest = text;
        while !rest.is_empty() {
            let ascii = rest.bytes().position(|b| !b.is_ascii()).unwrap_or(rest.len());
            let (plain, other) = rest.split_at_checked(ascii).unwrap_or((rest, ""));
            for byte in plain.bytes() {
                // The bit makes capitals small, and digits have it.
                if byte.is_ascii_alphanumeric() {
                    self.plain(byte | 0x20)
                } else {
                    self.end(&mut out)
                }
                self.read += 1;
            }
            let wide = other.bytes().position(|b| b.is_ascii()).unwrap_or(other.len());
            let (wide, after) = other.split_at_checked(wide).unwrap_or((other, ""));
            for c in wide.chars() {
                self.other(c, &mut out);
                self.read += c.len_utf8();
            }
            rest = after;
        }
    }

    /// Says that the text is over.
    pub(crate) fn finish(&mut self, mut out: impl FnMut(Word)) {
        self.end(&mut out);
    }

    fn other(&mut self, c: char, out: &mut impl FnMut(Word)) {
        match kind(self.table, c) {
            Kind::Break => self.end(out),
            Kind::Nothing => {}
            Kind::One { letter, alone: false } => self.letter(letter, c),
            Kind::One { letter, alone: true } => {
                self.end(out);
                self.letter(letter, c);
                self.end(out);
            }
            Kind::Many => {
                let alone = stands_alone(c);
                if alone {
                    self.end(out);
                }
                letters(c, |letter| match letter {
                    Some(letter) => self.letter(letter, c),
                    None => self.end(out),
                });
                if alone {
                    self.end(out);
                }
            }
        }
    }

    /// A letter in canonical form that the character `c` stands for.
    fn letter(&mut self, letter: u32, c: char) {
        match u8::try_from(letter) {
            Ok(byte) if byte.is_ascii() => self.plain(byte),
            _ => {
                self.begin();
                self.take_in();
                self.add(WIDE | u64::from(letter));
            }
        }
        self.span.end = self.read + c.len_utf8();
    }

    fn plain(&mut self, letter: u8) {
        self.begin();
        self.packed = self.packed << 8 | u64::from(letter);
        self.waiting += 1;
        if self.waiting == PACKED {
            self.take_in();
        }
        self.span.end = self.read + 1;
    }

    const fn begin(&mut self) {
        if self.hash == 0 {
            self.hash = 1;
            self.span.start = self.read;
        }
    }

    fn take_in(&mut self) {
        if self.waiting > 0 {
            let packed = std::mem::take(&mut self.packed);
            self.waiting = 0;
            self.add(packed);
        }
    }

    fn add(&mut self, value: u64) {
        // A sum of 0 would look like no word; it is as rare as any collision.
        let hash = modulo(u128::from(self.hash) * u128::from(self.point)) + value;
        self.hash = if hash >= PRIME { hash - PRIME } else { hash }.max(1);
    }

    fn end(&mut self, out: &mut impl FnMut(Word)) {
        if self.hash != 0 {
            self.take_in();
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
