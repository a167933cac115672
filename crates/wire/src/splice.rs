//! Putting replacements into a text without touching the rest.

use std::borrow::Cow;

use bartizan_core::Span;

use crate::json::{PieceText, encode, escape_into, inner, pieces};

/// A range and what goes there.
pub(crate) type Patch<'a> = (Span, Cow<'a, str>);

/// Sorts patches and merges those that overlap: the union of the ranges, with the text of the one that begins first
/// (of two that begin together, the one given first).
pub(crate) fn merge(mut patches: Vec<Patch<'_>>) -> Vec<Patch<'_>> {
    patches.sort_by_key(|(span, _)| span.start);
    let mut merged: Vec<Patch<'_>> = Vec::with_capacity(patches.len());
    for (span, with) in patches {
        match merged.last_mut() {
            Some((last, _)) if span.start < last.end || *last == span => last.end = last.end.max(span.end),
            _ => merged.push((span, with)),
        }
    }
    merged
}

/// `text` with merged patches put in.
pub(crate) fn splice(text: &str, patches: &[Patch<'_>]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (span, with) in patches {
        out.push_str(text.get(at..span.start).unwrap_or_default());
        out.push_str(with);
        at = span.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// A string literal whose value gets merged patches, in ranges of the value. Escapes outside of them stay as they are
/// written.
pub(crate) fn splice_literal(literal: &str, lone_surrogate: bool, value: &str, patches: &[Patch<'_>]) -> String {
    if lone_surrogate {
        // What stood apart could become a pair once the text between is gone.
        return encode(&splice(value, patches));
    }
    let mut out = String::with_capacity(literal.len());
    out.push('"');
    let mut left = patches.iter();
    let mut patch = left.next();
    // Value bytes before this are dealt with.
    let mut done = 0;
    let source = inner(literal);
    for piece in pieces(source) {
        let mut at = piece.value.start.max(done);
        while at < piece.value.end {
            match patch {
                Some((span, with)) if span.start <= at => {
                    escape_into(with, &mut out);
                    done = span.end;
                    at = at.max(done);
                    patch = left.next();
                }
                next => {
                    let stop = next.map_or(piece.value.end, |(span, _)| span.start.min(piece.value.end));
                    match piece.text {
                        PieceText::Plain(text) => {
                            let part = text.get(at - piece.value.start..stop - piece.value.start);
                            out.push_str(part.unwrap_or_default());
                        }
                        PieceText::Char(_) => out.push_str(piece.raw.of(source)),
                    }
                    at = stop;
                }
            }
        }
    }
    // Insertions at the end.
    for (_, with) in patch.into_iter().chain(left) {
        escape_into(with, &mut out);
    }
    out.push('"');
    out
}

/// The range of the value that a range of the literal (quotes included) stands for.
pub(crate) fn value_range(literal: &str, range: Span) -> Span {
    let (from, to) = (range.start.saturating_sub(1), range.end.saturating_sub(1));
    let (mut start, mut end) = (None, 0);
    for piece in pieces(inner(literal)) {
        if piece.raw.end <= from {
            end = piece.value.end;
            continue;
        }
        if piece.raw.start >= to {
            break;
        }
        let exact = matches!(piece.text, PieceText::Plain(_));
        let first = if exact { piece.value.start + from.saturating_sub(piece.raw.start) } else { piece.value.start };
        start.get_or_insert(first);
        end = if exact { piece.value.start + to.min(piece.raw.end) - piece.raw.start } else { piece.value.end };
    }
    Span::new(start.unwrap_or(end), end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_patches_become_one() {
        let patches = vec![
            (Span::new(4, 8), Cow::Borrowed("late")),
            (Span::new(1, 5), Cow::Borrowed("first")),
            (Span::new(8, 9), Cow::Borrowed("next")),
        ];
        let merged = merge(patches);
        assert_eq!(merged, [(Span::new(1, 8), Cow::Borrowed("first")), (Span::new(8, 9), Cow::Borrowed("next"))]);
        assert_eq!(splice("0123456789", &merged), "0firstnext9");
    }

    #[test]
    fn escapes_around_a_patch_stay() {
        let literal = r#""\u00e9a\"bc\/\n""#;
        let patches = [(Span::new(4, 5), Cow::Borrowed("\"!\""))];
        assert_eq!(splice_literal(literal, false, "éa\"bc/\n", &patches), r#""\u00e9a\"\"!\"c\/\n""#);
        assert_eq!(value_range(literal, Span::new(8, 11)), Span::new(3, 5));
        assert_eq!(value_range(literal, Span::new(0, literal.len())), Span::new(0, 8));
    }
}
