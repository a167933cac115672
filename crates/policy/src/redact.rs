//! Which places are replaced by what, in a text with findings.

use bartizan_core::{Finding, Span};

/// One place and what goes there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction {
    /// Byte range in the text.
    pub span: Span,
    /// What goes there.
    pub with: String,
}

/// The places to replace, sorted and disjoint. Overlapping findings become one place with the replacement of the
/// one that starts first, and of the longer one where both start together.
#[must_use]
pub fn redactions<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Vec<Redaction> {
    let mut found: Vec<&Finding> = findings.into_iter().filter(|f| !f.span().is_empty()).collect();
    found.sort_by_key(|f| (f.span().start, std::cmp::Reverse(f.span().end)));
    let mut places: Vec<Redaction> = Vec::new();
    for finding in found {
        let span = finding.span();
        match places.last_mut() {
            Some(last) if span.start < last.span.end => last.span.end = last.span.end.max(span.end),
            _ => places.push(Redaction { span, with: finding.replacement().into_owned() }),
        }
    }
    places
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
        let places = redactions(&found);
        assert_eq!(apply("0123456789", 0, &places), "01A8C");
        assert_eq!(apply("23456789", 2, &places), "A8C");
    }
}
