//! Addresses of electronic mail.

use bartizan_core::{Confidence, Detector, Reference, Severity, Span};
use memchr::memmem;

use super::entity::{Entity, EntityDetector, Match, Places};
use crate::tape::{Class, Tape};
use crate::{RulesError, Settings};

/// Longest local part (RFC 5321, 4.5.3.1.1).
const LOCAL: usize = 64;
/// Longest domain (RFC 5321, 4.5.3.1.2).
const DOMAIN: usize = 255;
/// How far back a scheme is looked for.
const SCHEME: usize = 100;

/// What an unquoted local part is made of in practice (RFC 5322 `dot-atom` without what code and prose use as
/// punctuation).
const ATOM: Class = Class::ALNUM.or(Class::of(b"._%+-"));

/// Endings of file names and of private networks, which are not top-level domains.
const NOT_TOP: [&[u8]; 34] = [
    b"png",
    b"jpg",
    b"jpeg",
    b"gif",
    b"svg",
    b"webp",
    b"ico",
    b"css",
    b"js",
    b"mjs",
    b"ts",
    b"jsx",
    b"tsx",
    b"json",
    b"html",
    b"htm",
    b"xml",
    b"yml",
    b"yaml",
    b"toml",
    b"lock",
    b"txt",
    b"pdf",
    b"exe",
    b"dll",
    b"jar",
    b"tgz",
    b"gz",
    b"local",
    b"localhost",
    b"localdomain",
    b"internal",
    b"lan",
    b"service",
];

static ENTITY: Entity = Entity {
    id: "pii/email",
    name: "EMAIL_ADDRESS",
    summary: "e-mail address",
    doc: include_str!("email.md"),
    severity: Severity::Medium,
    references: &[
        Reference::new("OWASP-LLM", "LLM02"),
        Reference::new("CWE", "CWE-359"),
        Reference::new("RFC", "RFC 5321"),
        Reference::new("RFC", "RFC 5322"),
    ],
    places: Places::Byte { byte: b'@', lead: ATOM, most: LOCAL + 1 },
    longest: LOCAL + 1 + DOMAIN,
    ahead: 2,
    find,
};

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    Ok(Box::new(EntityDetector::new(&ENTITY)))
}

fn find(tape: &Tape<'_>, run: usize) -> Option<Match> {
    if tape.before(run).is_some_and(|b| ATOM.has(b)) || !tape.at(run).is_some_and(|b| ATOM.has(b)) {
        return None;
    }
    let at = tape.run(run, run + LOCAL + 1, ATOM);
    if at > run + LOCAL || tape.at(at) != Some(b'@') || tape.before(at) == Some(b'.') {
        return None;
    }
    let end = domain(tape, at + 1)?;
    let ends = match tape.at(end) {
        Some(b'@' | b'(' | b'_') => false,
        // `git@host.example:team/project` and `user@host.example/path` name a place on a machine.
        Some(b':' | b'/') => !tape.at(end + 1).is_some_and(|b| b.is_ascii_graphic()),
        _ => true,
    };
    (ends && !is_user_info(tape, run)).then_some(Match::new(end, Confidence::High))
}

/// The end of a domain with a top-level domain that starts at `start`.
fn domain(tape: &Tape<'_>, start: usize) -> Option<usize> {
    let label = Class::ALNUM.or(Class::of(b"-"));
    let mut from = start;
    let mut labels = 0;
    loop {
        let end = tape.run(from, (from + 64).min(start + DOMAIN), label);
        let text = tape.slice(Span::new(from, end));
        if text.is_empty() || text.len() > 63 || text.starts_with(b"-") || text.ends_with(b"-") {
            return None;
        }
        labels += 1;
        // A full stop that ends a sentence belongs to no domain.
        let goes_on = end < start + DOMAIN - 1
            && tape.at(end) == Some(b'.')
            && tape.at(end + 1).is_some_and(|b| Class::ALNUM.has(b));
        if !goes_on {
            return (labels > 1 && is_top(text)).then_some(end);
        }
        from = end + 1;
    }
}

fn is_top(label: &[u8]) -> bool {
    let lower = label.to_ascii_lowercase();
    let letters = (2..=24).contains(&lower.len()) && lower.iter().all(u8::is_ascii_lowercase);
    (letters && !NOT_TOP.contains(&lower.as_slice())) || (lower.starts_with(b"xn--") && lower.len() > 5)
}

/// True where `user@host` is part of an address with a scheme, `scheme://user:word@host`.
fn is_user_info(tape: &Tape<'_>, start: usize) -> bool {
    let before = tape.slice(Span::new(start.saturating_sub(SCHEME), start));
    let Some(scheme) = memmem::rfind(before, b"://") else { return false };
    let between = before.get(scheme + 3..).unwrap_or_default();
    between.iter().all(|b| b.is_ascii_graphic() && !matches!(b, b'/' | b'?' | b'#' | b'=' | b'&' | b'"' | b'<' | b'>'))
}
