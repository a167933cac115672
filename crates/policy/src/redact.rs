//! Which places are replaced by what, in a text with findings.

use bartizan_core::{Finding, Span};

use crate::operator::Replacer;

/// One place and what goes there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction {
    /// Byte range in the text.
    pub span: Span,
    /// What goes there.
    pub with: String,
}

/// The places to replace in a text, sorted and disjoint; `offset` is where `text` starts in the coordinates of the
/// findings. Overlapping findings become one place with the replacement of the one that starts first, and of the longer
/// one where both start together. Placeholders of the conversation stay: around them the rest of a place is replaced.
#[must_use]
pub fn redactions<'a>(
    findings: impl IntoIterator<Item = &'a Finding>,
    text: &str,
    offset: usize,
    replacer: Replacer<'_>,
) -> Vec<Redaction> {
    let mut found: Vec<&Finding> = findings.into_iter().filter(|f| !f.span().is_empty()).collect();
    found.sort_by_key(|f| (f.span().start, std::cmp::Reverse(f.span().end)));
    let mut merged: Vec<(Span, &Finding)> = Vec::new();
    for finding in found {
        let span = finding.span();
        match merged.last_mut() {
            Some((last, _)) if span.start < last.end => last.end = last.end.max(span.end),
            _ => merged.push((span, finding)),
        }
    }
    let kept = match replacer.conversation() {
        Some(conversation) if !merged.is_empty() => conversation.placeholders(text),
        _ => Vec::new(),
    };
    let mut places = Vec::with_capacity(merged.len());
    for (span, finding) in merged {
        let here = Span::new(span.start.saturating_sub(offset), span.end.saturating_sub(offset));
        for part in without(here, &kept, text) {
            let with = replacer.replacement(finding, part.of(text));
            places.push(Redaction { span: Span::new(part.start + offset, part.end + offset), with });
        }
    }
    places
}

/// A span without others, which are sorted and disjoint. Parts that say nothing are left out.
fn without(span: Span, kept: &[Span], text: &str) -> Vec<Span> {
    let first = kept.partition_point(|k| k.end <= span.start);
    let mut inside = kept.get(first..).unwrap_or_default().iter().take_while(|k| k.start < span.end).peekable();
    if inside.peek().is_none() {
        return vec![span];
    }
    let (mut parts, mut at) = (Vec::new(), span.start);
    for keep in inside {
        parts.push(Span::new(at, keep.start));
        at = keep.end;
    }
    parts.push(Span::new(at, span.end));
    parts.retain(|part| part.of(text).contains(char::is_alphanumeric));
    parts
}

/// The text with the places replaced. `offset` is where `text` starts in the coordinates of the places.
#[must_use]
pub fn apply(text: &str, offset: usize, places: &[Redaction]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for place in places {
        let (start, end) = (place.span.start.saturating_sub(offset), place.span.end.saturating_sub(offset));
        let (Some(before), Some(_)) = (text.get(at..start), text.get(start..end)) else { continue };
        out.push_str(before);
        out.push_str(&place.with);
        at = end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use bartizan_core::{Confidence, Fix, Location, RuleId, Severity, View};

    fn finding(start: usize, end: usize, with: &str) -> Finding {
        Finding {
            rule: RuleId::new("pii/email"),
            severity: Severity::Medium,
            confidence: Confidence::High,
            entity: None,
            view: View::Raw,
            depth: 0,
            at: Location::Text { span: Span::new(start, end) },
            fix: Fix::Replace(with.to_owned()),
        }
    }

    #[test]
    fn overlaps_become_one_place() {
        let found = [finding(4, 8, "B"), finding(2, 6, "A"), finding(9, 10, "C"), finding(0, 0, "D")];
        let table = crate::Table::default();
        let replacer = Replacer::new(&table, bartizan_core::Direction::Request, None);
        let places = redactions(&found, "0123456789", 0, replacer);
        assert_eq!(redactions(&found, "23456789", 2, replacer), places);
        assert_eq!(apply("0123456789", 0, &places), "01A8C");
        assert_eq!(apply("23456789", 2, &places), "A8C");
    }
}
