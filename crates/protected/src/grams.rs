//! Runs of words with what stands around them.

use bartizan_core::Span;

use crate::words::{Rolling, Word, Words};
use crate::{CONTEXT, GRAM, Key};

/// Words that are needed to say everything about one run: the run and what is around it.
const SEEN: usize = GRAM + 2 * CONTEXT;

/// Two bits for each word around a run, the nearest first.
pub(crate) type Around = [Option<u8>; CONTEXT];

/// A run of [`GRAM`] words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gram {
    /// Fingerprint.
    pub(crate) print: u64,
    pub(crate) left: Around,
    pub(crate) right: Around,
}

/// Where a run and the words around it are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'r> {
    seen: &'r [Seen; SEEN],
    /// Number of the first word of the run.
    first: usize,
}

impl Place<'_> {
    /// Byte range of the run with so many words before and after. Words are left out from its beginning until it has at
    /// most so many bytes.
    pub(crate) fn span(&self, left: usize, right: usize, most: usize) -> Span {
        let at = |number: usize| self.seen.get(number % SEEN).map_or_else(|| Span::new(0, 0), |seen| seen.span);
        let (from, to) = (self.first.saturating_sub(left), self.first + GRAM + right);
        let end = at(to.saturating_sub(1)).end;
        let start = (from..to).map(|number| at(number).start).find(|start| end.saturating_sub(*start) <= most);
        Span::new(start.unwrap_or(end), end)
    }
}

/// A word that was read.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    span: Span,
    /// `None` where there was no word any more.
    bits: Option<u8>,
    /// Inner hash of the run that ends here.
    rolled: u64,
}

/// Makes runs of words. Cutting a text into pieces changes nothing.
#[derive(Clone, Debug)]
pub(crate) struct Grams {
    words: Words,
    ring: Ring,
}

impl Grams {
    pub(crate) fn new(key: &Key) -> Self {
        Self {
            words: Words::new(key.letter),
            ring: Ring { key: key.clone(), rolling: Rolling::new(), seen: [Seen::default(); SEEN], read: 0 },
        }
    }

    pub(crate) fn push(&mut self, text: &str, mut out: impl FnMut(Gram, Place<'_>)) {
        let Self { words, ring } = self;
        words.push(text, |word| ring.push(word, &mut out));
    }

    /// The text is over. Answers with how many words it had.
    pub(crate) fn finish(&mut self, mut out: impl FnMut(Gram, Place<'_>)) -> usize {
        let Self { words, ring } = self;
        words.finish(|word| ring.push(word, &mut out));
        let read = ring.read;
        (0..CONTEXT).for_each(|_| ring.take(Seen::default(), &mut out, read));
        read
    }
}

#[derive(Clone, Debug)]
struct Ring {
    key: Key,
    rolling: Rolling<GRAM>,
    seen: [Seen; SEEN],
    /// Words, and what stands for missing ones at the end.
    read: usize,
}

impl Ring {
    fn push(&mut self, word: Word, out: &mut impl FnMut(Gram, Place<'_>)) {
        let rolled = self.rolling.push(word.hash, self.key.word, self.key.word_out);
        let bits = Some(self.key.context(word.hash));
        self.take(Seen { span: word.span, bits, rolled }, out, usize::MAX);
    }

    /// `words` is how many of all were words.
    fn take(&mut self, seen: Seen, out: &mut impl FnMut(Gram, Place<'_>), words: usize) {
        if let Some(place) = self.seen.get_mut(self.read % SEEN) {
            *place = seen;
        }
        self.read += 1;
        // The run whose last word was read `CONTEXT` words ago.
        let Some(last) = self.read.checked_sub(CONTEXT + 1) else { return };
        if last + 1 < GRAM || last >= words {
            return;
        }
        let first = last + 1 - GRAM;
        let at = |number: usize| self.seen.get(number % SEEN).copied().unwrap_or_default();
        let mut gram = Gram { print: self.key.gram(at(last).rolled), left: [None; CONTEXT], right: [None; CONTEXT] };
        for (distance, (left, right)) in gram.left.iter_mut().zip(&mut gram.right).enumerate() {
            *left = first.checked_sub(distance + 1).and_then(|number| at(number).bits);
            *right = at(last + distance + 1).bits;
        }
        out(gram, Place { seen: &self.seen, first });
    }
}
