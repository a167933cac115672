//! Shell syntax that runs a command of its own.

use bartizan_core::{Confidence, Detector, Reference, Severity};

use super::sink::{Breakout, SinkDetector, SinkKind, SinkRule, word};
use crate::tape::{Class, Tape};
use crate::{RulesError, Settings};

/// Most bytes that are read ahead.
const REACH: usize = 256;

const BLANK: Class = Class::of(b" \t");
/// What a command name is made of.
const COMMAND: Class = Class::ALNUM.or(Class::of(b"_./+-~"));

static RULE: SinkRule = SinkRule {
    id: "output/shell-injection",
    sink: SinkKind::Shell,
    summary: "shell syntax that runs a command, in a reply that is put into a command line",
    doc: include_str!("shell_injection.md"),
    severity: Severity::High,
    references: &[
        Reference::new("OWASP-LLM", "LLM05"),
        Reference::new("CWE", "CWE-78"),
        Reference::new("CWE", "CWE-88"),
        Reference::new("URL", "https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html"),
    ],
    first: Class::of(b"$`;|&<>-"),
    non_ascii: false,
    longest: REACH + 64,
    find,
};

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(settings: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    Ok(SinkDetector::boxed(&RULE, settings))
}

const fn high(end: usize) -> Breakout {
    Breakout::new(end, Severity::High, Confidence::High)
}

const fn medium(end: usize) -> Breakout {
    Breakout::new(end, Severity::Medium, Confidence::Medium)
}

/// Source: POSIX.1-2024, Shell Command Language, 2.2 Quoting to 2.7 Redirection; Bash for `<(` and `${x@P}`.
fn find(tape: &Tape<'_>, start: usize) -> Option<Breakout> {
    let next = tape.at(start + 1);
    match tape.at(start)? {
        b'$' => expansion(tape, start, next),
        b'`' => backquoted(tape, start, next),
        b';' if next == Some(b';') => None,
        b';' => command(tape, start + 1).map(|(end, sure)| if sure { high(end) } else { medium(end) }),
        // The second of `||` and `&&` is read with the first.
        sign @ (b'|' | b'&') if tape.before(start) == Some(sign) || tape.before(start) == Some(b'>') => None,
        sign @ (b'|' | b'&') if next == Some(sign) => {
            command(tape, start + 2).map(|(end, sure)| if sure { high(end) } else { medium(end) })
        }
        b'|' => {
            let from = if next == Some(b'&') { start + 2 } else { start + 1 };
            command(tape, from).map(|(end, sure)| if sure { high(end) } else { medium(end) })
        }
        b'&' if BLANK.has(next.unwrap_or(b'&')) => command(tape, start + 1).map(|(end, _)| medium(end)),
        // Process substitution.
        b'<' | b'>' if next == Some(b'(') => Some(high(start + 2)),
        b'>' => redirection(tape, start),
        // An argument that the program takes for an option.
        b'-' if tape.before(start).is_none() => {
            let from = tape.run(start, start + 2, Class::of(b"-"));
            let (name, end) = word(tape, from, 32);
            name.first().is_some_and(u8::is_ascii_alphabetic).then(|| medium(end))
        }
        _ => None,
    }
}

/// `$(…)`, `${IFS}`, `${x@P}` and other expansions.
fn expansion(tape: &Tape<'_>, start: usize, next: Option<u8>) -> Option<Breakout> {
    match next? {
        b'(' if tape.at(start + 2) == Some(b'(') => Some(medium(start + 3)),
        b'(' => Some(high(start + 2)),
        // ANSI-C quoting spells out any byte.
        b'\'' => Some(medium(start + 2)),
        b'{' => {
            let (name, end) = word(tape, start + 2, 32);
            if name == b"ifs" || tape.at(end) == Some(b'@') || tape.at(start + 2) == Some(b'!') {
                return Some(high(end));
            }
            (!name.is_empty()).then(|| medium(end))
        }
        _ => {
            let (name, end) = word(tape, start + 1, 32);
            (name == b"ifs").then(|| high(end))
        }
    }
}

/// A command between backquotes; three of them are a fence of Markdown.
fn backquoted(tape: &Tape<'_>, start: usize, next: Option<u8>) -> Option<Breakout> {
    if next? == b'`' || tape.before(start) == Some(b'`') {
        return None;
    }
    let mut end = start + 1;
    while end < start + REACH && tape.at(end)? != b'`' {
        end += 1;
    }
    let first = tape.run(start + 1, end, BLANK);
    tape.at(first).is_some_and(|b| COMMAND.has(b) || matches!(b, b'$' | b'(' | b'{')).then(|| high(end + 1))
}

/// The end of the command word after a separator, and whether what follows looks like its arguments.
fn command(tape: &Tape<'_>, from: usize) -> Option<(usize, bool)> {
    let at = tape.run(from, from + 64, BLANK);
    // Quoted or expanded command words are command words too.
    if matches!(tape.at(at), Some(b'$' | b'`' | b'\\' | b'{' | b'(')) {
        return Some((at + 1, true));
    }
    let end = tape.run(at, at + 64, COMMAND);
    if end == at {
        return None;
    }
    let name = tape.slice(bartizan_core::Span::new(at, end));
    let path = name.contains(&b'/') || matches!(name, b"." | b"sh" | b"bash" | b"zsh" | b"eval" | b"exec");
    let next = tape.run(end, end + 64, BLANK);
    let arguments = match tape.at(next) {
        None | Some(b'\n' | b'\r' | b'$' | b'>' | b'<' | b'|' | b';' | b'"' | b'`' | b'~' | b'/' | b'*') => true,
        Some(b'-') => tape.at(next + 1).is_some_and(|b| b.is_ascii_alphanumeric() || b == b'-'),
        Some(b'.') => matches!(tape.at(next + 1), Some(b'/' | b'.')),
        Some(_) => {
            // An address or a path among the first words.
            let word_end = tape.run(next, next + 64, Class::range(b'!', b'~'));
            tape.slice(bartizan_core::Span::new(next, word_end)).contains(&b'/')
        }
    };
    name.iter().any(u8::is_ascii_alphanumeric).then_some((end, path || arguments))
}

/// A redirection to a file.
fn redirection(tape: &Tape<'_>, start: usize) -> Option<Breakout> {
    if matches!(tape.before(start), Some(b'-' | b'=' | b'>')) {
        return None;
    }
    let from = tape.run(start, start + 2, Class::of(b">"));
    let at = tape.run(from, from + 16, BLANK.or(Class::of(b"|")));
    match tape.at(at)? {
        b'/' | b'~' | b'$' => Some(high(at + 1)),
        b'.' if matches!(tape.at(at + 1), Some(b'/' | b'.' | b'a'..=b'z')) => Some(high(at + 1)),
        b'&' if tape.at(at + 1).is_some_and(|b| b.is_ascii_digit()) => Some(medium(at + 2)),
        _ => None,
    }
}
