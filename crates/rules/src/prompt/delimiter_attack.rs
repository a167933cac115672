//! A fake end of the frame that a text stands in, and orders behind it.

use std::borrow::Cow;

use bartizan_core::{
    Anchors, Confidence, Cost, Detector, Hold, Limits, Persona, Reference, Report, Rule, RuleId, Severity, Sink, Span,
    Subject, ViewText, Views,
};

use super::evidence::{NoisyOr, confidence, distance, follow_up};
use super::words::{WORD_VIEWS, Words};
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

struct DelimiterAttack {
    words: Words,
    literals: Vec<Cow<'static, str>>,
}

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
    Ok(Box::new(DelimiterAttack { words: Words::new("prompt/delimiter-attack")?, literals }))
}

impl Detector for DelimiterAttack {
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
        Anchors { literals: &self.literals, ..Anchors::default() }
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        let [rule] = &RULES;
        let mut score = NoisyOr::new();
        let mut last = Span::default();
        for (text, hit) in subject.anchored() {
            let Some((span, base)) = delimiter(text, hit.span) else { continue };
            let raw = text.map.to_raw(span);
            if raw.overlaps(last) {
                continue;
            }
            let reading = self.words.read_clipped(text, Span::new(span.start, span.end + AFTER));
            let Some(head) = reading.mark_at(span) else { continue };
            let order = follow_up(&reading, head.end);
            // The end of a frame is everyday markup until orders follow it.
            if order < 0.2 {
                continue;
            }
            let weight = base + order - distance(&reading, &head).min(0.3);
            let Some(confidence) = confidence(weight) else { continue };
            last = raw;
            score.add(weight * 0.9);
            out.report(Report::new(rule, text, span).confidence(confidence));
        }
        if let Some(scores) = score.scores() {
            out.score(scores);
        }
    }
}

/// The extent of a delimiter around an anchor, and what it weighs.
fn delimiter(text: &ViewText<'_>, anchor: Span) -> Option<(Span, f32)> {
    let literal = anchor.of(&text.text);
    let rest = text.text.get(anchor.end..).unwrap_or_default();
    let line = rest.split(['\n', '\r']).next().unwrap_or_default();
    let mut body = line.char_indices().take_while(|(i, _)| *i < 40);
    let name_end = body
        .find(|(_, c)| !(c.is_ascii_alphanumeric() || matches!(c, '_' | ' ' | '-')))
        .map_or(line.len().min(40), |(i, _)| i);
    let mut end = anchor.end + name_end;
    if literal.starts_with("</") || literal.starts_with("[/") {
        let close = rest.get(name_end..)?.chars().next().filter(|c| matches!(c, '>' | ']'))?;
        // More letters make it another name.
        if name_end > 0 {
            return None;
        }
        end += close.len_utf8();
        let name = literal.get(2..).unwrap_or_default();
        return (!opened_before(text, anchor.start, name)).then_some((Span::new(anchor.start, end), 0.4));
    }
    let from = text.text.get(..anchor.start).unwrap_or_default();
    let lead = from.trim_end_matches([' ', '-', '=', '#', '*', '<', '[', '_', '~', '/']);
    let set_off = lead.chars().next_back().is_none_or(|c| matches!(c, '\n' | '\r' | '.' | '!' | '?' | '"' | '`'));
    if !set_off {
        return None;
    }
    let decorated = lead.len() + 2 <= from.len()
        && from.len() - lead.len() - from.get(lead.len()..).unwrap_or_default().matches(' ').count() >= 1
        || !literal.to_ascii_lowercase().starts_with("end")
        || literal.chars().all(|c| !c.is_ascii_lowercase());
    let tail = text.text.get(end..).unwrap_or_default().chars().next();
    let closes =
        tail.is_none_or(|c| matches!(c, '\n' | '\r' | '-' | '=' | '#' | '*' | '>' | ']' | '.' | ':' | '_' | '~'));
    (decorated && closes && end > anchor.start).then_some((Span::new(anchor.start, end.min(text.text.len())), 0.4))
}

/// True where the tag that is closed here was opened in the same text: then it is markup of that text.
fn opened_before(text: &ViewText<'_>, at: usize, name: &str) -> bool {
    let before = text.text.as_bytes().get(at.saturating_sub(OPENING)..at).unwrap_or_default();
    before.windows(name.len() + 1).any(|w| {
        matches!(w.first(), Some(b'<' | b'[')) && w.get(1..).is_some_and(|w| w.eq_ignore_ascii_case(name.as_bytes()))
    })
}
