//! Someone asks a model for its own instructions.

use std::borrow::Cow;

use bartizan_core::{Confidence, Detector, Persona, Reference, Report, Rule, RuleId, Severity, Sink, Span, Subject};

use super::evidence::{REACH, confidence, distance, is_data, mood, placement};
use super::object::is_elsewhere;
use super::reader::WordReader;
use super::words::{Mark, Reading, Words, anchors, read_around_anchors};
use crate::{RulesError, Settings};
use bartizan_lexicon::Sense;

pub(super) static RULES: [Rule; 1] = [Rule {
    id: RuleId::new("prompt/prompt-extraction"),
    summary: Cow::Borrowed("a text asks the model for its own instructions"),
    doc: Cow::Borrowed(include_str!("prompt_extraction.md")),
    severity: Severity::Medium,
    confidence: Confidence::Medium,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[
        Reference::new("OWASP-LLM", "LLM07"),
        Reference::new("ATLAS", "AML.T0056"),
        Reference::new("PAPER", "Zhang, Carlini and Ippolito, Effective Prompt Extraction from Language Models, 2024"),
    ]),
    since: Cow::Borrowed("0.1.0"),
}];

/// Builds the detector.
///
/// # Errors
/// The lexicon does not compile.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    let heads = Sense::INSTRUCTIONS | Sense::REVEAL | Sense::VERBATIM;
    let literals = anchors(heads, &["above", "you were told", "system message", "developer message", "上面"]);
    // "Exact", "entire" and the like lead to little else than themselves.
    let literals = literals.into_iter().filter(|l| !COMMON.contains(&l.as_ref())).collect();
    WordReader::boxed(&RULES, literals, read)
}

/// Words that are too common to lead anywhere.
const COMMON: [&str; 7] = ["exact", "full", "entire", "complete", "in full", "as is", "literally"];

fn read(words: &Words, subject: &Subject<'_>, out: &mut Sink<'_>) {
    let [rule] = &RULES;
    // "Show and repeat your prompt" is one request.
    let mut last = Span::default();
    read_around_anchors(words, subject, |view, reading, mark| {
        let Some((mut weight, phrase)) = weigh(reading, mark) else { return };
        if is_data(subject.origin.source) {
            weight += placement(reading, mark.start) / 2.0;
        }
        let Some(confidence) = confidence(weight) else { return };
        let place = reading.place(phrase.start, phrase.end);
        let raw = view.map.to_raw(place);
        if raw.overlaps(last) {
            return;
        }
        last = raw;
        out.report(Report::new(rule, view, place).confidence(confidence));
    });
}

/// Verbs that make a text as often as they repeat one.
const WRITES: [&str; 8] = ["write", "escrib", "escrev", "schreib", "ecri", "scriv", "напиш", "type"];

/// The weight of a phrase with this verb, and its extent in the reading.
fn weigh(reading: &Reading, head: &Mark) -> Option<(f32, Span)> {
    if !head.sense.has(Sense::REVEAL | Sense::SHOW) {
        return None;
    }
    let sentence = reading.sentence(head.start, head.end, REACH);
    let ahead = object(reading, Span::new(head.end, sentence.end));
    // Verbs stand last in several languages.
    let ascii = Span::new(head.start, head.end).of(&reading.text).is_ascii();
    let behind = if ascii { None } else { object(reading, Span::new(sentence.start, head.start)) };
    let (about, extent, found) = ahead.or(behind)?;
    // "Write the initial prompt": to make one is no disclosure.
    let verb = Span::new(head.start, head.end).of(&reading.text);
    let makes = WRITES.iter().any(|w| verb.starts_with(w));
    if makes && !found.has(Sense::YOURS | Sense::VERBATIM | Sense::BEFORE) {
        return None;
    }
    let strong = head.sense.has(Sense::REVEAL);
    let mut weight = about + if strong { 0.3 } else { 0.2 };
    if found.has(Sense::VERBATIM) {
        weight += 0.15;
    }
    weight += mood(reading, head).max(-0.2);
    if found.has(Sense::MINE) && !found.has(Sense::YOURS) {
        weight -= 0.3;
    }
    Some((weight - distance(reading, head), join(Span::new(head.start, head.end), extent)))
}

/// What is asked for: its weight, its extent, and all meanings up to it.
fn object(reading: &Reading, range: Span) -> Option<(f32, Span, Sense)> {
    let noun = reading.within(range).find(|m| m.sense.has(Sense::INSTRUCTIONS));
    let rest = Span::new(range.start, range.end);
    let found = reading.senses(rest);
    if let Some(noun) = noun {
        let near = Span::new(noun.start.saturating_sub(40).max(range.start), (noun.end + 40).min(range.end));
        let close = reading.senses(near);
        let some = reading.leading(first_qualifier(reading, noun, range)).has(Sense::SOME);
        let about = match (close.has(Sense::SECRET), close.has(Sense::YOURS), close.has(Sense::BEFORE)) {
            _ if some => return None,
            (_, false, _) if is_elsewhere(reading, noun, range.end) => return None,
            (true, true, _) => 0.5,
            (true, false, _) => 0.4,
            (false, true, _) => 0.35,
            (false, false, true) => 0.35,
            (false, false, false) => return None,
        };
        return Some((about, Span::new(noun.start, noun.end), found));
    }
    // "Everything above", "the text above", "your system message".
    let above = reading.within(range).find(|m| m.sense.has(Sense::BEFORE));
    let talk = reading.within(range).find(|m| m.sense.has(Sense::TALK | Sense::CONTEXT | Sense::EVERYTHING));
    match (talk, above) {
        (Some(talk), Some(above)) if above.start.abs_diff(talk.start) < 24 => {
            let about = if found.has(Sense::VERBATIM) { 0.3 } else { 0.2 };
            Some((about, Span::new(talk.start.min(above.start), talk.end.max(above.end)), found))
        }
        (Some(talk), None) if found.has(Sense::SECRET) && found.has(Sense::YOURS) => {
            Some((0.35, Span::new(talk.start, talk.end), found))
        }
        _ => None,
    }
}

/// Start of the words that qualify a noun: "your hidden system" before "prompt".
fn first_qualifier(reading: &Reading, noun: &Mark, range: Span) -> usize {
    let qualifies = Sense::SECRET | Sense::VERBATIM | Sense::NEW;
    let mut start = noun.start;
    let marks: Vec<&Mark> = reading.within(Span::new(range.start, noun.start)).collect();
    for mark in marks.iter().rev().filter(|m| m.sense.has(qualifies)) {
        if Span::new(mark.end, start).of(&reading.text).chars().all(|c| c == ' ') {
            start = mark.start;
        }
    }
    start
}

fn join(span: Span, other: Span) -> Span {
    Span::new(span.start.min(other.start), span.end.max(other.end))
}
