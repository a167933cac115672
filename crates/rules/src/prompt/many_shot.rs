//! Many faked turns of a dialogue in one text.

use std::borrow::Cow;

use bartizan_core::{
    Anchors, Confidence, Cost, Detector, Hold, Limits, Persona, Reference, Report, Rule, RuleId, Severity, Sink, Span,
    Subject, ViewText, Views,
};

use crate::{RulesError, Settings};

/// Faked turns of the assistant from which a text counts, and from which there is less and less doubt. Anil et al.
/// see the effect begin between 16 and 64 shots and grow as a power law.
const TURNS: [(usize, Confidence); 3] = [(64, Confidence::High), (32, Confidence::Medium), (16, Confidence::Low)];

/// What turns of an assistant are labelled with.
const LABELS: &[&str] = &[
    "assistant:",
    "chatbot:",
    "bot:",
    "chatgpt:",
    "gpt:",
    "claude:",
    "model:",
    "ai:",
    "response:",
    "assistant**:",
    "ai**:",
    "<|assistant|>",
    "[/inst]",
    "assistant\":",
    "### response",
];

static RULES: [Rule; 1] = [Rule {
    id: RuleId::new("prompt/many-shot"),
    summary: Cow::Borrowed("many faked turns of a dialogue in one text"),
    doc: Cow::Borrowed(include_str!("many_shot.md")),
    severity: Severity::Medium,
    confidence: Confidence::Medium,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[
        Reference::new("OWASP-LLM", "LLM01"),
        Reference::new("ATLAS", "AML.T0054"),
        Reference::new("PAPER", "Anil et al., Many-shot Jailbreaking, 2024"),
    ]),
    since: Cow::Borrowed("0.1.0"),
}];

struct ManyShot {
    literals: Vec<Cow<'static, str>>,
}

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    Ok(Box::new(ManyShot { literals: LABELS.iter().map(|l| Cow::Borrowed(*l)).collect() }))
}

impl Detector for ManyShot {
    fn rules(&self) -> &[Rule] {
        &RULES
    }

    fn views(&self) -> Views {
        Views::TOKENS
    }

    fn hold(&self) -> Hold {
        Hold::Whole
    }

    fn cost(&self) -> Cost {
        Cost::Literal
    }

    fn anchors(&self) -> Anchors<'_> {
        Anchors { literals: &self.literals, ..Anchors::default() }
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        let [rule] = &RULES;
        for (index, text) in subject.texts.iter().enumerate() {
            let turns = subject.hits.iter().filter(|h| h.text == index && starts_line(text, h.span.start));
            let (mut count, mut first, mut end) = (0_usize, None, 0);
            for hit in turns {
                // Two labels at one place are one turn.
                if hit.span.start < end {
                    continue;
                }
                first.get_or_insert(hit.span.start);
                end = hit.span.end;
                count += 1;
            }
            let (Some(start), Some((_, confidence))) = (first, TURNS.iter().find(|(turns, _)| count >= *turns)) else {
                continue;
            };
            out.report(Report::new(rule, text, Span::new(start, end)).confidence(*confidence));
        }
    }
}

/// True where only decoration stands between a place and the start of its line.
fn starts_line(text: &ViewText<'_>, at: usize) -> bool {
    let before = text.text.get(..at).unwrap_or_default();
    let mut nearest =
        before.chars().rev().take(16).skip_while(|c| matches!(c, ' ' | '\t' | '*' | '#' | '>' | '-' | '"' | '[' | '('));
    nearest.next().is_none_or(|c| matches!(c, '\n' | '\r'))
}
