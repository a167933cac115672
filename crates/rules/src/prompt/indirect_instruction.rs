//! Data that speaks to the assistant instead of informing it.

use std::borrow::Cow;

use bartizan_core::{
    Anchors, Confidence, Cost, Detector, Hold, Limits, Persona, Reference, Report, Rule, RuleId, Severity, Sink,
    Source, Span, Subject, Views,
};

use super::evidence::{NoisyOr, REACH, confidence, distance, mood};
use super::lexicon::Sense;
use super::words::{Mark, Reading, WORD_VIEWS, Words, anchors, read_around_anchors};
use crate::{RulesError, Settings};

static RULES: [Rule; 1] = [Rule {
    id: RuleId::new("prompt/indirect-instruction"),
    summary: Cow::Borrowed("a tool result or document gives orders to the assistant"),
    doc: Cow::Borrowed(include_str!("indirect_instruction.md")),
    severity: Severity::High,
    confidence: Confidence::Medium,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[
        Reference::new("OWASP-LLM", "LLM01"),
        Reference::new("OWASP-AGENTIC", "ASI01"),
        Reference::new("ATLAS", "AML.T0051.001"),
        Reference::new("PAPER", "Greshake et al., Not what you've signed up for, AISec 2023"),
    ]),
    since: Cow::Borrowed("0.1.0"),
}];

struct IndirectInstruction {
    words: Words,
    anchors: Vec<Cow<'static, str>>,
}

/// Builds the detector.
///
/// # Errors
/// The lexicon does not compile.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    let heads = Sense::MODEL | Sense::CONCEAL | Sense::READING | Sense::ANSWER;
    let literals =
        anchors(heads, &["attention ai", "dear ai", "to ai", "hey ai", "an ai,", "an ai ", "ai:", "todo(ai"]);
    Ok(Box::new(IndirectInstruction { words: Words::new("prompt/indirect-instruction")?, anchors: literals }))
}

/// Origins that inform a model and have no business giving it orders.
const fn is_data(source: Source) -> bool {
    matches!(source, Source::Tool | Source::Document | Source::Memory | Source::Definition)
}

impl Detector for IndirectInstruction {
    fn rules(&self) -> &[Rule] {
        &RULES
    }

    fn views(&self) -> Views {
        WORD_VIEWS
    }

    fn hold(&self) -> Hold {
        Hold::Whole
    }

    fn cost(&self) -> Cost {
        Cost::Regex
    }

    fn anchors(&self) -> Anchors<'_> {
        Anchors { literals: &self.anchors, ..Anchors::default() }
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        let [rule] = &RULES;
        if !is_data(subject.origin.source) {
            return;
        }
        let mut score = NoisyOr::new();
        let mut last = Span::default();
        read_around_anchors(&self.words, subject, |view, reading, mark| {
            let Some((weight, phrase)) = weigh(reading, mark) else { return };
            let Some(confidence) = confidence(weight) else { return };
            let place = reading.place(phrase.start, phrase.end);
            let raw = view.map.to_raw(place);
            if raw.overlaps(last) {
                return;
            }
            last = raw;
            score.add(weight * 0.9);
            out.report(Report::new(rule, view, place).confidence(confidence));
        });
        if let Some(scores) = score.scores() {
            out.score(scores);
        }
    }
}

/// The weight of an address to the model and of the order after it, and the extent of both.
fn weigh(reading: &Reading, head: &Mark) -> Option<(f32, Span)> {
    let address = if head.sense.has(Sense::CONCEAL) {
        0.4
    } else if head.sense.has(Sense::READING) {
        0.3
    } else if head.sense.has(Sense::ANSWER) {
        0.2
    } else if head.sense.has(Sense::MODEL) {
        spoken_to(reading, head)?
    } else {
        return None;
    };
    let near = Span::new(head.start.saturating_sub(2 * REACH), head.end + 2 * REACH);
    let order = reading
        .within(near)
        .filter(|m| m.sense.has(Sense::ACTION) && !overlaps(m, head))
        .map(|m| (m, mood(reading, m)))
        .find(|(_, mood)| *mood > 0.0)?
        .0;
    let mut weight = address + 0.25 - distance(reading, head).min(0.3);
    let all = reading.within(near).filter(|m| !overlaps(m, head)).fold(Sense::NONE, |all, m| all | m.sense);
    for (sense, more) in [
        (Sense::CONCEAL, 0.25),
        (Sense::READING, 0.2),
        (Sense::IGNORE, 0.15),
        (Sense::CALL, 0.05),
        (Sense::UNFOLLOW, 0.15),
        (Sense::ANSWER, 0.1),
    ] {
        if all.has(sense) {
            weight += more;
        }
    }
    if head.sense.has(Sense::CONCEAL | Sense::READING | Sense::ANSWER) && all.has(Sense::MODEL) {
        weight += 0.15;
    }
    if in_comment(reading, head) {
        weight += 0.1;
    }
    Some((weight, Span::new(head.start.min(order.start), head.end.max(order.end))))
}

fn overlaps(a: &Mark, b: &Mark) -> bool {
    a.start < b.end && b.start < a.end
}

/// How plainly a name of a model is an address: called for, or set off by punctuation.
fn spoken_to(reading: &Reading, head: &Mark) -> Option<f32> {
    let behind = reading.text.get(head.end..).unwrap_or_default();
    let called = reading.within(Span::new(head.start.saturating_sub(32), head.start)).any(|m| m.sense.has(Sense::CALL));
    let set_off =
        behind.starts_with([':', ',', '!', ')']) || behind.starts_with(" -") || behind.starts_with(" \u{2014}");
    let reads = behind.starts_with(" reading") || behind.starts_with(" processing") || behind.starts_with(" that read");
    let must = ["must", "should", "shall"].iter().any(|m| behind.trim_start().starts_with(m));
    let starts = reading.starts_clause(head.start);
    match (called, set_off || reads, starts, must) {
        (true, true, _, _) => Some(0.5),
        (_, true, true, _) => Some(0.4),
        (true, _, _, true) => Some(0.4),
        (_, _, true, true) => Some(0.3),
        (true, false, _, false) => Some(0.25),
        _ => None,
    }
}

/// True inside an HTML comment, where a reader of the page does not look.
fn in_comment(reading: &Reading, head: &Mark) -> bool {
    let before = reading.text.get(..head.start).unwrap_or_default();
    before.rfind("<!--").is_some_and(|open| before.rfind("-->").is_none_or(|close| close < open))
}
