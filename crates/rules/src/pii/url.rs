//! Addresses of web pages and names of sites.

use bartizan_core::{Confidence, Detector, Reference, Severity, Span};

use super::entity::{Entity, EntityDetector, Match, Places};
use crate::tape::{Class, Tape, word_starts};
use crate::{RulesError, Settings};

/// Most bytes of a label of a name (RFC 1035).
const LABEL: usize = 63;
/// Most bytes of an address that is read.
const LONGEST: usize = 512;
const HOST: Class = Class::ALNUM.or(Class::of(b".-"));
/// What an address is made of behind its host (RFC 3986).
const REST: Class = Class::ALNUM.or(Class::of(b"-._~:/?#[]@!$&'()*+,;=%"));
/// What ends a sentence rather than an address.
const TRAILING: Class = Class::of(b".,;:!?'\")]}");
/// Top-level domains that a name without a scheme must have. Endings that are also file names or words are left out.
const TOP: [&[u8]; 32] = [
    b"com", b"org", b"net", b"edu", b"gov", b"de", b"fr", b"nl", b"pl", b"es", b"eu", b"ch", b"at", b"ru", b"br",
    b"uk", b"ca", b"au", b"jp", b"cz", b"dk", b"se", b"no", b"fi", b"pt", b"hu", b"biz", b"nz", b"za", b"mx", b"ar",
    b"tr",
];

static ENTITY: Entity = Entity {
    id: "pii/url",
    name: "URL",
    summary: "address of a web page or name of a site",
    doc: include_str!("url.md"),
    severity: Severity::Info,
    references: &[
        Reference::new("OWASP-LLM", "LLM02"),
        Reference::new("CWE", "CWE-359"),
        Reference::new("RFC", "RFC 3986"),
    ],
    places: Places::Word(Class::ALNUM),
    longest: LONGEST,
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

fn find(tape: &Tape<'_>, at: usize) -> Option<Match> {
    let first = tape.at(at)?;
    if !Class::ALNUM.has(first) || !word_starts(tape, at) {
        return None;
    }
    // An address of electronic mail, a path or a longer name goes on before.
    if matches!(tape.before(at), Some(b'@' | b'.' | b'-' | b'_' | b'/' | b'\\' | b'$')) {
        return None;
    }
    // Nearly all words are neither a scheme nor the first label of a name.
    let label = tape.run(at, at + LABEL + 1, Class::ALNUM.or(Class::of(b"-")));
    if !matches!(tape.at(label), Some(b'.' | b':')) {
        return None;
    }
    let scheme = [&b"https://"[..], b"http://", b"ftp://"]
        .into_iter()
        .find(|s| (at..).zip(*s).all(|(i, want)| tape.at(i).is_some_and(|b| b.eq_ignore_ascii_case(want))));
    let host = at + scheme.map_or(0, <[u8]>::len);
    let end = tape.run(host, host + 128, HOST);
    let name = tape.slice(Span::new(host, end));
    if scheme.is_some() {
        return (end > host + 1).then(|| Match::new(rest(tape, at, end), Confidence::High));
    }
    let name = name.strip_suffix(b".").unwrap_or(name);
    let labels: Vec<&[u8]> = name.split(|b| *b == b'.').collect();
    let (first_label, last) = (labels.first()?, labels.last()?);
    let plain =
        labels.iter().all(|l| !l.is_empty() && !l.starts_with(b"-")) && last.iter().all(u8::is_ascii_alphabetic);
    let www = first_label.eq_ignore_ascii_case(b"www") && labels.len() > 2;
    // Names of fields and types have such dots too, and capitals or a call behind them.
    let known = TOP.contains(last) && first_label.len() > 1 && name.iter().any(|b| b.is_ascii_alphabetic());
    let end = host + name.len();
    let called = matches!(tape.at(end), Some(b'(' | b'@' | b'_' | b'\\' | b'='));
    if !plain || labels.len() < 2 || !(www || known) || called {
        return None;
    }
    let end = if matches!(tape.at(end), Some(b'/' | b'?' | b':')) { rest(tape, at, end) } else { end };
    Some(Match::new(end, if www { Confidence::High } else { Confidence::Medium }))
}

/// The end of an address whose host ends at `host`, without the marks of the sentence around it.
fn rest(tape: &Tape<'_>, at: usize, host: usize) -> usize {
    let mut end = tape.run(host, at + LONGEST, REST);
    while end > host && tape.before(end).is_some_and(|b| TRAILING.has(b)) {
        end -= 1;
    }
    while tape.before(end).is_some_and(|b| b == b'.' || b == b'-') {
        end -= 1;
    }
    end
}
