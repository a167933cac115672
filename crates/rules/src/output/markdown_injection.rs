//! Links of Markdown that run instead of leading somewhere.

use bartizan_core::{Confidence, Detector, Fix, Reference, Severity, Span};

use super::sink::{Breakout, SinkDetector, SinkKind, SinkRule};
use crate::html::border;
use crate::tape::{Class, Tape};
use crate::{RulesError, Settings};

/// Most bytes of an address that are read.
const REACH: usize = 512;
/// Longest scheme that is told from others.
const SCHEME: usize = 32;

static RULE: SinkRule = SinkRule {
    id: "output/markdown-injection",
    sink: SinkKind::Markdown,
    summary: "Markdown link with a scheme that runs code, in a reply that a client renders",
    doc: include_str!("markdown_injection.md"),
    severity: Severity::High,
    references: &[
        Reference::new("OWASP-LLM", "LLM05"),
        Reference::new("CWE", "CWE-79"),
        Reference::new("CWE", "CWE-184"),
        Reference::new("URL", "https://spec.commonmark.org/0.31.2/#links"),
    ],
    first: Class::of(b"]<"),
    non_ascii: false,
    longest: REACH + 32,
    find,
};

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(settings: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    Ok(SinkDetector::boxed(&RULE, settings))
}

/// `](address)`, `]: address` and `<address>`. Source: CommonMark 0.31, links, link reference definitions, autolinks.
fn find(tape: &Tape<'_>, start: usize) -> Option<Breakout> {
    let from = match (tape.at(start)?, tape.at(start + 1)?) {
        (b']', b'(' | b':') => tape.run(start + 2, start + 18, Class::SPACE.or(Class::of(b"<"))),
        (b'<', _) => start + 1,
        _ => return None,
    };
    let autolink = tape.at(start) == Some(b'<');
    let stops = |b: u8| matches!(b, b'>' | b'\n' | b'"' | b' ') || (b == b')' && !autolink);
    let mut end = from;
    while end < from + REACH && tape.at(end).is_some_and(|b| !stops(b)) {
        end += 1;
    }
    if autolink && tape.at(end)? != b'>' {
        return None;
    }
    let address = String::from_utf8_lossy(tape.slice(Span::new(from, end))).into_owned();
    let severity = severity(&crate::egress::as_browsers_read(&address).to_ascii_lowercase())?;
    let fix = Fix::Replace(String::from_utf8_lossy(tape.slice(Span::new(start, from))).into_owned() + "#");
    Some(Breakout::new(border(tape, end), severity, Confidence::High).fix(fix))
}

/// How bad the scheme of an address is; an address without one stays on the site.
fn severity(address: &str) -> Option<Severity> {
    let (scheme, rest) = address.split_once(':')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    if scheme.is_empty() || scheme.len() > SCHEME || !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    if !scheme.chars().all(plain) {
        return None;
    }
    match scheme {
        "http" | "https" | "mailto" | "tel" | "sms" | "ftp" | "xmpp" | "irc" | "geo" => None,
        "javascript" | "vbscript" | "livescript" => Some(Severity::High),
        "data" => {
            let picture = ["image/png", "image/jpeg", "image/gif", "image/webp"].iter().any(|t| rest.starts_with(t));
            (!picture).then_some(Severity::High)
        }
        // Handlers that applications register start programs: `ms-msdt:`, `search-ms:`, `file:`.
        _ => Some(Severity::Medium),
    }
}
