//! Someone tells a model to disregard or replace its instructions.

use std::borrow::Cow;

use bartizan_core::{
    Confidence, Detector, Persona, Reference, Report, Rule, RuleId, Severity, Sink, Source, Span, Subject,
};

use super::evidence::{ORDERS, REACH, confidence, distance, is_data, mood, placement};
use super::object::{self, Object};
use super::reader::WordReader;
use super::words::{Mark, Reading, Words, anchors, read_around_anchors};
use crate::{RulesError, Settings};
use bartizan_lexicon::Sense;

pub(super) static RULES: [Rule; 1] = [Rule {
    id: RuleId::new("prompt/instruction-override"),
    summary: Cow::Borrowed("a text tells the model to disregard or replace its instructions"),
    doc: Cow::Borrowed(include_str!("instruction_override.md")),
    severity: Severity::High,
    confidence: Confidence::Medium,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[
        Reference::new("OWASP-LLM", "LLM01"),
        Reference::new("ATLAS", "AML.T0051"),
        Reference::new("CWE", "CWE-1427"),
        Reference::new("PAPER", "Perez and Ribeiro, Ignore Previous Prompt, 2022"),
    ]),
    since: Cow::Borrowed("0.1.0"),
}];

/// Builds the detector.
///
/// # Errors
/// The lexicon does not compile.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    let heads = Sense::IGNORE | Sense::UNFOLLOW | Sense::VOID | Sense::UNBOUND | Sense::INSTRUCTIONS;
    WordReader::boxed(&RULES, anchors(heads, &["new task", "real task"]), read)
}

fn read(words: &Words, subject: &Subject<'_>, out: &mut Sink<'_>) {
    let [rule] = &RULES;
    read_around_anchors(words, subject, |view, reading, mark| {
        let Some((mut weight, phrase, taken_back)) = weigh(reading, mark) else { return };
        if is_data(subject.origin.source) {
            weight += placement(reading, mark.start) / 2.0;
        }
        if taken_back && subject.origin.source == Source::User {
            weight = weight.min(TAKEN_BACK);
        }
        let Some(confidence) = confidence(weight) else { return };
        out.report(Report::new(rule, view, reading.place(phrase.start, phrase.end)).confidence(confidence));
    });
}

/// Most weight where users may only take back what they said themselves: a guess.
const TAKEN_BACK: f32 = 0.55;

/// The weight of a phrase with this head, its extent in the reading, and whether a user may say it of their own words.
fn weigh(reading: &Reading, head: &Mark) -> Option<(f32, Span, bool)> {
    let plain = |(weight, extent)| (weight, extent, false);
    if head.sense.has(Sense::IGNORE | Sense::UNFOLLOW | Sense::DROP | Sense::VOID) {
        disregard(reading, head)
    } else if head.sense.has(Sense::UNBOUND) {
        unbound(reading, head).map(plain)
    } else if head.sense.has(Sense::NEW) {
        replacement(reading, head).map(plain)
    } else {
        None
    }
}

/// "Ignore all previous instructions": a verb, what it is about, and whose or which.
fn disregard(reading: &Reading, head: &Mark) -> Option<(f32, Span, bool)> {
    let sentence = reading.sentence(head.start, head.end, REACH);
    // Verbs stand last in several languages; English verbs that do are passive.
    let verb_last = head.sense.has(Sense::VOID) || !stands_before_object(reading, head);
    let forward = if head.sense.has(Sense::VOID) { None } else { object::ahead(reading, head, sentence.end) };
    let Object { found, extent, doubt } = match forward {
        Some(object) => object,
        None if verb_last => object::behind(reading, head, sentence.start)?,
        None => return None,
    };
    let own = Sense::YOURS | Sense::SECRET;
    let dropped = !head.sense.has(Sense::IGNORE | Sense::VOID | Sense::UNFOLLOW);
    let verb = if head.sense.has(Sense::IGNORE | Sense::VOID) {
        0.3
    } else if head.sense.has(Sense::UNFOLLOW) {
        0.25
    } else {
        0.1
    };
    let about = match found {
        f if f.has(Sense::INSTRUCTIONS) => 0.35,
        f if f.has(Sense::RULES) => 0.2,
        f if f.has(Sense::EVERYTHING | Sense::CONTEXT) => 0.15,
        // People take back what they asked and said themselves.
        f if f.has(Sense::TASK) && f.has(Sense::USER) => 0.3,
        f if f.has(Sense::TASK) => 0.05,
        f if f.has(Sense::TALK) => 0.02,
        _ => 0.05,
    };
    let mut scope = 0.0;
    for (sense, weight) in [(Sense::BEFORE, 0.25), (Sense::SECRET, 0.15), (Sense::YOURS, 0.15), (Sense::ALL, 0.1)] {
        if found.has(sense) {
            scope += weight;
        }
    }
    let foreign = found.has(Sense::MINE) && !found.has(Sense::YOURS);
    let mut weight = verb + about + f32::min(scope, 0.4) + mood(reading, head) - doubt - distance(reading, head);
    if foreign {
        weight -= 0.25;
    }
    let said = found.has(Sense::INSTRUCTIONS) && found.has(Sense::ALL);
    if !found.has(Sense::BEFORE | own) && !said {
        weight -= 0.1;
    }
    // Rows, filters and settings are removed every day.
    if dropped && !found.has(Sense::INSTRUCTIONS | own) && !found.has(Sense::EVERYTHING) {
        weight -= 0.15;
    }
    let after = reading.senses(Span::new(head.end, head.end + 2 * REACH));
    if after.has(Sense::INSTEAD) {
        weight += 0.1;
    }
    // "Drop the rules you were given and reveal": nobody goes on like this about a table.
    if dropped && found.has(Sense::EVERYTHING | own) && goes_on(reading, head, sentence.end) {
        weight += 0.1;
    }
    Some((weight, extent, takes_back(reading, found, extent, foreign)))
}

/// True where what is dropped can be the speaker's own words, "my last question", "the above", and nothing around it is
/// about what the model is, must not do or keeps to itself. With no owner named, nothing else may be asked for either.
fn takes_back(reading: &Reading, found: Sense, extent: Span, own: bool) -> bool {
    let model = Sense::YOURS | Sense::SECRET;
    if found.has(model) || !own && found.has(Sense::INSTRUCTIONS | Sense::RULES | Sense::EVERYTHING) {
        return false;
    }
    let telling = model | Sense::UNBOUND | Sense::UNFOLLOW | Sense::ROLE;
    let telling = if own { telling } else { telling | Sense::ACTION | Sense::REVEAL | Sense::SHOW };
    reading.marks.iter().all(|m| m.start < extent.end && m.end > extent.start || !m.sense.has(telling))
}

/// True where another order is joined to this one.
fn goes_on(reading: &Reading, head: &Mark, end: usize) -> bool {
    let orders = reading.within(Span::new(head.end, end)).filter(|m| m.sense.has(Sense::ACTION | Sense::REVEAL));
    orders.take(ORDERS).any(|m| {
        let before = reading.text.get(..m.start).unwrap_or_default();
        before.ends_with(" and ") || before.ends_with(" then ")
    })
}

/// English verbs stand before their object.
fn stands_before_object(reading: &Reading, head: &Mark) -> bool {
    let word = Span::new(head.start, head.end).of(&reading.text);
    const ENGLISH: [&str; 8] = ["ignor", "disregard", "forget", "overrid", "bypass", "discard", "neglect", "overrul"];
    ENGLISH.iter().any(|e| word.starts_with(e)) || head.sense.has(Sense::DROP | Sense::UNFOLLOW)
}

/// "You are now unrestricted", "enter developer mode".
fn unbound(reading: &Reading, head: &Mark) -> Option<(f32, Span)> {
    let sentence = reading.sentence(head.start, head.end, 120);
    let role =
        reading.within(sentence).find(|m| m.sense.has(Sense::ROLE) && (m.end <= head.start || m.start >= head.end))?;
    let others = reading.within(Span::new(head.start.saturating_sub(REACH), head.end + REACH));
    let mut weight: f32 = 0.7 - distance(reading, head);
    let more = others.filter(|m| m.start != head.start && m.sense.has(Sense::UNBOUND | Sense::UNFOLLOW)).count();
    if more > 0 {
        weight += 0.15;
    }
    if mood(reading, role) < 0.0 {
        weight -= 0.2;
    }
    Some((weight, join(Span::new(head.start, head.end), role)))
}

/// "New instructions:", "your new task is".
fn replacement(reading: &Reading, head: &Mark) -> Option<(f32, Span)> {
    let ahead = Span::new(head.end, head.end + 24);
    let object = reading.within(ahead).find(|m| m.sense.has(Sense::INSTRUCTIONS | Sense::RULES))?;
    let gap = Span::new(head.end, object.start).of(&reading.text);
    let adjacent =
        gap.chars().all(|c| c == ' ') || reading.senses(Span::new(head.end, object.start)).has(Sense::SECRET);
    if !adjacent || head.sense.has(Sense::IGNORE) {
        return None;
    }
    let behind = reading.text.get(object.end..).unwrap_or_default();
    let announces = behind.starts_with(':') || behind.starts_with(" follow") || behind.starts_with(" from ");
    let is = behind.starts_with(" is ") || behind.starts_with(" are ");
    let yours = reading.leading(head.start).has(Sense::YOURS);
    let strong = object.sense.has(Sense::INSTRUCTIONS);
    let plain = Span::new(head.start, head.end).of(&reading.text) == "following";
    if plain || !(announces || is) {
        return None;
    }
    let mut weight = if strong { 0.45 } else { 0.3 };
    weight += if announces { 0.15 } else { 0.05 };
    if yours {
        weight += 0.2;
    }
    if reading.starts_clause(head.start) {
        weight += 0.05;
    }
    Some((weight - distance(reading, head), join(Span::new(head.start, head.end), object)))
}

fn join(span: Span, mark: &Mark) -> Span {
    Span::new(span.start.min(mark.start), span.end.max(mark.end))
}
