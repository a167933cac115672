//! Looking for repetition in a text that may arrive in pieces.

use bartizan_core::Span;

use crate::grams::{Gram, Grams, Place};
use crate::index::Records;
use crate::prose::prose;
use crate::{CONTEXT, Index};

/// Most bytes of one match. A longer one is cut at its beginning, at a word.
pub(crate) const LONGEST: usize = 512;

/// Words that repeat the corpus: at least [`crate::RUN`] in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Byte range from the beginning of the text.
    pub span: Span,
    /// The records that they may be from.
    pub records: Records,
}

/// Reads a text piece by piece; what it finds does not depend on where the text is cut.
#[derive(Debug)]
pub struct Matcher<'i> {
    index: &'i Index,
    grams: Grams,
}

impl<'i> Matcher<'i> {
    /// At the beginning of a text.
    #[must_use]
    pub fn new(index: &'i Index) -> Self {
        Self { index, grams: Grams::new(index.key()) }
    }

    /// Takes the next piece.
    pub fn push(&mut self, text: &str, mut out: impl FnMut(Match)) {
        let index = self.index;
        self.grams.push(text, |gram, place| look(index, &gram, place, &mut out));
    }

    /// The text is over.
    pub fn finish(&mut self, mut out: impl FnMut(Match)) {
        let index = self.index;
        self.grams.finish(|gram, place| look(index, &gram, place, &mut out));
    }
}

/// All that a whole text repeats, as it stands and without what frames its words, each place once.
pub fn find(index: &Index, text: &str, mut out: impl FnMut(Match)) {
    let mut known: Vec<Span> = Vec::new();
    let read = |text: &str, out: &mut dyn FnMut(Match)| {
        let mut matcher = Matcher::new(index);
        matcher.push(text, &mut *out);
        matcher.finish(&mut *out);
    };
    read(text, &mut |found| {
        match known.last_mut() {
            Some(last) if found.span.start <= last.end => last.end = last.end.max(found.span.end),
            _ => known.push(found.span),
        }
        out(found);
    });
    let Some(prose) = prose(text) else { return };
    read(&prose.text, &mut |found| {
        let span = prose.place(found.span);
        let at = known.partition_point(|one| one.start <= span.start);
        let is_known = at.checked_sub(1).and_then(|at| known.get(at)).is_some_and(|one| span.end <= one.end);
        if !is_known {
            out(Match { span, ..found });
        }
    });
}

fn look(index: &Index, gram: &Gram, place: Place<'_>, out: &mut impl FnMut(Match)) {
    index.look(gram, |left, right, records| {
        if left + right >= CONTEXT {
            out(Match { span: place.span(left, right, LONGEST), records });
        }
    });
}
