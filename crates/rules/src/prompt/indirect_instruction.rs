//! Data that speaks to the assistant instead of informing it.

use std::borrow::Cow;

use bartizan_core::{Confidence, Detector, Persona, Reference, Report, Rule, RuleId, Severity, Sink, Span, Subject};

use super::evidence::{ORDERS, REACH, confidence, distance, is_data, mood, order, placement};
use super::reader::WordReader;
use super::words::{Mark, Reading, Words, anchors, read_around_anchors};
use crate::{RulesError, Settings};
use bartizan_lexicon::Sense;

pub(super) static RULES: [Rule; 1] = [Rule {
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

/// Bytes to each side of an address in which an order is looked for.
const AROUND: usize = 160;

/// Builds the detector.
///
/// # Errors
/// The lexicon does not compile.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    let heads = Sense::MODEL | Sense::CONCEAL | Sense::READING | Sense::ANSWER | Sense::DETOUR | Sense::USER;
    let literals = anchors(
        heads,
        &["attention ai", "dear ai", "to ai", "hey ai", "an ai,", "an ai ", "ai:", "todo(ai", "you must"],
    );
    WordReader::boxed(&RULES, literals, read)
}

fn read(words: &Words, subject: &Subject<'_>, out: &mut Sink<'_>) {
    let [rule] = &RULES;
    if !is_data(subject.origin.source) {
        return;
    }
    let mut last = Span::default();
    read_around_anchors(words, subject, |view, reading, mark| {
        let Some((weight, phrase)) = weigh(reading, mark) else { return };
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

/// What one stretch of a text says to whoever reads it.
#[derive(Clone, Copy, Debug, Default)]
struct Evidence {
    /// A model is spoken to, or the reading of this text.
    address: f32,
    /// The user's request is dismissed or put off, or something is to be kept from the user.
    dismissal: f32,
    /// Something is to be done.
    order: f32,
    /// Signs that weigh only beside others.
    more: f32,
}

impl Evidence {
    /// One sign alone is everyday writing; it takes two kinds.
    fn weight(self) -> Option<f32> {
        let kinds = [self.address, self.dismissal, self.order].iter().filter(|w| **w > 0.0).count();
        (kinds >= 2 || self.dismissal >= 0.4).then_some(self.address + self.dismissal + self.order + self.more)
    }
}

/// The weight of an address or a dismissal and of the order near it, and the extent of both.
fn weigh(reading: &Reading, head: &Mark) -> Option<(f32, Span)> {
    let mut evidence = Evidence::default();
    if head.sense.has(Sense::CONCEAL) {
        evidence.dismissal = concealed(reading, head)?;
    } else if head.sense.has(Sense::DETOUR) {
        evidence.dismissal = 0.35;
    } else if head.sense.has(Sense::READING) {
        evidence.address = 0.3;
    } else if head.sense.has(Sense::ANSWER) {
        evidence.address = answered(reading, head);
    } else if head.sense.has(Sense::USER) {
        evidence.dismissal = dismissed(reading, head)?;
    } else if head.sense.has(Sense::OBLIGE) {
        // Manuals say "you must" as well, but not where nobody reads it.
        evidence.address = (placement(reading, head.start) > 0.0).then_some(0.15)?;
    } else if head.sense.has(Sense::MODEL) {
        evidence.address = spoken_to(reading, head)?;
    } else {
        return None;
    }
    let near = Span::new(head.start.saturating_sub(AROUND), head.end + AROUND);
    let verbs = reading.within(near).filter(|m| m.sense.has(Sense::ACTION | Sense::SHOW) && !overlaps(m, head));
    let mut extent = Span::new(head.start, head.end);
    let orders = verbs.filter(|m| mood(reading, m) > 0.0).take(ORDERS);
    let best = orders.map(|m| (order(reading, m), m)).max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((weight, verb)) = best {
        evidence.order = weight;
        extent = Span::new(extent.start.min(verb.start), extent.end.max(verb.end));
    }
    let others = reading.within(near).filter(|m| !overlaps(m, head)).fold(Sense::NONE, |all, m| all | m.sense);
    for (sense, more) in [
        (Sense::CONCEAL, 0.25),
        (Sense::READING, 0.2),
        (Sense::IGNORE, 0.1),
        (Sense::UNFOLLOW, 0.1),
        (Sense::DETOUR, 0.2),
        (Sense::STEALTH, 0.15),
        (Sense::OBLIGE, 0.1),
        (Sense::ANSWER, 0.1),
        (Sense::CALL, 0.05),
    ] {
        if others.has(sense) && !head.sense.has(sense) {
            evidence.more += more;
        }
    }
    if evidence.dismissal > 0.0 && others.has(Sense::MODEL) {
        evidence.more += 0.1;
    }
    evidence.more += placement(reading, head.start);
    let weight = evidence.weight()? - distance(reading, head).min(0.3);
    Some((weight, extent))
}

/// "Add this to your answer": people are asked for answers as well, but not to spell them backwards.
fn answered(reading: &Reading, head: &Mark) -> f32 {
    let sentence = reading.sentence(head.start, head.end, 2 * REACH);
    let rewrites = |m: &&Mark| m.sense.has(Sense::REWRITE) && mood(reading, m) > 0.0;
    if reading.within(sentence).any(|m| rewrites(&m)) { 0.4 } else { 0.2 }
}

/// What a text that hides its own deed forbids to speak of, or to.
const SILENT_ABOUT: [&str; 12] =
    ["this", "it", "that", "anything", "anyone", "anybody", "them", "him", "her", "these", "you", "about"];

/// "Do not tell the user": a command, and no report of somebody's silence.
fn concealed(reading: &Reading, head: &Mark) -> Option<f32> {
    let text = Span::new(head.start, head.end).of(&reading.text);
    if !text.starts_with("not ") && !text.starts_with("n't ") {
        return Some(0.4);
    }
    let before = reading.text.get(..head.start).unwrap_or_default().trim_end_matches(' ');
    let verb = ["do", "must", "should", "shall"].iter().find_map(|v| before.strip_suffix(v))?;
    let at = Mark { sense: Sense::NONE, start: verb.len(), end: head.end };
    let subject = verb.trim_end_matches(' ');
    if mood(reading, &at) <= 0.0 && !subject.ends_with("you") {
        return None;
    }
    // From whom, or that it happened at all; prices and names are kept back every day.
    let behind = Span::new(head.end, head.end + 24);
    let from_user = reading.senses(behind).has(Sense::USER) || text.contains("user");
    let deed = reading.words(behind).take(2).any(|w| SILENT_ABOUT.contains(&w.of(&reading.text)));
    Some(if from_user || deed { 0.4 } else { 0.15 })
}

/// "Ignore what the user asked": the user stands in an order to disregard.
fn dismissed(reading: &Reading, user: &Mark) -> Option<f32> {
    let sentence = reading.sentence(user.start, user.end, REACH);
    let behind = Span::new(sentence.start, user.start);
    let verbs = Sense::IGNORE | Sense::DROP | Sense::UNFOLLOW;
    let verb = reading.within(behind).filter(|m| m.sense.has(verbs)).last()?;
    if mood(reading, verb) <= 0.0 {
        return None;
    }
    // "Skip the user" is an entry of a list, "skip the user's question" is not.
    let ahead = Span::new(user.start, sentence.end.min(user.end + 32));
    let asked = reading.senses(ahead).has(Sense::TASK | Sense::INSTRUCTIONS);
    match (asked, verb.sense.has(Sense::IGNORE | Sense::UNFOLLOW)) {
        (true, true) => Some(0.45),
        (true, false) => Some(0.35),
        (false, true) => Some(0.2),
        (false, false) => None,
    }
}

fn overlaps(a: &Mark, b: &Mark) -> bool {
    a.start < b.end && b.start < a.end
}

/// How plainly a name of a model is an address: called for, or set off by punctuation.
fn spoken_to(reading: &Reading, head: &Mark) -> Option<f32> {
    let behind = reading.text.get(head.end..).unwrap_or_default();
    let before = reading.text.get(..head.start).unwrap_or_default();
    let called = reading.within(Span::new(head.start.saturating_sub(32), head.start)).any(|m| m.sense.has(Sense::CALL));
    // "You, the AI", "if you are an AI".
    let article = |t: &'static str| before.strip_suffix(t);
    let bare = [" the ", " an ", " a ", " "].iter().find_map(|a| article(a)).unwrap_or(before);
    let you = bare.ends_with("you,") || bare.ends_with(" you are") || bare.ends_with("you're");
    let dash = behind.starts_with(" -") || behind.starts_with(" \u{2014}");
    let set_off = behind.starts_with([':', ',', '!']) || dash;
    let noted = before.ends_with('(') && behind.starts_with("):")
        || called && (behind.starts_with(" (") || behind.starts_with('.'));
    let meant = bare.ends_with(" for") || bare.ends_with("(for") || bare.ends_with(" to");
    let reads = behind.starts_with(" reading") || behind.starts_with(" processing") || behind.starts_with(" that read");
    let must = ["must", "should", "shall"].iter().any(|m| behind.trim_start().starts_with(m));
    // In a list, names of models are set off by commas as well.
    let starts = reading.starts_clause(head.start) && !before.trim_end_matches(' ').ends_with(',');
    let name = Span::new(head.start, head.end).of(&reading.text);
    // Transcripts label turns with these.
    let common = matches!(name, "agent" | "agents" | "assistant" | "bot" | "bots") && !behind.starts_with(',');
    if called && (set_off || reads) {
        Some(0.5)
    } else if you || (set_off && starts && !common) || noted || (called && must) || reads {
        Some(0.4)
    } else if (starts && must) || (meant && (behind.starts_with(':') || behind.starts_with("):"))) {
        Some(0.3)
    } else if (set_off && starts) || (called && !must) {
        Some(0.25)
    } else {
        None
    }
}
