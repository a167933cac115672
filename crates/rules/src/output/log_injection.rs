//! Line breaks and control characters that forge or rewrite entries of a log.

use bartizan_core::{Confidence, Detector, Fix, Reference, Severity, Span};

use super::sink::{Breakout, SinkDetector, SinkKind, SinkRule, word};
use crate::tape::{Class, Tape};
use crate::{RulesError, Settings};

/// Most bytes that are read ahead.
const REACH: usize = 48;

static RULE: SinkRule = SinkRule {
    id: "output/log-injection",
    sink: SinkKind::Log,
    summary: "line break or control character in a reply that is written to a log",
    doc: include_str!("log_injection.md"),
    severity: Severity::Medium,
    references: &[
        Reference::new("OWASP-LLM", "LLM05"),
        Reference::new("CWE", "CWE-117"),
        Reference::new("CWE", "CWE-93"),
        Reference::new("RFC", "RFC 5424"),
    ],
    // Every control character but the tab and the escape, which `output/terminal-escape` reads.
    first: Class::range(0, 8).or(Class::range(10, 26)).or(Class::range(28, 31)).or(Class::of(b"\x7f\"")),
    non_ascii: true,
    longest: REACH,
    find,
};

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(settings: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    Ok(SinkDetector::boxed(&RULE, settings))
}

/// What stands for the character instead of it.
fn spelled(end: usize, severity: Severity, as_text: &str) -> Breakout {
    Breakout::new(end, severity, Confidence::High).fix(Fix::Replace(as_text.to_owned()))
}

fn find(tape: &Tape<'_>, start: usize) -> Option<Breakout> {
    let forged = |from: usize| if is_entry(tape, from) { Severity::High } else { Severity::Low };
    match tape.at(start)? {
        b'\n' if tape.before(start) == Some(b'\r') => None,
        b'\n' => Some(spelled(start + 1, forged(start + 1), "\\n")),
        b'\r' if tape.at(start + 1) == Some(b'\n') => Some(spelled(start + 2, forged(start + 2), "\\r\\n")),
        // The line begins anew, over what was written.
        b'\r' => Some(spelled(start + 1, Severity::High, "\\r")),
        b'"' => field(tape, start),
        control @ (0..=31 | 127) => Some(spelled(start + 1, Severity::Medium, &format!("\\x{control:02x}"))),
        // Next line, line separator and paragraph separator end a line for some readers.
        0xc2 if tape.at(start + 1) == Some(0x85) => {
            Some(spelled(start + 2, forged(start + 2).max(Severity::Medium), "\\u0085"))
        }
        0xe2 if tape.at(start + 1) == Some(0x80) => {
            let as_text = match tape.at(start + 2)? {
                0xa8 => "\\u2028",
                0xa9 => "\\u2029",
                _ => return None,
            };
            Some(spelled(start + 3, forged(start + 3).max(Severity::Medium), as_text))
        }
        _ => None,
    }
}

/// Names of levels, and of fields that entries of the form `key=value` begin with.
const LEVELS: [&[u8]; 12] = [
    b"info",
    b"warn",
    b"warning",
    b"error",
    b"err",
    b"debug",
    b"fatal",
    b"trace",
    b"notice",
    b"critical",
    b"alert",
    b"panic",
];
const FIELDS: [&[u8]; 7] = [b"level", b"lvl", b"time", b"ts", b"msg", b"timestamp", b"severity"];
const MONTHS: [&[u8]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];

/// True where a line begins as an entry of a log does: a time, a level, a priority, a record.
fn is_entry(tape: &Tape<'_>, from: usize) -> bool {
    let open = tape.run(from, from + 4, Class::of(b" \t"));
    let at = tape.run(open, open + 1, Class::of(b"[<({"));
    let bracket = tape.slice(Span::new(open, at)).first().copied();
    let digits = tape.run(at, at + 14, Class::DIGIT);
    match digits - at {
        // A date, or seconds since 1970 in brackets.
        4 if matches!(tape.at(digits), Some(b'-' | b'/')) => return true,
        2 if tape.at(digits) == Some(b':') || tape.at(digits) == Some(b'/') => return true,
        1..=3 if bracket == Some(b'<') => return tape.at(digits) == Some(b'>'),
        9.. => return true,
        _ => {}
    }
    if bracket == Some(b'{') {
        return tape.at(at) == Some(b'"');
    }
    let (name, end) = word(tape, at, 12);
    let capitals = tape.slice(Span::new(at, end)).iter().all(u8::is_ascii_uppercase);
    let next = tape.at(end);
    (LEVELS.contains(&name.as_slice()) && (capitals || bracket == Some(b'[') || next == Some(b':')))
        || (FIELDS.contains(&name.as_slice()) && next == Some(b'='))
        || (MONTHS.contains(&name.as_slice())
            && next == Some(b' ')
            && tape.at(tape.run(end, end + 2, Class::of(b" "))).is_some_and(|b| b.is_ascii_digit()))
}

/// A quote that ends the value of a field and begins another field: `","level":"`, `" level=`.
fn field(tape: &Tape<'_>, start: usize) -> Option<Breakout> {
    let comma = tape.run(start + 1, start + 4, Class::SPACE);
    let quoted = tape.at(comma)? == b',';
    let at = if quoted { tape.run(comma + 1, comma + 4, Class::SPACE) } else { comma };
    if quoted && tape.at(at)? != b'"' {
        return None;
    }
    let (name, end) = word(tape, if quoted { at + 1 } else { at }, 24);
    if name.is_empty() || (!quoted && comma == start + 1) {
        return None;
    }
    let colon = if quoted { tape.at(end)? == b'"' && tape.at(end + 1)? == b':' } else { tape.at(end)? == b'=' };
    colon.then(|| Breakout::new(end + 1, Severity::Medium, Confidence::Low))
}
