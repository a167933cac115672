//! A planted token comes out of a model.

use std::borrow::Cow;

use bartizan_core::{
    Anchors, Confidence, Cost, Detector, HitKind, Hold, Limits, Persona, Reference, Report, Rule, RuleId, Severity,
    Sink, Source, Span, Subject, Views,
};

use crate::{RulesError, Settings};

/// Start of tokens that describe themselves. Letters and digits follow.
pub const PREFIX: &str = "BARTIZAN-CANARY-";
/// Letters or digits that have to follow [`PREFIX`].
const LEAST: usize = 16;
/// Letters or digits that are taken along.
const MOST: usize = 64;
/// Shortest and longest configured token, in bytes.
const CONFIGURED: std::ops::RangeInclusive<usize> = 8..=128;

static RULES: [Rule; 1] = [Rule {
    id: RuleId::new("prompt/canary-leak"),
    summary: Cow::Borrowed("a canary token in what a model wrote"),
    doc: Cow::Borrowed(include_str!("canary_leak.md")),
    severity: Severity::Critical,
    confidence: Confidence::High,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[
        Reference::new("OWASP-LLM", "LLM07"),
        Reference::new("ATLAS", "AML.T0057"),
        Reference::new("CWE", "CWE-200"),
    ]),
    since: Cow::Borrowed("0.1.0"),
}];

struct CanaryLeak {
    /// [`PREFIX`] first, then the configured ones.
    literals: Vec<Cow<'static, str>>,
}

/// Builds the detector.
///
/// # Errors
/// A canary that is too short to be told from ordinary words, or too long.
pub fn make(settings: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    let mut literals = vec![Cow::Borrowed(PREFIX)];
    for canary in &settings.canary {
        if !CONFIGURED.contains(&canary.len()) {
            return Err(RulesError::Setting {
                key: "canary",
                value: canary.clone(),
                reason: format!("is {} bytes long; use {} to {}", canary.len(), CONFIGURED.start(), CONFIGURED.end()),
            });
        }
        if !literals.iter().any(|known| known.eq_ignore_ascii_case(canary)) {
            literals.push(Cow::Owned(canary.clone()));
        }
    }
    Ok(Box::new(CanaryLeak { literals }))
}

impl Detector for CanaryLeak {
    fn rules(&self) -> &[Rule] {
        &RULES
    }

    fn views(&self) -> Views {
        Views::WORDS
    }

    fn hold(&self) -> Hold {
        Hold::Bounded(*CONFIGURED.end())
    }

    fn cost(&self) -> Cost {
        Cost::Literal
    }

    fn anchors(&self) -> Anchors<'_> {
        Anchors { literals: &self.literals, ..Anchors::default() }
    }

    fn live(&self, tail: &str) -> usize {
        let bytes = tail.as_bytes();
        let starts = |literal: &str| {
            let literal = literal.as_bytes();
            let longest = literal.len().saturating_sub(1).min(bytes.len());
            (1..=longest).rev().find(|n| {
                let end = bytes.get(bytes.len() - n..).unwrap_or_default();
                literal.get(..*n).is_some_and(|start| start.eq_ignore_ascii_case(end))
            })
        };
        let unfinished = self.literals.iter().filter_map(|l| starts(l)).max().unwrap_or(0);
        // A token that describes itself grows until something else than a letter or digit comes.
        let run = bytes.iter().rev().take(MOST).take_while(|b| b.is_ascii_alphanumeric()).count();
        let before = bytes.get(..bytes.len() - run).unwrap_or_default();
        let prefix = before.get(before.len().saturating_sub(PREFIX.len())..).unwrap_or_default();
        let growing = if run < MOST && prefix.eq_ignore_ascii_case(PREFIX.as_bytes()) { run + PREFIX.len() } else { 0 };
        unfinished.max(growing)
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        let [rule] = &RULES;
        // Where canaries are planted they are no news.
        if subject.origin.source != Source::Model {
            return;
        }
        for (text, hit) in subject.anchored() {
            let mut span = hit.span;
            if hit.kind == HitKind::Literal(0) {
                let rest = text.text.as_bytes().get(span.end..).unwrap_or_default();
                let run = rest.iter().take(MOST).take_while(|b| b.is_ascii_alphanumeric()).count();
                if run < LEAST {
                    continue;
                }
                span = Span::new(span.start, span.end + run);
            }
            out.report(Report::new(rule, text, span).entity("CANARY"));
        }
    }
}
