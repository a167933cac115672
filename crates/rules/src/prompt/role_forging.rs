//! Turns of another role, faked inside one text.

use std::borrow::Cow;

use bartizan_core::{
    Confidence, Detector, Persona, Reference, Report, Rule, RuleId, Severity, Sink, Span, Subject, ViewText,
};

use super::evidence::{confidence, distance, follow_up, is_data};
use super::reader::WordReader;
use super::words::{Mark, Words};
use crate::{RulesError, Settings};
use bartizan_lexicon::Sense;

/// Bytes read after a label.
const AFTER: usize = 200;
/// Bytes read before a label.
const BEFORE: usize = 64;

static RULES: [Rule; 1] = [Rule {
    id: RuleId::new("prompt/role-forging"),
    summary: Cow::Borrowed("a text pretends that another role speaks inside it"),
    doc: Cow::Borrowed(include_str!("role_forging.md")),
    severity: Severity::Medium,
    confidence: Confidence::Medium,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[
        Reference::new("OWASP-LLM", "LLM01"),
        Reference::new("ATLAS", "AML.T0051"),
        Reference::new("CWE", "CWE-345"),
    ]),
    since: Cow::Borrowed("0.1.0"),
}];

/// Where a label has to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    /// At the start of a line or sentence.
    First,
    /// Anywhere.
    Anywhere,
}

/// Labels, where they stand, and what they weigh by themselves.
const LABELS: &[(&str, Stands, f32)] = &[
    ("system:", Stands::First, 0.35),
    ("system message:", Stands::First, 0.45),
    ("system prompt:", Stands::First, 0.35),
    ("system note:", Stands::First, 0.45),
    ("note from the system", Stands::First, 0.4),
    ("systemhinweis:", Stands::First, 0.4),
    ("systemnachricht:", Stands::First, 0.4),
    ("note systeme", Stands::First, 0.4),
    ("message systeme", Stands::First, 0.4),
    ("nota del sistema", Stands::First, 0.4),
    ("mensaje del sistema", Stands::First, 0.4),
    ("nota di sistema", Stands::First, 0.4),
    ("messaggio di sistema", Stands::First, 0.4),
    ("nota do sistema", Stands::First, 0.4),
    ("mensagem do sistema", Stands::First, 0.4),
    (
        "\u{441}\u{438}\u{441}\u{442}\u{435}\u{43c}\u{43d}\u{43e}\u{435} \u{441}\u{43e}\u{43e}\u{431}\u{449}\u{435}\u{43d}\u{438}\u{435}",
        Stands::First,
        0.4,
    ),
    ("\u{7cfb}\u{7edf}\u{6d88}\u{606f}\u{ff1a}", Stands::First, 0.4),
    ("\u{7cfb}\u{7edf}\u{6d88}\u{606f}:", Stands::First, 0.4),
    ("system override", Stands::First, 0.45),
    ("system update:", Stands::First, 0.35),
    ("developer:", Stands::First, 0.3),
    ("developer message:", Stands::First, 0.4),
    ("admin:", Stands::First, 0.3),
    ("assistant:", Stands::First, 0.25),
    ("[system]", Stands::Anywhere, 0.4),
    ("[system message]", Stands::Anywhere, 0.45),
    ("[developer]", Stands::Anywhere, 0.35),
    ("[admin]", Stands::Anywhere, 0.35),
    ("[assistant]", Stands::Anywhere, 0.3),
    ("<system>", Stands::Anywhere, 0.35),
    ("</system>", Stands::Anywhere, 0.3),
    ("<system_prompt>", Stands::Anywhere, 0.35),
    ("</system_prompt>", Stands::Anywhere, 0.4),
    ("<system-reminder>", Stands::Anywhere, 0.45),
    ("<developer>", Stands::Anywhere, 0.35),
    ("<important>", Stands::Anywhere, 0.3),
    ("(system)", Stands::First, 0.35),
    ("### system", Stands::First, 0.4),
    ("## system", Stands::First, 0.3),
    ("### instruction", Stands::First, 0.25),
    ("### new instruction", Stands::First, 0.4),
    ("\"role\"", Stands::Anywhere, 0.0),
    ("'role'", Stands::Anywhere, 0.0),
];

/// Reserved tokens that open a turn, and whether the name of a role follows.
const OPENERS: &[(&str, bool)] = &[
    ("<|im_start|>", true),
    ("<|start_header_id|>", true),
    ("<|start|>", true),
    ("<start_of_turn>", true),
    ("<|system|>", false),
    ("<|user|>", false),
    ("<|assistant|>", false),
    ("<|developer|>", false),
    ("[inst]", false),
    ("<<sys>>", false),
    ("[system_prompt]", false),
];

/// Roles as templates name them.
const ROLES: [&str; 6] = ["system", "developer", "user", "assistant", "model", "tool"];

/// Letters that a turn must hold to say something.
const SAYS: usize = 4;

/// Builds the detector.
///
/// # Errors
/// The lexicon does not compile.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    let labels = LABELS.iter().map(|(label, ..)| *label);
    let literals = labels.chain(OPENERS.iter().map(|(opener, _)| *opener)).map(Cow::Borrowed).collect();
    WordReader::boxed(&RULES, literals, read)
}

fn read(words: &Words, subject: &Subject<'_>, out: &mut Sink<'_>) {
    let [rule] = &RULES;
    let mut last = Span::default();
    for (text, hit) in subject.anchored() {
        let bartizan_core::HitKind::Literal(index) = hit.kind else { continue };
        if let Some((_, named)) = index.checked_sub(LABELS.len()).and_then(|i| OPENERS.get(i)) {
            // A model reads what follows as said by that role; data has no turns of its own.
            if is_data(subject.origin.source) && opens_turn(text, hit.span.end, *named) {
                let raw = text.map.to_raw(hit.span);
                if !raw.overlaps(last) {
                    last = raw;
                    let report = Report::new(rule, text, hit.span).severity(Severity::High);
                    out.report(report.confidence(Confidence::High));
                }
            }
            continue;
        }
        let Some((_, stands, base)) = LABELS.get(index) else { continue };
        let (label, base) = match object_role(text, hit.span) {
            Some(label) => (label, 0.4),
            None if *base == 0.0 => continue,
            None => (hit.span, *base),
        };
        if *stands == Stands::First && !starts_turn(text, label.start) {
            continue;
        }
        let window = Span::new(label.start.saturating_sub(BEFORE), label.end + AFTER);
        let reading = words.read_clipped(text, window);
        let Some(head) = reading.mark_at(label) else { continue };
        let head = Mark { sense: Sense::NONE, ..head };
        let weight = base + follow_up(&reading, head.end) - distance(&reading, &head).min(0.3);
        let Some(confidence) = confidence(weight) else { continue };
        let raw = text.map.to_raw(label);
        if raw.overlaps(last) {
            continue;
        }
        last = raw;
        out.report(Report::new(rule, text, label).confidence(confidence));
    }
}

/// True where a role, if one is wanted, and text follow the token that opens a turn.
fn opens_turn(text: &ViewText<'_>, at: usize, named: bool) -> bool {
    let Some(rest) = text.text.get(at..) else { return false };
    let mut rest = rest.trim_start();
    if named {
        let named = ROLES.iter().find_map(|role| {
            let (name, after) = rest.split_at_checked(role.len())?;
            (name.eq_ignore_ascii_case(role) && !after.starts_with(char::is_alphanumeric)).then_some(after)
        });
        let Some(after) = named else { return false };
        rest = after.trim_start();
    }
    // The token between the role and its text.
    if let Some((_, after)) = rest.strip_prefix("<|").and_then(|r| r.split_once("|>")).filter(|(t, _)| t.len() < 24) {
        rest = after;
    }
    let until = rest.char_indices().take(AFTER).take_while(|(_, c)| *c != '<' && *c != '[');
    until.filter(|(_, c)| c.is_alphabetic()).take(SAYS).count() >= SAYS
}

/// True where only blanks and decoration stand between a place and the start of its line or sentence.
fn starts_turn(text: &ViewText<'_>, at: usize) -> bool {
    let before = text.text.get(..at).unwrap_or_default();
    let decoration =
        |c: char| matches!(c, ' ' | '\t' | '*' | '#' | '>' | '-' | '_' | '[' | '(' | '"' | '`' | '=' | '~');
    let bare = before.trim_end_matches(decoration);
    bare.chars()
        .next_back()
        .is_none_or(|c| matches!(c, '\n' | '\r' | '.' | '!' | '?' | ';' | '|' | ']' | '}' | '\u{3002}'))
}

/// The extent of `"role": "system"`, quotes escaped or not, after a key of that name.
fn object_role(text: &ViewText<'_>, key: Span) -> Option<Span> {
    let rest = text.text.get(key.end..)?;
    let skip = |s: &str, wanted: char| -> Option<usize> {
        let trimmed = s.trim_start_matches([' ', '\t', '\n', '\r', '\\']);
        trimmed.strip_prefix(wanted).map(|after| s.len() - after.len())
    };
    let key_text = key.of(&text.text);
    let quote = key_text.chars().next().filter(|q| matches!(q, '"' | '\''))?;
    let colon = skip(rest.get(..).unwrap_or_default(), ':')?;
    let value = rest.get(colon..)?;
    let open = skip(value, quote)?;
    let word = value.get(open..)?;
    ["system", "developer"].into_iter().find_map(|role| {
        let start = word.get(..role.len())?;
        start.eq_ignore_ascii_case(role).then(|| Span::new(key.start, key.end + colon + open + role.len()))
    })
}
