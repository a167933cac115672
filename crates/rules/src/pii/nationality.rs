//! Nationalities, religions and political groups.

use bartizan_core::{Confidence, Detector, Reference, Severity, Span};

use super::entity::{Entity, EntityDetector, Match, Places};
use super::words::{any_at, word_ending};
use crate::tape::{Class, Tape, word_starts};
use crate::{RulesError, Settings};

/// English names of nationalities, peoples, religions and political groups, in lower case, sorted.
const GROUPS: &str = include_str!("nationality.txt");

static ENTITY: Entity = Entity {
    id: "pii/nationality",
    name: "NRP",
    summary: "nationality, religious or political group",
    doc: include_str!("nationality.md"),
    severity: Severity::Info,
    references: &[Reference::new("OWASP-LLM", "LLM02"), Reference::new("CWE", "CWE-359")],
    places: Places::Word(Class::UPPER.or(Class::LOWER)),
    longest: 24,
    ahead: 32,
    find,
};

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    Ok(Box::new(EntityDetector::new(&ENTITY)))
}

/// Words before a group that is written small.
const BEFORE: [&[u8]; 7] = [b"am", b"i'm", b"are", b"is", b"was", b"were", b"nationality"];

fn find(tape: &Tape<'_>, at: usize) -> Option<Match> {
    let first = tape.at(at)?;
    if !first.is_ascii_alphabetic()
        || !word_starts(tape, at)
        || matches!(tape.before(at), Some(b'_' | b'-' | b'.' | b'/' | b'@' | b'\''))
    {
        return None;
    }
    if first.is_ascii_lowercase() {
        let gap = tape.run_back(at, at.saturating_sub(2), Class::of(b" :"));
        // What the words before end with.
        if !matches!(tape.before(gap), Some(b'm' | b'M' | b'e' | b'E' | b's' | b'S' | b'y' | b'Y')) {
            return None;
        }
        let before = word_ending(tape, gap);
        if gap == at || !BEFORE.contains(&before.as_slice()) {
            return None;
        }
    }
    let end = tape.run(at, at + 24, Class::UPPER.or(Class::LOWER));
    if tape.at(end).is_some_and(|b| Class::WORD.has(b) || b >= 128 || b == b'-') {
        return None;
    }
    if begins_name(tape, end) || stands_for_place(tape, at, end) {
        return None;
    }
    let word = tape.slice(Span::new(at, end)).to_ascii_lowercase();
    // A plural is the same group.
    let known = is_group(&word) || word.strip_suffix(b"s").is_some_and(|w| !w.ends_with(b"s") && is_group(w));
    known.then_some(Match::new(end, Confidence::Medium))
}

/// Words behind a group that are no part of a name with it, though they may be capitalised.
const AFTER: [&[u8]; 14] = [
    b"president",
    b"prime",
    b"minister",
    b"king",
    b"queen",
    b"ambassador",
    b"embassy",
    b"government",
    b"army",
    b"navy",
    b"language",
    b"citizen",
    b"national",
    b"passport",
];

/// True where a capitalised word goes on: `Czech Republic`, `British Airways` and `American Red Cross` are names.
fn begins_name(tape: &Tape<'_>, end: usize) -> bool {
    tape.at(end) == Some(b' ')
        && tape.at(end + 1).is_some_and(|b| b.is_ascii_uppercase())
        && tape.at(end + 2).is_some_and(|b| b.is_ascii_lowercase())
        && any_at(tape, end + 1, &AFTER).is_none()
        && {
            let next = tape.run(end + 1, end + 25, Class::UPPER.or(Class::LOWER));
            !is_group(&tape.slice(Span::new(end + 1, next)).to_ascii_lowercase())
        }
}

/// True where a place or a language is meant: `translated from Polish.`, `we moved to Greenlander`, and a line of an address with
/// a postal code.
fn stands_for_place(tape: &Tape<'_>, at: usize, end: usize) -> bool {
    let next = tape.run(end, end + 1, Class::of(b" "));
    if next > end && tape.run(next, next + 5, Class::DIGIT) >= next + 4 {
        return true;
    }
    let gap = tape.run_back(at, at.saturating_sub(1), Class::of(b" "));
    let led = matches!(word_ending(tape, gap).as_slice(), b"from" | b"in" | b"into" | b"to" | b"at" | b"near");
    led && gap < at && tape.at(end).is_none_or(|b| matches!(b, b'.' | b',' | b'?' | b'!' | b'\n' | b';'))
}

fn is_group(word: &[u8]) -> bool {
    static SORTED: std::sync::LazyLock<Vec<&'static str>> = std::sync::LazyLock::new(|| GROUPS.lines().collect());
    std::str::from_utf8(word).is_ok_and(|w| SORTED.binary_search(&w).is_ok())
}
