//! One finding for one thing, however many views show it.

use std::cmp::Reverse;

use bartizan_core::{Finding, RuleId, Span, View};

/// How far a text is from the original.
fn derived(finding: &Finding) -> (View, u8) {
    (finding.view, finding.depth)
}

/// Spans without overlaps, sorted.
#[derive(Default)]
struct Cover(Vec<Span>);

impl Cover {
    fn overlaps(&self, span: Span) -> bool {
        let at = self.0.partition_point(|s| s.end <= span.start);
        self.0.get(at).is_some_and(|s| s.overlaps(span))
    }

    /// Adds spans and joins what overlaps.
    fn add(&mut self, spans: impl Iterator<Item = Span>) {
        self.0.extend(spans.filter(|s| !s.is_empty()));
        self.0.sort_unstable();
        self.0.dedup_by(|next, last| {
            let joined = next.start < last.end;
            if joined {
                last.end = last.end.max(next.end);
            }
            joined
        });
    }
}

/// Keeps of findings of one rule with the same span, or with overlapping spans from different texts, the one from
/// the least derived text; then sorts by place and by rule.
pub(crate) fn dedupe(findings: &mut Vec<Finding>) {
    if findings.len() > 1 {
        // The whole finding is compared, so that the order of detectors and hits leaves no trace.
        findings.sort_by(|a, b| {
            let key = |f: &Finding| (derived(f), f.span(), Reverse(f.severity), Reverse(f.confidence));
            a.rule.cmp(&b.rule).then_with(|| key(a).cmp(&key(b))).then_with(|| a.entity.cmp(&b.entity))
        });
        let all = std::mem::take(findings);
        for of_rule in all.chunk_by(|a, b| a.rule == b.rule) {
            keep(of_rule, findings);
        }
    }
    findings.sort_by(|a, b| place(a).cmp(&place(b)));
}

/// Order of findings in an answer.
pub(crate) fn place(finding: &Finding) -> (Span, &RuleId) {
    (finding.span(), &finding.rule)
}

fn keep(of_rule: &[Finding], kept: &mut Vec<Finding>) {
    let mut cover = Cover::default();
    let from = kept.len();
    for of_text in of_rule.chunk_by(|a, b| derived(a) == derived(b)) {
        let new = kept.len();
        for finding in of_text {
            let span = finding.span();
            let twice = kept.get(new..).and_then(<[_]>::last).is_some_and(|last| last.span() == span);
            if !twice && !cover.overlaps(span) {
                kept.push(finding.clone());
            }
        }
        cover.add(kept.iter().skip(new).map(Finding::span));
    }
    // Empty spans overlap nothing, not even themselves.
    if kept.iter().skip(from).any(|f| f.span().is_empty()) {
        let mut tail = kept.split_off(from);
        tail.sort_by_key(Finding::span);
        tail.dedup_by(|b, a| a.span() == b.span());
        kept.append(&mut tail);
    }
}

#[cfg(test)]
mod tests {
    use bartizan_core::{Confidence, Fix, Location, Severity};

    use super::*;

    fn finding(rule: &'static str, view: View, depth: u8, start: usize, end: usize) -> Finding {
        Finding {
            rule: RuleId::new(rule),
            severity: Severity::High,
            confidence: Confidence::High,
            entity: None,
            view,
            depth,
            at: Location::Text { span: Span::new(start, end) },
            fix: Fix::Mask,
        }
    }

    #[test]
    fn least_derived_text_wins() {
        let mut all = vec![
            finding("pii/a", View::Decoded, 1, 0, 50),
            finding("pii/a", View::Clean, 0, 10, 20),
            finding("pii/a", View::Folded, 0, 10, 20),
            finding("pii/b", View::Decoded, 1, 0, 50),
            finding("pii/a", View::Decoded, 1, 50, 60),
            finding("pii/a", View::Clean, 0, 15, 30),
            finding("pii/a", View::Folded, 0, 70, 70),
            finding("pii/a", View::Clean, 0, 70, 70),
        ];
        dedupe(&mut all);
        let seen: Vec<_> = all.iter().map(|f| (f.rule.as_str(), f.view, f.span().start, f.span().end)).collect();
        assert_eq!(
            seen,
            [
                ("pii/b", View::Decoded, 0, 50),
                ("pii/a", View::Clean, 10, 20),
                ("pii/a", View::Clean, 15, 30),
                ("pii/a", View::Decoded, 50, 60),
                ("pii/a", View::Clean, 70, 70),
            ]
        );
    }
}
