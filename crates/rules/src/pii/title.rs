//! Forms of address before a name.

use bartizan_core::{Confidence, Detector, Reference, Severity, Span};

use super::entity::{Entity, EntityDetector, Match, Places};
use crate::tape::{Class, Tape, word_starts};
use crate::{RulesError, Settings};

/// Forms of address, as written, in the languages read.
const TITLES: [&str; 60] = [
    "Mr.",
    "Mrs.",
    "Ms.",
    "Miss",
    "Mr",
    "Mrs",
    "Ms",
    "Mx.",
    "Mx",
    "Dr.",
    "Dr",
    "Prof.",
    "Prof",
    "Professor",
    "Sir",
    "Rev.",
    "Hon.",
    "Herr",
    "Frau",
    "Herrn",
    "Hr.",
    "Fr.",
    "Mme",
    "Mme.",
    "Mlle",
    "Monsieur",
    "Madame",
    "Mademoiselle",
    "M.",
    "Me",
    "Sr.",
    "Sra.",
    "Srta.",
    "Señor",
    "Señora",
    "Don",
    "Doña",
    "Sig.",
    "Sig.ra",
    "Signor",
    "Signora",
    "Dott.",
    "Dott.ssa",
    "Avv.",
    "Ing.",
    "Dhr.",
    "Mevr.",
    "Mw.",
    "Meneer",
    "Mevrouw",
    "Senhor",
    "Senhora",
    "Dra.",
    "Pan",
    "Pani",
    "Pana",
    "Doktor",
    "Doctor",
    "Capt.",
    "Lt.",
];

static ENTITY: Entity = Entity {
    id: "pii/title",
    name: "TITLE",
    summary: "form of address before a name",
    doc: include_str!("title.md"),
    severity: Severity::Info,
    references: &[Reference::new("OWASP-LLM", "LLM02"), Reference::new("CWE", "CWE-359")],
    places: Places::Word(Class::UPPER),
    longest: 16,
    ahead: 8,
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
    let first = tape.at(at).filter(u8::is_ascii_uppercase)?;
    if !word_starts(tape, at) || tape.before(at).is_some_and(|b| b >= 128 || b == b'-' || b == b'.') {
        return None;
    }
    let titles = TITLES.iter().map(|t| t.as_bytes()).filter(|t| t.first() == Some(&first));
    let end =
        titles.filter(|t| tape.starts(at, t)).map(|t| at + t.len()).filter(|end| precedes_name(tape, *end)).max()?;
    // `M.` and `Me` alone are initials and pronouns as often.
    let text = tape.slice(Span::new(at, end));
    if matches!(text, b"M." | b"Me" | b"Don" | b"Pan") && !starts_sentence(tape, at) {
        return None;
    }
    if matches!(text, b"Me" | b"Pan") {
        return None;
    }
    Some(Match::new(end, Confidence::Medium))
}

fn starts_sentence(tape: &Tape<'_>, at: usize) -> bool {
    matches!(tape.before(at), None | Some(b'\n' | b' ' | b'(' | b'"'))
}

/// True where a blank and a capital follow.
fn precedes_name(tape: &Tape<'_>, end: usize) -> bool {
    let from = tape.run(end, end + 2, Class::of(b" "));
    // Capitals outside ASCII have two bytes in the languages read.
    let capital = |b: u8| b.is_ascii_uppercase() || matches!(b, 0xC3..=0xC5 | 0xCE | 0xD0);
    from > end
        && tape.at(from).is_some_and(capital)
        && tape
            .at(from + 1)
            .is_some_and(|b| b.is_ascii_lowercase() || b >= 128 || b == b'.' || b == b'\'' || b.is_ascii_uppercase())
}
