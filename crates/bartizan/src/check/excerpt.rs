//! The part of a text that is drawn around a finding: short, safe for a terminal, secrets covered.

use std::ops::Range;

use bartizan_core::Span;

use crate::terminal::is_unseen;

/// Most characters drawn before and after a finding on its lines.
const AROUND: usize = 60;
/// Most characters drawn of a finding.
const INSIDE: usize = 240;

/// What is drawn.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Excerpt {
    /// The text to draw.
    pub(crate) source: String,
    /// Byte range of the finding in `source`.
    pub(crate) mark: Range<usize>,
}

impl Excerpt {
    /// Column of the finding in what is drawn, from 1.
    pub(crate) fn drawn_column(&self) -> usize {
        self.source[..self.mark.start].chars().count() + 1
    }
}

/// The excerpt of `text` around `span`. `covered` are the places that must not be read, sorted.
pub(crate) fn excerpt(text: &str, span: Span, covered: &[Span]) -> Excerpt {
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let end = text.ceil_char_boundary(span.end.max(start));
    let (head, rest) = text.split_at(start);
    let (inside, tail) = rest.split_at(end - start);
    let line_start = head.rfind('\n').map_or(0, |at| at + 1);
    let before = &head[line_start..];

    let mut out = Writer { covered, source: String::new() };
    let skipped = before.char_indices().rev().nth(AROUND - 1).map_or(0, |(at, _)| at);
    if skipped > 0 {
        out.source.push('…');
    }
    out.push(&before[skipped..], line_start + skipped, usize::MAX);
    let mark = out.source.len();
    let whole = out.push(inside, start, INSIDE);
    let mark = mark..out.source.len();
    if whole && !inside.ends_with('\n') {
        let after = tail.split('\n').next().unwrap_or_default();
        let after = after.strip_suffix('\r').unwrap_or(after);
        let cut = after.char_indices().nth(AROUND).map_or(after.len(), |(at, _)| at);
        out.push(&after[..cut], end, usize::MAX);
        if cut < after.len() {
            out.source.push('…');
        }
    }
    Excerpt { source: out.source, mark }
}

struct Writer<'a> {
    covered: &'a [Span],
    source: String,
}

impl Writer<'_> {
    /// Writes a piece that starts at byte `at` of the text, at most about `most` characters of output; false where
    /// it was cut.
    fn push(&mut self, piece: &str, at: usize, most: usize) -> bool {
        let mut written = 0;
        for (offset, c) in piece.char_indices() {
            if written >= most {
                self.source.push('…');
                return false;
            }
            let at = at + offset;
            if self.covered.iter().any(|s| s.start <= at && at < s.end) {
                self.source.push('*');
                written += 1;
            } else if !is_unseen(c) {
                self.source.push(c);
                written += 1;
            } else if c != '\r' || !piece[offset + 1..].starts_with('\n') {
                // The carriage return of a Windows line end goes without saying.
                self.source.extend(c.escape_unicode());
                written += c.escape_unicode().len();
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drawn(text: &str, start: usize, end: usize, covered: &[Span]) -> (Excerpt, String) {
        let excerpt = excerpt(text, Span::new(start, end), covered);
        let marked = excerpt.source[excerpt.mark.clone()].to_owned();
        (excerpt, marked)
    }

    #[test]
    fn only_the_lines_of_the_finding_are_drawn() {
        let (excerpt, marked) = drawn("one\r\ntwo three\r\nfour", 9, 14, &[]);
        assert_eq!((excerpt.source.as_str(), marked.as_str()), ("two three", "three"));
    }

    #[test]
    fn long_lines_and_long_findings_are_cut() {
        let text = format!("{}MARK{}", "a".repeat(1000), "b".repeat(1000));
        let (excerpt, marked) = drawn(&text, 1000, 1004, &[]);
        assert_eq!(marked, "MARK");
        assert_eq!(excerpt.source, format!("…{}MARK{}…", "a".repeat(60), "b".repeat(60)));
        let (excerpt, marked) = drawn(&text, 0, 2004, &[]);
        assert_eq!(marked, format!("{}…", "a".repeat(240)));
        assert_eq!(excerpt.source, marked);
    }

    #[test]
    fn what_a_terminal_obeys_is_spelled_out() {
        let (excerpt, marked) = drawn("a\u{1b}[31m\u{202e}\u{200b}é", 1, 2, &[]);
        assert_eq!(marked, "\\u{1b}");
        assert_eq!(excerpt.source, "a\\u{1b}[31m\\u{202e}\\u{200b}é");
    }

    #[test]
    fn covered_places_cannot_be_read() {
        let (excerpt, _) = drawn("key=sécret, rest", 12, 16, &[Span::new(4, 11)]);
        assert_eq!(excerpt.source, "key=******, rest");
    }

    proptest! {
        #[test]
        fn any_place_of_any_text_can_be_drawn(
            text in "(\\PC|[\n\r\t\u{0}\u{1b}\u{202e}]){0,400}",
            start in 0..500_usize,
            length in 0..500_usize,
            covered in proptest::collection::vec((0..500_usize, 0..50_usize), 0..3),
        ) {
            let covered: Vec<Span> = covered.into_iter().map(|(at, length)| Span::new(at, at + length)).collect();
            let excerpt = excerpt(&text, Span::new(start, start + length), &covered);
            prop_assert!(excerpt.source.get(excerpt.mark.clone()).is_some());
            prop_assert!(excerpt.drawn_column() >= 1);
            prop_assert!(!excerpt.source.chars().any(is_unseen));
            prop_assert!(excerpt.source.chars().count() <= 10 * (2 * AROUND + INSIDE));
        }
    }
}
