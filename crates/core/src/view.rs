//! Views: the canonical and decoded forms of a text, each with a map back to the original bytes.

use std::borrow::Cow;
use std::ops::BitOr;

use serde::{Deserialize, Serialize};

use crate::location::Span;

/// One form of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// As it came.
    Raw,
    /// NFKC, invisible characters out, case kept.
    Clean,
    /// `Clean` without combining marks and spacing tricks. Letter case is *not* guaranteed to be folded: a
    /// detector that reads it matches without regard to ASCII case.
    Folded,
    /// Confusable characters of non-ASCII words mapped to their prototypes (UTS #39), then as `Folded`.
    Skeleton,
    /// The payload of an encoding found in another view: base64, hex, URL, HTML, escapes, tag characters,
    /// variation selectors. [`ViewText::depth`] counts how many encodings were peeled off.
    Decoded,
}

/// A set of [`View`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Views(u8);

impl Views {
    /// No view.
    pub const NONE: Self = Self(0);
    /// Only the text as it came.
    pub const RAW: Self = Self(1);
    /// [`View::Clean`].
    pub const CLEAN: Self = Self(2);
    /// [`View::Folded`].
    pub const FOLDED: Self = Self(4);
    /// [`View::Skeleton`].
    pub const SKELETON: Self = Self(8);
    /// [`View::Decoded`].
    pub const DECODED: Self = Self(16);
    /// What an instruction is looked for in: everything that a model may read as words.
    pub const WORDS: Self = Self(2 | 4 | 8 | 16);
    /// What an exact token is looked for in: readable as it stands, or once decoded.
    pub const TOKENS: Self = Self(2 | 16);

    /// The set of one view.
    #[must_use]
    pub const fn of(view: View) -> Self {
        match view {
            View::Raw => Self::RAW,
            View::Clean => Self::CLEAN,
            View::Folded => Self::FOLDED,
            View::Skeleton => Self::SKELETON,
            View::Decoded => Self::DECODED,
        }
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// True where the sets share a view.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for Views {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        self.with(other)
    }
}

/// One stretch of a view and the bytes of the original that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Byte range in the view.
    pub view: Span,
    /// Byte range in the original.
    pub raw: Span,
    /// True where the stretch is copied byte for byte, so that offsets inside it map exactly. Otherwise any part
    /// of it stands for the whole `raw` range.
    pub exact: bool,
}

/// Maps byte ranges of a view to byte ranges of the original.
///
/// Segments are sorted and cover the view without gaps; ranges of the original may have gaps (removed characters)
/// and may repeat (one payload, several words).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct OffsetMap {
    /// Empty means identity.
    segments: Vec<Segment>,
}

impl OffsetMap {
    /// The map of a view that equals the original.
    #[must_use]
    pub const fn identity() -> Self {
        Self { segments: Vec::new() }
    }

    /// A map in which every part of a view of `len` bytes stands for the whole of `raw`.
    #[must_use]
    pub fn whole(len: usize, raw: Span) -> Self {
        Self { segments: vec![Segment { view: Span::new(0, len), raw, exact: false }] }
    }

    /// True where the view equals the original.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.segments.is_empty()
    }

    /// The stretches in view order; none where the view equals the original.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Appends a stretch; adjacent exact stretches are merged.
    pub fn push(&mut self, segment: Segment) {
        if let Some(last) = self.segments.last_mut()
            && last.exact
            && segment.exact
            && last.view.end == segment.view.start
            && last.raw.end == segment.raw.start
        {
            last.view.end = segment.view.end;
            last.raw.end = segment.raw.end;
            return;
        }
        if !segment.view.is_empty() {
            self.segments.push(segment);
        }
    }

    fn at(&self, offset: usize) -> Option<&Segment> {
        let after = self.segments.partition_point(|s| s.view.end <= offset);
        self.segments.get(after)
    }

    /// The bytes of the original that a range of the view stands for. An empty range maps to an empty range.
    #[must_use]
    pub fn to_raw(&self, range: Span) -> Span {
        if self.is_identity() {
            return range;
        }
        let (Some(first), Some(last)) = (self.at(range.start), self.at(range.end.max(range.start + 1) - 1)) else {
            let end = self.segments.last().map_or(0, |s| s.raw.end);
            return Span::new(end, end);
        };
        let start =
            if first.exact { first.raw.start + range.start.saturating_sub(first.view.start) } else { first.raw.start };
        if range.is_empty() {
            return Span::new(start, start);
        }
        let end = if last.exact { last.raw.start + (range.end - last.view.start) } else { last.raw.end };
        Span::new(start.min(end), start.max(end))
    }

    /// The map that first goes through `self` (view to middle) and then through `outer` (middle to original).
    #[must_use]
    pub fn then(&self, outer: &Self) -> Self {
        if self.is_identity() {
            return outer.clone();
        }
        if outer.is_identity() {
            return self.clone();
        }
        let mut joined = Self::default();
        for segment in &self.segments {
            if !segment.exact {
                joined.push(Segment { raw: outer.to_raw(segment.raw), ..*segment });
                continue;
            }
            // An exact stretch may fall apart where the outer map has borders.
            let mut middle = segment.raw.start;
            while middle < segment.raw.end {
                let Some(part) = outer.at(middle) else { break };
                let stop = part.view.end.min(segment.raw.end);
                let shift = segment.view.start + (middle - segment.raw.start);
                joined.push(Segment {
                    view: Span::new(shift, shift + (stop - middle)),
                    raw: outer.to_raw(Span::new(middle, stop)),
                    exact: part.exact,
                });
                middle = stop;
            }
        }
        joined
    }
}

/// A text in one form, with its way back.
#[derive(Clone, Debug)]
pub struct ViewText<'a> {
    /// The most derived view that this text is; [`View::Raw`] for the original.
    pub view: View,
    /// All views that this text stands for. Plain ASCII prose is one text for four views.
    pub serves: Views,
    /// Encodings peeled off: 0, or the depth of a [`View::Decoded`] text.
    pub depth: u8,
    /// The text.
    pub text: Cow<'a, str>,
    /// Back to the bytes of the original.
    pub map: OffsetMap,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(v: (usize, usize), r: (usize, usize)) -> Segment {
        Segment { view: Span::new(v.0, v.1), raw: Span::new(r.0, r.1), exact: true }
    }

    #[test]
    fn maps_compose() {
        // "ab??cd" with the middle removed, then "abcd" with "bc" replaced by one character.
        let mut outer = OffsetMap::default();
        outer.push(exact((0, 2), (0, 2)));
        outer.push(exact((2, 4), (4, 6)));
        let mut inner = OffsetMap::default();
        inner.push(exact((0, 1), (0, 1)));
        inner.push(Segment { view: Span::new(1, 2), raw: Span::new(1, 3), exact: false });
        inner.push(exact((2, 3), (3, 4)));
        let joined = inner.then(&outer);
        assert_eq!(joined.to_raw(Span::new(0, 1)), Span::new(0, 1));
        assert_eq!(joined.to_raw(Span::new(1, 2)), Span::new(1, 5));
        assert_eq!(joined.to_raw(Span::new(2, 3)), Span::new(5, 6));
        assert_eq!(outer.to_raw(Span::new(1, 3)), Span::new(1, 5));
    }
}
