//! Addresses of machines: IP and MAC.

use std::net::{Ipv4Addr, Ipv6Addr};

use bartizan_core::{Confidence, Detector, Reference, Severity, Span};

use super::entity::{Entity, EntityDetector, Match, Places};
use super::words::previous;
use crate::tape::{Class, Tape, word_starts};
use crate::{RulesError, Settings};

const HEX: Class = Class::DIGIT.or(Class::range(b'a', b'f')).or(Class::range(b'A', b'F'));

static ENTITY: Entity = Entity {
    id: "pii/network-address",
    name: "IP_ADDRESS",
    summary: "IP or MAC address",
    doc: include_str!("network_address.md"),
    severity: Severity::Info,
    references: &[
        Reference::new("OWASP-LLM", "LLM02"),
        Reference::new("CWE", "CWE-359"),
        Reference::new("RFC", "RFC 4291"),
        Reference::new("RFC", "RFC 9542"),
    ],
    places: Places::Word(HEX.or(Class::of(b":"))),
    longest: 46,
    ahead: 3,
    find,
};

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    Ok(Box::new(EntityDetector::new(&ENTITY)))
}

fn find(tape: &Tape<'_>, at: usize) -> Option<Match> {
    let first = tape.at(at).filter(|b| HEX.has(*b) || *b == b':')?;
    if !word_starts(tape, at) || matches!(tape.before(at), Some(b'.' | b'_' | b'-' | b'$')) && first != b':' {
        return None;
    }
    let run = tape.run(at, at + 5, HEX);
    match tape.at(run) {
        Some(b'.') if first.is_ascii_digit() && run <= at + 3 => version_four(tape, at),
        Some(b':' | b'-') if run == at + 2 => mac(tape, at).or_else(|| version_six(tape, at)),
        Some(b':') if run <= at + 4 => version_six(tape, at),
        _ => None,
    }
}

fn ends(tape: &Tape<'_>, end: usize) -> bool {
    match tape.at(end) {
        Some(b) if Class::WORD.has(b) => false,
        Some(b'.' | b'-' | b':') => {
            !tape.at(end + 1).is_some_and(|b| Class::ALNUM.has(b)) || tape.at(end) == Some(b':')
        }
        _ => true,
    }
}

fn version_four(tape: &Tape<'_>, at: usize) -> Option<Match> {
    let end = tape.run(at, at + 16, Class::DIGIT.or(Class::of(b".")));
    let trimmed = if tape.before(end) == Some(b'.') { end.saturating_sub(1) } else { end };
    let address: Ipv4Addr = std::str::from_utf8(tape.slice(Span::new(at, trimmed))).ok()?.parse().ok()?;
    let before = previous(tape, at);
    let version =
        [&b"version"[..], b"v", b"ver", b"ver.", b"release", b"section", b"chapter"].contains(&before.as_slice());
    if version
        || !ends(tape, trimmed)
        || address.is_unspecified()
        || address.is_broadcast()
        || address.octets() == [255, 255, 255, 0]
    {
        return None;
    }
    let confidence = if address.is_loopback() { Confidence::Low } else { Confidence::High };
    Some(Match::new(trimmed, confidence))
}

fn version_six(tape: &Tape<'_>, at: usize) -> Option<Match> {
    if tape.before(at) == Some(b':') {
        return None;
    }
    let end = tape.run(at, at + 46, HEX.or(Class::of(b":.")));
    let text = std::str::from_utf8(tape.slice(Span::new(at, end))).ok()?.trim_end_matches('.');
    let text = if text.ends_with("::") { text } else { text.trim_end_matches(':') };
    let address: Ipv6Addr = text.parse().ok()?;
    // `::` and `a::b` are paths in programs as well.
    let groups = text.split(':').filter(|g| !g.is_empty()).count();
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if groups < 3 || digits < 2 || !ends(tape, at + text.len()) {
        return None;
    }
    let confidence = if address.is_loopback() { Confidence::Low } else { Confidence::High };
    Some(Match::new(at + text.len(), confidence))
}

fn mac(tape: &Tape<'_>, at: usize) -> Option<Match> {
    let separator = tape.at(at + 2)?;
    if matches!(tape.before(at), Some(b':' | b'-')) {
        return None;
    }
    let mut end = at;
    for group in 0..6 {
        if group > 0 {
            if tape.at(end) != Some(separator) {
                return None;
            }
            end += 1;
        }
        if tape.run(end, end + 2, HEX) != end + 2 {
            return None;
        }
        end += 2;
    }
    let text = tape.slice(Span::new(at, end));
    // Six pairs of digits alone are more often times and dates.
    let letters = text.iter().any(u8::is_ascii_alphabetic);
    let goes_on = tape.at(end).is_some_and(|b| Class::WORD.has(b) || b == separator);
    (letters && !goes_on).then_some(Match::named(end, Confidence::High, "MAC_ADDRESS"))
}
