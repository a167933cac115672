//! Characters that show nothing, where they have no job to do.

use std::borrow::Cow;

use bartizan_core::{
    Confidence, Cost, Detector, Fix, Hold, Limits, Persona, Reference, Report, Rule, RuleId, Severity, Sink, Span,
    Subject, Views,
};

use super::class::{Around, Class};
use crate::{RulesError, Settings};

/// Bytes that one run may have to be taken out of a stream whole.
const BOUND: usize = 1024;
/// Bytes looked at before a run.
const BEFORE: usize = 96;
/// Bytes looked at after a run.
const AFTER: usize = 64;
/// So many hidden characters in a row do no typographic job, whatever stands around them.
const LONG_RUN: usize = 6;
/// So many private use or C1 characters in a row are no icon and no mistaken encoding.
const FOREIGN_RUN: usize = 8;
/// Words split so often within [`BEFORE`] bytes are split on purpose.
const SPLITS: usize = 3;

static RULES: [Rule; 1] = [Rule {
    id: RuleId::new("unicode/hidden-text"),
    summary: Cow::Borrowed("characters that people do not see and models read"),
    doc: Cow::Borrowed(include_str!("hidden_text.md")),
    severity: Severity::Medium,
    confidence: Confidence::High,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[
        Reference::new("OWASP-LLM", "LLM01"),
        Reference::new("CVE", "CVE-2021-42574"),
        Reference::new("CWE", "CWE-1007"),
        Reference::new("ATLAS", "AML.T0051"),
        Reference::new("PAPER", "Boucher et al., Bad Characters: Imperceptible NLP Attacks, IEEE S&P 2022"),
    ]),
    since: Cow::Borrowed("0.1.0"),
}];

struct HiddenText;

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    Ok(Box::new(HiddenText))
}

impl Detector for HiddenText {
    fn rules(&self) -> &[Rule] {
        &RULES
    }

    fn views(&self) -> Views {
        Views::RAW
    }

    fn hold(&self) -> Hold {
        Hold::Bounded(BOUND)
    }

    fn cost(&self) -> Cost {
        Cost::Literal
    }

    fn live(&self, tail: &str) -> usize {
        let window = boundary_after(tail, tail.len().saturating_sub(BOUND + AFTER));
        let mut at = window;
        while let Some(run) = next_run(tail, at) {
            let open = run.span.end == tail.len();
            let near_end = tail.len() - run.span.end < AFTER;
            // A run of one that is excused by what stands before it cannot become a finding unless it grows.
            let single = run.chars == 1 && run.of(tail).chars().all(|c| around(tail, run.span).excused_already(c));
            if open || near_end && !single {
                return tail.len() - run.span.start;
            }
            at = run.span.end;
        }
        0
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        let [rule] = &RULES;
        if !suspicious(subject.text.as_bytes()) {
            return;
        }
        for text in subject.views(Views::RAW) {
            let mut at = 0;
            while let Some(run) = next_run(&text.text, at) {
                if out.is_full() {
                    return;
                }
                at = run.span.end;
                if let Some((span, severity, confidence)) = judge(&text.text, run) {
                    let report = Report::new(rule, text, span).severity(severity).confidence(confidence);
                    out.report(report.fix(Fix::Remove));
                }
            }
        }
    }
}

/// True where any byte is outside printable ASCII and white space. Plain text is dismissed at memory speed.
fn suspicious(bytes: &[u8]) -> bool {
    bytes.chunks(256).any(|chunk| {
        // No early exit inside a chunk, so that the compiler can use vector instructions.
        chunk.iter().fold(false, |any, b| any | (*b >= 0x7F) | (*b < 0x20 && !matches!(*b, 9..=13 | 27)))
    })
}

/// A maximal run of characters that hide, or of private use, or of C1.
#[derive(Clone, Copy, Debug)]
struct Run {
    span: Span,
    chars: usize,
    class: Class,
}

impl Run {
    fn of(self, text: &str) -> &str {
        self.span.of(text)
    }
}

fn next_run(text: &str, from: usize) -> Option<Run> {
    let tail = text.get(from..)?;
    let (offset, first) = tail.char_indices().find(|(_, c)| Class::of(*c) != Class::Visible)?;
    let class = Class::of(first);
    let same = |c: char| if class.hides() { Class::of(c).hides() } else { Class::of(c) == class };
    let mut run = Run { span: Span::new(from + offset, from + offset), chars: 0, class };
    for c in tail.get(offset..)?.chars().take_while(|c| same(*c)) {
        run.span.end += c.len_utf8();
        run.chars += 1;
    }
    Some(run)
}

fn boundary_before(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

fn boundary_after(text: &str, at: usize) -> usize {
    (at..text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len())
}

fn around(text: &str, span: Span) -> Around<'_> {
    let start = boundary_after(text, span.start.saturating_sub(BEFORE));
    let end = boundary_before(text, span.end + AFTER);
    Around { before: Span::new(start, span.start).of(text), after: Span::new(span.end, end).of(text) }
}

/// What a run is worth, or nothing where all of it has a job to do.
fn judge(text: &str, mut run: Run) -> Option<(Span, Severity, Confidence)> {
    match run.class {
        Class::C1 | Class::Private => {
            return (run.chars >= FOREIGN_RUN).then_some((run.span, Severity::Low, Confidence::Low));
        }
        _ => {}
    }
    let flag = flag_tags(around(text, run.span).before, run.of(text));
    run.span.start += flag * 4;
    run.chars -= flag;
    if run.chars == 0 {
        return None;
    }
    let hidden = run.of(text);
    if run.chars < LONG_RUN && flag_rest(flag, hidden) {
        return None;
    }
    let excused = hidden.char_indices().all(|(i, c)| {
        // Each is judged with those before it in place: a joiner may follow a selector.
        let here = run.span.start + i;
        let before = around(text, Span::new(here, here)).before;
        let after = around(text, run.span).after;
        Around { before, after }.excuse(c, here == 0)
    });
    if excused && run.chars < LONG_RUN {
        return None;
    }
    if payload(hidden) {
        return Some((run.span, Severity::High, Confidence::High));
    }
    let surroundings = around(text, run.span);
    if hidden.contains('\u{202E}') {
        return Some((run.span, Severity::High, Confidence::High));
    }
    if run.chars >= LONG_RUN || hidden.chars().any(|c| Class::of(c) == Class::Tag) {
        return Some((run.span, Severity::Medium, Confidence::High));
    }
    let turned = hidden.chars().any(|c| matches!(c, '\u{202B}' | '\u{2067}'));
    if turned || surroundings.inside_word() && splits(text, run.span) >= SPLITS {
        return Some((run.span, Severity::Medium, Confidence::Medium));
    }
    let confidence = if surroundings.inside_word() { Confidence::Medium } else { Confidence::Low };
    Some((run.span, Severity::Low, confidence))
}

/// Words split by hidden characters shortly before, this one included.
fn splits(text: &str, span: Span) -> usize {
    let before = around(text, span).before;
    let mut count = 1;
    let mut at = 0;
    while let Some(run) = next_run(before, at) {
        at = run.span.end;
        let inside = Around {
            before: Span::new(0, run.span.start).of(before),
            after: Span::new(run.span.end, before.len()).of(before),
        };
        count += usize::from(run.class.hides() && (inside.inside_word()));
    }
    count
}

/// How many tag characters at the start of `hidden` belong to the flag that `before` ends with: a region of five
/// letters or digits at most, then the cancel tag (UTS #51, ED-14a). The flags in general use are those of
/// England, Scotland and Wales; others only count as flags where they do not follow one another, or text could be
/// written in them.
fn flag_tags(before: &str, hidden: &str) -> usize {
    let Some(previous) = before.strip_suffix('\u{1F3F4}') else { return 0 };
    let name: String = hidden.chars().take_while(|c| *c != '\u{E007F}').filter_map(tag).take(8).collect();
    let tags = name.len() + 1;
    let complete = hidden.chars().nth(name.len()) == Some('\u{E007F}');
    let general = matches!(name.as_str(), "gbeng" | "gbsct" | "gbwls");
    let region = (3..=5).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if complete && (general || region && !previous.ends_with('\u{E007F}')) { tags } else { 0 }
}

/// True where nothing, or only what emoji sequences go on with, follows a flag.
fn flag_rest(flag: usize, hidden: &str) -> bool {
    flag > 0 && hidden.chars().all(|c| c == '\u{200D}' || c == '\u{FE0F}')
}

/// The ASCII character that a tag character stands for.
fn tag(c: char) -> Option<char> {
    let code = (c as u32).checked_sub(0xE0000)?;
    char::from_u32(code).filter(|c| matches!(c, ' '..='~'))
}

/// The byte that a variation selector stands for, in the encoding published by Butler (2025).
fn selector_byte(c: char) -> Option<u8> {
    match c as u32 {
        code @ 0xFE00..=0xFE0F => u8::try_from(code - 0xFE00).ok(),
        code @ 0xE0100..=0xE01EF => u8::try_from(code - 0xE0100 + 16).ok(),
        _ => None,
    }
}

/// True where the run can be read as text: tag characters, bytes in variation selectors, or bits in two
/// zero-width characters.
fn payload(hidden: &str) -> bool {
    let sample = || hidden.chars().take(BOUND / 3);
    let tags = sample().filter_map(tag).count();
    if tags >= 3 {
        return true;
    }
    let bytes: Vec<u8> = sample().filter_map(selector_byte).collect();
    if readable(&bytes) {
        return true;
    }
    bits(sample())
}

/// Four bytes or more, nine tenths of them printable.
fn readable(bytes: &[u8]) -> bool {
    let printable = bytes.iter().filter(|b| matches!(**b, b' '..=b'~' | b'\n' | b'\r' | b'\t')).count();
    bytes.len() >= 4 && printable * 10 >= bytes.len() * 9
}

/// Zero-width characters of exactly two kinds, read as eight or seven bits each in either order.
fn bits(chars: impl Iterator<Item = char>) -> bool {
    let symbols: Vec<char> = chars.filter(|c| Class::of(*c) != Class::Tag).collect();
    let Some(zero) = symbols.first() else { return false };
    let Some(one) = symbols.iter().find(|c| *c != zero) else { return false };
    if symbols.len() < 32 || symbols.iter().any(|c| c != zero && c != one) {
        return false;
    }
    [7, 8].iter().any(|width| {
        [zero, one].iter().any(|set| {
            let byte = |group: &[char]| group.iter().fold(0_u8, |byte, c| byte << 1 | u8::from(c == *set));
            let bytes: Vec<u8> = symbols.chunks_exact(*width).map(byte).collect();
            readable(&bytes)
        })
    })
}
