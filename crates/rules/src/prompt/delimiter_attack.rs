//! A fake end of the frame that a text stands in, and orders behind it.

use std::borrow::Cow;

use bartizan_core::{
    Confidence, Detector, Persona, Reference, Report, Rule, RuleId, Severity, Sink, Span, Subject, ViewText,
};

use super::evidence::{confidence, distance, follow_up};
use super::reader::WordReader;
use super::words::Words;
use crate::{RulesError, Settings};

/// Bytes read after a delimiter.
const AFTER: usize = 200;
/// Bytes before a closing tag in which its opening one is looked for.
const OPENING: usize = 2048;

static RULES: [Rule; 1] = [Rule {
    id: RuleId::new("prompt/delimiter-attack"),
    summary: Cow::Borrowed("a fake end of the surrounding document, followed by orders"),
    doc: Cow::Borrowed(include_str!("delimiter_attack.md")),
    severity: Severity::High,
    confidence: Confidence::Medium,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[
        Reference::new("OWASP-LLM", "LLM01"),
        Reference::new("CWE", "CWE-140"),
        Reference::new(
            "PAPER",
            "Hines et al., Defending Against Indirect Prompt Injection Attacks With Spotlighting, 2024",
        ),
    ]),
    since: Cow::Borrowed("0.1.0"),
}];

/// What a delimiter weighs before what follows it is read.
const BASE: f32 = 0.4;
/// Longest name of a frame with the words around it, in bytes.
const LONGEST: usize = 40;
/// What lines are set off with.
const DECORATION: [char; 11] = [' ', '-', '=', '#', '*', '<', '[', '_', '~', '/', '`'];

/// What frames are called.
const FRAMES: &[&str] = &[
    "document",
    "documents",
    "context",
    "data",
    "input",
    "text",
    "prompt",
    "content",
    "email",
    "message",
    "article",
    "instructions",
    "conversation",
    "results",
    "tool_result",
    "tool result",
    "retrieved",
    "source",
    "query",
    "question",
    "user_input",
    "user input",
    "user_query",
    "user query",
    "untrusted",
    "file",
    "page",
    "system prompt",
    "system message",
    "untrusted_content",
    "search_results",
    "search results",
    "user message",
    "user_message",
    "external content",
    "external data",
];

/// Openings of a delimiter; a frame may follow.
const OPENINGS: &[&str] =
    &["</", "end of ", "[end", "end_of_", "[/", "---end", "=== end", "--- end", "### end", "<end"];

/// Builds the detector.
///
/// # Errors
/// The lexicon does not compile.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    let mut literals: Vec<Cow<'static, str>> = Vec::new();
    for opening in OPENINGS {
        // An opening that is telling by itself is its own anchor.
        match *opening {
            "</" | "end of " | "end_of_" | "[/" => {
                literals.extend(FRAMES.iter().map(|frame| Cow::Owned(format!("{opening}{frame}"))));
            }
            _ => literals.push(Cow::Borrowed(opening)),
        }
    }
    let longer = literals.clone();
    literals.retain(|l| !longer.iter().any(|o| o.len() < l.len() && l.starts_with(o.as_ref())));
    WordReader::boxed(&RULES, literals, read)
}

fn read(words: &Words, subject: &Subject<'_>, out: &mut Sink<'_>) {
    let [rule] = &RULES;
    let mut last = Span::default();
    for (text, hit) in subject.anchored() {
        let Some(span) = delimiter(text, hit.span) else { continue };
        let raw = text.map.to_raw(span);
        if raw.overlaps(last) {
            continue;
        }
        let reading = words.read_clipped(text, Span::new(span.start, span.end + AFTER));
        let Some(head) = reading.mark_at(span) else { continue };
        let order = follow_up(&reading, head.end);
        // The end of a frame is everyday markup until orders follow it.
        if order < 0.2 {
            continue;
        }
        let weight = BASE + order - distance(&reading, &head).min(0.3);
        let Some(confidence) = confidence(weight) else { continue };
        last = raw;
        out.report(Report::new(rule, text, span).confidence(confidence));
    }
}

/// The extent of a delimiter around an anchor.
fn delimiter(text: &ViewText<'_>, anchor: Span) -> Option<Span> {
    let literal = anchor.of(&text.text);
    if let Some(name) = literal.strip_prefix("</").or(literal.strip_prefix("[/")) {
        let close = text.text.as_bytes().get(anchor.end)?;
        return (matches!(close, b'>' | b']') && !opened_before(text, anchor.start, name))
            .then(|| Span::new(anchor.start, anchor.end + 1));
    }
    // "=== END OF CONTEXT ===": decoration or capitals set it off, and nothing else stands in the line.
    let word = literal.trim_start_matches(DECORATION);
    let start = anchor.end - word.len();
    let line = text.text.get(start..)?.split(['\n', '\r']).next()?;
    let phrase: String =
        line.chars().take(LONGEST).take_while(|c| c.is_ascii_alphabetic() || matches!(c, ' ' | '_')).collect();
    let behind = line.get(phrase.len()..).unwrap_or_default().chars().next();
    let before = text.text.get(..start).unwrap_or_default();
    let bare = before.trim_end_matches(DECORATION);
    let decorated = before.get(bare.len()..).unwrap_or_default().trim().len() >= 2 || word.starts_with("END");
    let set_off = bare.chars().next_back().is_none_or(|c| matches!(c, '\n' | '\r' | '.' | '!' | '?' | '"' | '`'));
    let closes = behind.is_none_or(|c| DECORATION.contains(&c) || matches!(c, ']' | '>' | '.' | ':'));
    (decorated && set_off && closes && ends_frame(&phrase)).then(|| Span::new(start, start + phrase.trim_end().len()))
}

/// "End", "end of the document", "END_OF_USER_INPUT".
fn ends_frame(phrase: &str) -> bool {
    let words = phrase.to_ascii_lowercase().replace('_', " ");
    let mut words: Vec<&str> = words.split_whitespace().collect();
    if words.first() != Some(&"end") {
        return false;
    }
    words.retain(|w| !matches!(*w, "end" | "of" | "the" | "this"));
    let name = words.join(" ");
    name.is_empty() || FRAMES.iter().any(|frame| frame.replace('_', " ") == name)
}

/// True where the tag that is closed here was opened in the same text: then it is markup of that text.
fn opened_before(text: &ViewText<'_>, at: usize, name: &str) -> bool {
    let before = text.text.as_bytes().get(at.saturating_sub(OPENING)..at).unwrap_or_default();
    memchr::memchr2_iter(b'<', b'[', before).any(|open| {
        before.get(open + 1..open + 1 + name.len()).is_some_and(|w| w.eq_ignore_ascii_case(name.as_bytes()))
    })
}
