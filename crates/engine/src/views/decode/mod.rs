//! Payloads of encodings: found, decoded, with their way back.

mod blob;
mod hidden;
mod inline;
mod readable;

pub(super) use blob::{blobs, unfinished as unfinished_blob};
pub(super) use hidden::{hidden, unfinished as unfinished_hidden};
pub(super) use inline::{inline, unfinished as unfinished_inline};

use bartizan_core::{OffsetMap, Span};

use super::rewrite::Mapped;

/// What decoding may still produce, and what did not fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// Bytes that may still be produced.
    pub(super) left: usize,
    /// Bytes of encoded text that were left as they are because their payload did not fit.
    pub(super) refused: usize,
}

impl Budget {
    /// Takes `produced` bytes that stand for `encoded` bytes, if there is room.
    fn take(&mut self, produced: usize, encoded: usize) -> bool {
        if produced > self.left {
            self.refused = self.refused.saturating_add(encoded);
            return false;
        }
        self.left -= produced;
        true
    }
}

/// The part of a text that differs from the text it was made from. What did not change was searched there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fresh<'m>(pub(super) Option<&'m OffsetMap>);

impl Fresh<'_> {
    /// True where `span` holds or touches something that changed.
    fn touches(self, span: Span) -> bool {
        let Some(map) = self.0 else { return true };
        let segments = map.segments();
        let at = segments.partition_point(|s| s.view.end <= span.start);
        segments.get(at).is_none_or(|s| {
            // The neighbours count: a run that ends where a piece was replaced was a different run before.
            let first = at == 0 || span.start > s.view.start;
            let last = at + 1 == segments.len() || span.end < s.view.end;
            !(s.exact && first && last && span.end <= s.view.end)
        })
    }
}

/// Payloads of one kind in one text, joined by line ends, with a map in which every part of a payload stands for
/// the whole run that encodes it.
#[derive(Debug, Default)]
struct Payloads {
    joined: Mapped,
}

impl Payloads {
    fn push(&mut self, payload: &str, run: Span) {
        let text = &mut self.joined.text;
        if !text.is_empty() {
            text.push('\n');
            let at = text.len();
            let border = Span::new(run.start, run.start);
            self.joined.map.push(bartizan_core::Segment { view: Span::new(at - 1, at), raw: border, exact: false });
        }
        let at = text.len();
        text.push_str(payload);
        let view = Span::new(at, text.len());
        self.joined.map.push(bartizan_core::Segment { view, raw: run, exact: false });
    }

    fn finish(self) -> Option<Mapped> {
        (!self.joined.text.is_empty()).then_some(self.joined)
    }
}
