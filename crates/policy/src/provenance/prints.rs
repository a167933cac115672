//! Fingerprints of texts: hashes of runs of letters, chosen by winnowing (Schleimer, Wilkerson, Aiken, SIGMOD 2003).
//!
//! Letters and digits count, in lower case and without marks; spaces, line ends and markup do not. So a text that was
//! wrapped, quoted or trimmed has the prints that it had.

use std::collections::VecDeque;
use std::ops::Range;

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

use super::text::invisible;

/// Bytes of a run that is hashed: nothing shorter is ever recognised. About eight English words.
pub(crate) const GRAM: usize = 40;

/// Runs of which one is chosen: of `GRAM + WINDOW - 1` shared bytes, one print at least is shared.
pub(crate) const WINDOW: usize = 25;

/// 2^61 - 1, a prime.
const PRIME: u64 = (1 << 61) - 1;

fn times(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    // Both halves fit: a product of two numbers below 2^61 is below 2^122.
    let sum = (product & u128::from(PRIME)) as u64 + (product >> 61) as u64;
    if sum >= PRIME { sum - PRIME } else { sum }
}

/// Where the polynomials are evaluated: nobody can compute prints, or texts of equal print, without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    at: u64,
    /// `at` to the power of [`GRAM`].
    top: u64,
}

impl Base {
    pub(crate) fn new(seed: u64) -> Self {
        let at = seed % (PRIME - 512) + 256;
        let top = (0..GRAM).fold(1, |power, _| times(power, at));
        Self { at, top }
    }

    fn push(self, hash: u64, byte: u8) -> u64 {
        let sum = times(hash, self.at) + u64::from(byte) + 1;
        if sum >= PRIME { sum - PRIME } else { sum }
    }

    fn drop(self, hash: u64, byte: u8) -> u64 {
        let gone = times(self.top, u64::from(byte) + 1);
        if hash >= gone { hash - gone } else { hash + PRIME - gone }
    }

    /// The print of a whole value, apart from those of runs; `None` where it is too short to mean anything.
    pub(crate) fn whole(self, value: &str) -> Option<u64> {
        let (mut hash, mut bytes) = (7, 0_usize);
        letters(value, |byte, _| {
            hash = self.push(hash, byte);
            bytes += 1;
        });
        // An identifier or address alone is quoted by anybody.
        let words = value.split_whitespace().nth(2).is_some();
        (words && bytes >= SHORTEST).then(|| mix(hash ^ 0x5bd1_e995))
    }
}

/// Bytes of the shortest whole value that is remembered.
const SHORTEST: usize = 16;

/// Spreads a hash, so that the smallest of some is any of them.
const fn mix(hash: u64) -> u64 {
    let a = (hash ^ (hash >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    a ^ (a >> 29)
}

/// The bytes of a text that count, each with the range of the character that it is from.
fn letters(text: &str, mut each: impl FnMut(u8, Range<usize>)) {
    for (start, c) in text.char_indices() {
        let at = start..start + c.len_utf8();
        if c.is_ascii() {
            if c.is_ascii_alphanumeric() {
                each(c.to_ascii_lowercase() as u8, at);
            }
        } else if !invisible(c) {
            decompose_compatible(c, |part| {
                if part.is_alphanumeric() && !is_combining_mark(part) {
                    for small in part.to_lowercase() {
                        small.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| each(byte, at.clone()));
                    }
                }
            });
        }
    }
}

/// One chosen run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Print {
    pub(crate) value: u64,
    /// Its characters in the text.
    pub(crate) at: Range<usize>,
}

/// Which runs of a text are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The smallest of each window.
    Smallest,
    /// Those, and the first and the last: both ends are known exactly.
    Ends,
    /// Every one.
    All,
}

/// Chooses the prints of a text that comes in pieces.
#[derive(Clone, Debug)]
pub(crate) struct Printer {
    base: Base,
    choice: Choice,
    hash: u64,
    /// Bytes of the run and where each is from.
    run: VecDeque<(u8, Range<usize>)>,
    /// Runs that may be the smallest of a window, with their numbers; smaller ones first.
    window: VecDeque<(usize, Print)>,
    runs: usize,
    last: Option<usize>,
    /// Bytes of text so far.
    read: usize,
}

impl Printer {
    pub(crate) fn new(base: Base, choice: Choice) -> Self {
        let (run, window) = (VecDeque::with_capacity(GRAM), VecDeque::with_capacity(WINDOW));
        Self { base, choice, hash: 0, run, window, runs: 0, last: None, read: 0 }
    }

    /// Adds a piece.
    pub(crate) fn push(&mut self, text: &str, mut out: impl FnMut(Print)) {
        let before = self.read;
        letters(text, |byte, at| self.byte(byte, before + at.start..before + at.end, &mut out));
        self.read += text.len();
    }

    /// Ends the text: a short one has its smallest run.
    pub(crate) fn finish(mut self, mut out: impl FnMut(Print)) {
        if self.choice == Choice::Ends
            && let Some((_, last)) = self.window.back()
        {
            out(last.clone());
        }
        if self.runs < WINDOW
            && let Some((_, print)) = self.window.pop_front()
        {
            out(print);
        }
    }

    fn byte(&mut self, byte: u8, at: Range<usize>, out: &mut impl FnMut(Print)) {
        self.hash = self.base.push(self.hash, byte);
        self.run.push_back((byte, at.clone()));
        if self.run.len() > GRAM
            && let Some((old, _)) = self.run.pop_front()
        {
            self.hash = self.base.drop(self.hash, old);
        }
        let Some((_, first)) = self.run.front().filter(|_| self.run.len() == GRAM) else { return };
        let print = Print { value: mix(self.hash), at: first.start..at.end };
        let number = self.runs;
        self.runs += 1;
        if self.choice == Choice::All {
            return out(print);
        }
        if self.choice == Choice::Ends && number == 0 {
            out(print.clone());
        }
        while self.window.back().is_some_and(|(_, waiting)| waiting.value >= print.value) {
            self.window.pop_back();
        }
        self.window.push_back((number, print));
        if self.window.front().is_some_and(|(first, _)| first + WINDOW <= number) {
            self.window.pop_front();
        }
        if self.runs >= WINDOW
            && let Some((chosen, print)) = self.window.front()
            && self.last != Some(*chosen)
        {
            self.last = Some(*chosen);
            out(print.clone());
        }
    }
}

/// The prints of a whole text.
pub(crate) fn prints(base: Base, text: &str, choice: Choice) -> Vec<Print> {
    let mut all = Vec::new();
    let mut printer = Printer::new(base, choice);
    printer.push(text, |print| all.push(print));
    printer.finish(|print| all.push(print));
    all
}

/// The range widened by a window on both sides and to the ends of the words there, in its lines: where a part of a text
/// begins that is shared is known to within a window.
pub(crate) fn widened(text: &str, at: Range<usize>) -> Range<usize> {
    let count = |c: char| if c.is_alphanumeric() { c.len_utf8() } else { 0 };
    let mut start = at.start;
    let mut left = WINDOW;
    for (i, c) in text.get(..at.start).unwrap_or_default().char_indices().rev() {
        if c == '\n' || left == 0 && c.is_whitespace() {
            break;
        }
        left = left.saturating_sub(count(c));
        start = i;
    }
    let mut end = at.end;
    left = WINDOW;
    for (i, c) in text.get(at.end..).unwrap_or_default().char_indices() {
        if c == '\n' || left == 0 && c.is_whitespace() {
            break;
        }
        left = left.saturating_sub(count(c));
        end = at.end + i + c.len_utf8();
    }
    start..end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(text: &str) -> Vec<u64> {
        prints(Base::new(42), text, Choice::Smallest).into_iter().map(|p| p.value).collect()
    }

    #[test]
    fn what_was_wrapped_or_marked_up_is_the_same() {
        let plain = "Move the quarterly numbers to the shared folder and tell finance when it is done";
        let other =
            "> **Move** the Quarterly numbers\n> to the shared folder \u{200b}and tell\nfinance, when it is: done!";
        assert_eq!(values(plain), values(other));
        assert!(!values(plain).is_empty());
        assert!(values("Move the quarterly numbers").is_empty());
        assert_ne!(
            values(plain),
            prints(Base::new(43), plain, Choice::Smallest).into_iter().map(|p| p.value).collect::<Vec<_>>()
        );
    }

    #[test]
    fn whole_values_need_some_length() {
        let base = Base::new(1);
        assert_eq!(base.whole("yes, do it"), None);
        assert_eq!(base.whole("Delete the file 13 now"), base.whole("delete THE file: 13 now"));
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(text in "[a-z ä]{0,300}", cut in 0_usize..300) {
            let cut = text.char_indices().map(|(i, _)| i).find(|i| *i >= cut).unwrap_or(text.len());
            let mut all = Vec::new();
            let mut printer = Printer::new(Base::new(9), Choice::Ends);
            printer.push(&text[..cut], |p| all.push(p));
            printer.push(&text[cut..], |p| all.push(p));
            printer.finish(|p| all.push(p));
            prop_assert_eq!(all, prints(Base::new(9), &text, Choice::Ends));
        }

        #[test]
        fn a_long_shared_run_is_always_seen(
            shared in "[a-z0-9]{64,120}", a in "[a-z .]{0,90}", b in "[a-z .]{0,90}", c in "[a-z .]{0,90}", d in "[a-z .]{0,90}",
        ) {
            let (one, two) = (format!("{a}{shared}{b}"), format!("{c}{shared}{d}"));
            let known: std::collections::HashSet<u64> = values(&one).into_iter().collect();
            let hit = prints(Base::new(42), &two, Choice::Smallest).into_iter().filter(|p| known.contains(&p.value));
            let covered = hit.map(|p| widened(&two, p.at)).reduce(|x, y| x.start.min(y.start)..x.end.max(y.end));
            let at = c.len()..c.len() + shared.len();
            prop_assert!(covered.as_ref().is_some_and(|r| r.start <= at.start && r.end >= at.end), "{:?} {:?}", covered, at);
        }
    }
}
