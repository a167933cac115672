//! Control sequences that a terminal obeys.

use std::borrow::Cow;

use bartizan_core::{
    Anchors, Confidence, Cost, Detector, Fix, Hold, Limits, Persona, Reference, Report, Rule, RuleId, Severity, Sink,
    Span, Subject, Views,
};
use memchr::memchr2_iter;

use crate::html::border;
use crate::tape::{Class, Tape, live_from};
use crate::{RulesError, Settings};

/// Most bytes of one sequence. A longer string is reported up to here.
const LONGEST: usize = 1024;

const ESCAPE: u8 = 0x1b;
/// First byte of the C1 controls in UTF-8.
const C1: u8 = 0xc2;

static RULES: [Rule; 1] = [Rule {
    id: RuleId::new("output/terminal-escape"),
    summary: Cow::Borrowed("control sequence for terminals"),
    doc: Cow::Borrowed(include_str!("terminal_escape.md")),
    severity: Severity::Medium,
    confidence: Confidence::High,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[
        Reference::new("OWASP-LLM", "LLM05"),
        Reference::new("CWE", "CWE-150"),
        Reference::new("URL", "https://ecma-international.org/publications-and-standards/standards/ecma-48/"),
    ]),
    since: Cow::Borrowed("0.1.0"),
}];

struct TerminalEscape;

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    Ok(Box::new(TerminalEscape))
}

/// The end of the sequence that starts at `start`, and how bad it is. Source: ECMA-48, clause 5.
fn sequence_at(tape: &Tape<'_>, start: usize) -> Option<(usize, Severity)> {
    let (kind, from) = match tape.at(start)? {
        // `ESC [` and U+009B are the same control, and so on.
        ESCAPE => (tape.at(start + 1), start + 2),
        C1 => (tape.at(start + 1).filter(|b| (0x80..=0x9f).contains(b)).map(|b| b - 0x40), start + 2),
        _ => return None,
    };
    match kind {
        Some(b'[') => Some(control(tape, from)),
        Some(b']' | b'P' | b'X' | b'^' | b'_') => Some((string(tape, start, from), Severity::High)),
        // Designations of character sets and the like: `ESC ( B`.
        Some(b' '..=b'/') if tape.at(start) == Some(ESCAPE) => {
            let end = tape.run(from, from + 4, Class::range(b' ', b'/'));
            let last = usize::from(tape.at(end).is_some_and(|b| (b'0'..=b'~').contains(&b)));
            Some((end + last, Severity::Medium))
        }
        Some(b'0'..=b'~') if tape.at(start) == Some(ESCAPE) => Some((from, Severity::Medium)),
        // Next line and the other C1 controls do nothing that a line break would not.
        _ if tape.at(start) == Some(C1) => None,
        _ => Some((start + 1, Severity::Low)),
    }
}

/// A control sequence: parameters, intermediates and a final byte. Colours change nothing that is read.
fn control(tape: &Tape<'_>, from: usize) -> (usize, Severity) {
    let parameters = tape.run(from, from + 64, Class::range(b'0', b'?'));
    let intermediates = tape.run(parameters, parameters + 8, Class::range(b' ', b'/'));
    match tape.at(intermediates) {
        Some(b'm') if intermediates == parameters => (intermediates + 1, hidden(tape, from, parameters)),
        Some(b'@'..=b'~') => (intermediates + 1, Severity::Medium),
        _ => (intermediates, Severity::Medium),
    }
}

/// Concealed text is there for programs and not for people.
fn hidden(tape: &Tape<'_>, from: usize, to: usize) -> Severity {
    let concealed = tape.slice(Span::new(from, to)).split(|b| *b == b';').any(|p| p == b"8");
    if concealed { Severity::High } else { Severity::Low }
}

/// A control string: up to BEL, ST or the end of the line.
fn string(tape: &Tape<'_>, start: usize, from: usize) -> usize {
    let limit = start + LONGEST;
    let mut end = from;
    while end < limit {
        match (tape.at(end), tape.at(end + 1)) {
            (Some(0x07), _) => return end + 1,
            (Some(ESCAPE), Some(b'\\')) | (Some(C1), Some(0x9c)) => return (end + 2).min(limit),
            // Terminals drop a string at the next escape.
            (Some(ESCAPE | b'\n') | None, _) => return end,
            _ => end += 1,
        }
    }
    border(tape, limit)
}

impl Detector for TerminalEscape {
    fn rules(&self) -> &[Rule] {
        &RULES
    }

    /// The other views leave control characters out.
    fn views(&self) -> Views {
        Views::RAW
    }

    fn hold(&self) -> Hold {
        Hold::Bounded(LONGEST)
    }

    fn cost(&self) -> Cost {
        Cost::Literal
    }

    /// One byte is no anchor; finding it costs less than the shared pass would.
    fn anchors(&self) -> Anchors<'_> {
        Anchors::ALWAYS
    }

    fn live(&self, tail: &str) -> usize {
        live_from(tail, LONGEST + 1, |tape, at| {
            sequence_at(tape, at);
        })
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        let [rule] = &RULES;
        for text in subject.views(self.views()) {
            let tape = Tape::new(&text.text);
            for start in memchr2_iter(ESCAPE, C1, text.text.as_bytes()) {
                let Some((end, severity)) = sequence_at(&tape, start) else { continue };
                // The end of a string, `ESC \`, was reported with it.
                let ends_string = tape.slice(Span::new(start, end)) == b"\x1b\\" && severity == Severity::Medium;
                if !ends_string {
                    out.report(Report::new(rule, text, Span::new(start, end)).severity(severity).fix(Fix::Remove));
                }
            }
        }
    }
}
