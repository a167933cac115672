//! Writing a changed copy of a text together with its way back.

use bartizan_core::{OffsetMap, Segment, Span};

/// A text and its map to the text that it was made from.
#[derive(Clone, Debug, Default)]
pub(super) struct Mapped {
    pub(super) text: String,
    pub(super) map: OffsetMap,
}

/// Past so many stretches the map gets coarser: a text that changes at every other character would otherwise need
/// a multiple of its size.
const FINE: usize = 1 << 15;
/// Bytes that a stretch of a coarse map covers at most.
const COARSE: usize = 256;

/// Copies a text while replacing pieces of it, in order. Nothing is allocated before the first piece.
#[derive(Debug)]
pub(super) struct Rewrite<'t> {
    source: &'t str,
    /// Where the source was read to.
    from: usize,
    out: String,
    map: OffsetMap,
    count: usize,
    pending: Segment,
    changed: bool,
}

impl<'t> Rewrite<'t> {
    pub(super) fn new(source: &'t str) -> Self {
        let nothing = Segment { view: Span::new(0, 0), raw: Span::new(0, 0), exact: true };
        Self {
            source,
            from: 0,
            out: String::new(),
            map: OffsetMap::default(),
            count: 0,
            pending: nothing,
            changed: false,
        }
    }

    /// How far the source has been dealt with.
    pub(super) const fn position(&self) -> usize {
        self.from
    }

    fn change(&mut self) {
        if !self.changed {
            self.changed = true;
            self.out.reserve(self.source.len());
        }
    }

    fn segment(&mut self, raw: Span, len: usize, exact: bool) {
        let view = Span::new(self.out.len() - len, self.out.len());
        let last = &mut self.pending;
        let continues = exact && last.exact && last.raw.end == raw.start;
        let coarse =
            self.count > FINE && raw.end - last.raw.start <= COARSE && !last.view.is_empty() && (!exact || len < 32);
        if continues || coarse {
            last.exact = continues;
            last.view.end = view.end;
            last.raw.end = raw.end;
            return;
        }
        if !last.view.is_empty() {
            self.map.push(*last);
            self.count += 1;
        }
        *last = Segment { view, raw, exact };
    }

    /// Copies up to `end` as it is.
    pub(super) fn copy(&mut self, end: usize) {
        if end > self.from {
            let raw = Span::new(self.from, end);
            self.out.push_str(raw.of(self.source));
            self.segment(raw, raw.len(), true);
            self.from = end;
        }
    }

    /// Leaves out everything up to `end`.
    pub(super) fn skip(&mut self, end: usize) {
        self.change();
        self.from = self.from.max(end);
    }

    /// Writes `with` for `piece`; what lies before it is copied.
    pub(super) fn replace(&mut self, piece: Span, with: &str) {
        self.change();
        self.copy(piece.start);
        self.from = piece.end;
        if !with.is_empty() {
            self.out.push_str(with);
            self.segment(piece, with.len(), false);
        }
    }

    /// Writes a border between two stretches, which stands for nothing in the source.
    pub(super) fn border(&mut self) {
        if !self.out.is_empty() {
            self.out.push('\n');
            self.segment(Span::new(self.from, self.from), 1, false);
        }
    }

    fn close(mut self) -> Mapped {
        if self.out.is_empty() {
            // A map without stretches would be the identity.
            self.map = OffsetMap::whole(0, Span::new(0, 0));
        }
        if !self.pending.view.is_empty() {
            self.map.push(self.pending);
        }
        Mapped { text: self.out, map: self.map }
    }

    /// The changed copy up to the end of the source; none where nothing was changed.
    pub(super) fn finish(mut self) -> Option<Mapped> {
        if !self.changed {
            return None;
        }
        self.copy(self.source.len());
        Some(self.close())
    }

    /// What was written so far; none where that is nothing.
    pub(super) fn excerpt(self) -> Option<Mapped> {
        (!self.out.is_empty()).then(|| self.close())
    }
}
