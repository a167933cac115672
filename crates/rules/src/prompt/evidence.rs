//! Weighing evidence: how a sum of weights becomes a confidence.

use bartizan_core::{Confidence, Source, Span};

use super::words::{Mark, Reading};
use bartizan_lexicon::Sense;

/// Origins that inform a model and have no business giving it orders.
pub(super) const fn is_data(source: Source) -> bool {
    matches!(source, Source::Tool | Source::Document | Source::Memory | Source::Definition)
}

/// From this weight on a finding is made at all.
const LOW: f32 = 0.5;
const MEDIUM: f32 = 0.6;
const HIGH: f32 = 0.7;

/// The confidence that a weight stands for, or none.
pub(super) fn confidence(weight: f32) -> Option<Confidence> {
    // Sums of tenths are a hair off.
    match weight + 1e-4 {
        w if w >= HIGH => Some(Confidence::High),
        w if w >= MEDIUM => Some(Confidence::Medium),
        w if w >= LOW => Some(Confidence::Low),
        _ => None,
    }
}

/// How far words of one phrase may be apart, in bytes of the reading.
pub(super) const REACH: usize = 80;
/// How far talk about attacks reaches.
const TOPIC: usize = 200;

/// Words that may stand between a subject and its verb without changing the mood.
const ADVERBS: [&str; 15] = [
    "just",
    "simply",
    "also",
    "now",
    "immediately",
    "instead",
    "always",
    "then",
    "first",
    "finally",
    "kindly",
    "therefore",
    "next",
    "thus",
    "do",
];
/// Verbs that make a command of "you" and a report of everybody else.
const MODALS: [&str; 5] = ["must", "should", "shall", "will", "can"];
/// Most words before a verb that are read for its mood.
const SUBJECT: usize = 4;

/// What the mood of a verb adds: a command adds, a report or a denied command takes away.
pub(super) fn mood(reading: &Reading, head: &Mark) -> f32 {
    let mut at = head.start;
    let mut modal = false;
    for _ in 0..SUBJECT {
        let before = reading.text.get(..at).unwrap_or_default().trim_end_matches(' ');
        let word = before.rsplit(|c: char| !c.is_alphanumeric() && c != '\'').next().unwrap_or_default();
        if word.is_empty() {
            break;
        }
        if MODALS.contains(&word) {
            modal = true;
        } else if !ADVERBS.contains(&word) {
            break;
        }
        at = before.len() - word.len();
    }
    let leading = reading.leading(at);
    if modal && !reading.starts_clause(at) {
        // "You must ignore" commands, "the compiler will ignore" reports.
        let before = reading.text.get(..at).unwrap_or_default().trim_end_matches(' ');
        let you = before.ends_with("you") || leading.has(Sense::MODEL) || before.ends_with("and");
        return if you { 0.1 } else { -0.3 };
    }
    if is_gerund(reading, head) {
        // "Ignoring the old configuration" tells what somebody does.
        -0.3
    } else if reading.starts_clause(at) || leading.has(Sense::LEAD) {
        0.1
    } else if leading.has(Sense::REPORTED) {
        -0.3
    } else {
        let before = reading.text.get(..at).unwrap_or_default();
        // "wants you to ignore" commands, "tries to ignore" reports.
        if before.ends_with(" you to ") {
            0.1
        } else if before.ends_with(" to ") {
            -0.1
        } else {
            0.0
        }
    }
}

/// True for an English verb in -ing. "Bring" and "sing" are none.
fn is_gerund(reading: &Reading, head: &Mark) -> bool {
    let rest = reading.text.get(head.start..).unwrap_or_default();
    let word = rest.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    word.len() > 6 && word.ends_with("ing")
}

/// What the surroundings take away: questions about how something works, talk about attacks, quotation marks.
pub(super) fn distance(reading: &Reading, head: &Mark) -> f32 {
    let sentence = reading.sentence(head.start, head.end, REACH);
    let mut away = 0.0;
    if reading.senses(Span::new(sentence.start, head.start)).has(Sense::ASKING) {
        away += 0.25;
    }
    let around = Span::new(head.start.saturating_sub(TOPIC), head.end + TOPIC);
    let topics = reading.within(around).filter(|m| m.sense.has(Sense::ABOUT)).take(3).count();
    away += [0.0, 0.15, 0.25, 0.3].get(topics).copied().unwrap_or(0.3);
    let quoted = reading.text.get(..head.start).is_some_and(|t| t.ends_with(['"', '\u{201C}', '\u{AB}', '\u{300C}']));
    if quoted && topics > 0 {
        away += 0.1;
    }
    if opens_quote(reading, &sentence, head.start)
        && closes_quote(reading, head.end)
        && reading.senses(wide(&sentence)).has(Sense::MENTION)
    {
        away += 0.45;
    }
    away
}

/// True where a quotation mark stands before a place, two words between them at most.
fn opens_quote(reading: &Reading, sentence: &Span, at: usize) -> bool {
    let before = Span::new(sentence.start.min(at), at).of(&reading.text);
    let opening = ['"', '\u{201C}', '\u{201E}', '\u{AB}', '\u{300C}'];
    before.rfind(opening).is_some_and(|open| before.get(open..).is_some_and(|t| t.split(' ').count() <= 3))
}

/// A sentence and a little of what is next to it, where the word that mentions a quotation stands.
const fn wide(sentence: &Span) -> Span {
    Span::new(sentence.start.saturating_sub(40), sentence.end + 60)
}

/// True where a quotation mark follows soon.
fn closes_quote(reading: &Reading, at: usize) -> bool {
    let text = Span::new(at, reading.text.len()).of(&reading.text);
    text.char_indices()
        .take_while(|(i, _)| *i < 2 * REACH)
        .any(|(_, c)| matches!(c, '"' | '\u{201C}' | '\u{201D}' | '\u{BB}' | '\u{300D}'))
}

/// What an order weighs: little by itself, more if it is about something that only an agent has at hand, or leads
/// outside.
pub(super) fn order(reading: &Reading, verb: &Mark) -> f32 {
    let end = reading.sentence(verb.start, verb.end, 2 * REACH).end;
    let about = Span::new(verb.end, end);
    let text = about.of(&reading.text);
    let outside = text.contains("://") || text.contains("www.") || has_mailbox(text) || has_identifier(text);
    if outside || reading.senses(about).has(Sense::ASSET) { 0.35 } else { 0.2 }
}

/// `name@host.tld`.
fn has_mailbox(text: &str) -> bool {
    text.split(' ').take(40).any(|word| {
        word.split_once('@').is_some_and(|(name, host)| {
            name.ends_with(char::is_alphanumeric) && host.trim_end_matches(['.', ',']).contains('.')
        })
    })
}

/// `send_money`: what functions are called.
fn has_identifier(text: &str) -> bool {
    text.split(' ').take(40).any(|word| {
        word.split_once('_').is_some_and(|(a, b)| {
            a.ends_with(|c: char| c.is_ascii_lowercase()) && b.starts_with(|c: char| c.is_ascii_lowercase())
        })
    })
}

/// How much a place that people do not look at adds to what stands there: comments, hidden elements, attributes.
pub(super) fn placement(reading: &Reading, at: usize) -> f32 {
    let before = reading.before(at, HIDDEN_BY);
    let open = |start: &str, end: &str| {
        before.rfind(start).is_some_and(|open| before.get(open..).is_some_and(|inside| !inside.contains(end)))
    };
    if open("<!--", "-->") || open("[//]: #", "\n") || HIDDEN.iter().any(|style| open(style, "</")) {
        return 0.2;
    }
    let tag =
        before.rfind('<').and_then(|open| before.get(open..)).filter(|tag| !tag.contains('>')).unwrap_or_default();
    if open("![", "]") || [" alt=", " title=", " aria-label="].iter().any(|name| tag.contains(name)) {
        return 0.15;
    }
    0.0
}

/// Bytes before a place in which it is hidden.
const HIDDEN_BY: usize = 256;

/// Ways of HTML to show nothing.
const HIDDEN: [&str; 9] = [
    "display:none",
    "display: none",
    "visibility:hidden",
    "visibility: hidden",
    "font-size:0",
    "font-size: 0",
    "opacity:0",
    "opacity: 0",
    "color:white",
];

/// Most orders of one stretch that are weighed.
pub(super) const ORDERS: usize = 6;

/// Bytes after a label or delimiter in which an order has to begin.
const ORDER: usize = 160;

/// What stands after a label or delimiter adds, if it is an order and not content.
pub(super) fn follow_up(reading: &Reading, at: usize) -> f32 {
    let range = Span::new(at, at + ORDER);
    let found = reading.senses(range);
    let mut weight: f32 = 0.0;
    if found.has(Sense::IGNORE | Sense::UNFOLLOW | Sense::UNBOUND)
        && found.has(Sense::INSTRUCTIONS | Sense::RULES | Sense::EVERYTHING | Sense::BEFORE | Sense::ROLE)
    {
        weight += 0.35;
    } else if found.has(Sense::REVEAL) && found.has(Sense::SECRET | Sense::INSTRUCTIONS) || found.has(Sense::CONCEAL) {
        weight += 0.3;
    }
    if found.has(Sense::ROLE) {
        weight += 0.2;
    }
    let verbs = Sense::ACTION | Sense::IGNORE | Sense::SHOW;
    let orders = reading.within(range).filter(|m| m.sense.has(verbs) && mood(reading, m) > 0.0);
    weight += orders.take(ORDERS).map(|m| order(reading, m)).fold(0.0, f32::max);
    if found.has(Sense::CONCEAL | Sense::DETOUR) {
        weight += 0.1;
    }
    if found.has(Sense::INSTRUCTIONS | Sense::NEW) && found.has(Sense::YOURS | Sense::SECRET) {
        weight += 0.1;
    }
    weight
}
