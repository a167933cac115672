//! Forms of address before a name.

use bartizan_core::{Confidence, Detector, Reference, Severity, Span};

use super::entity::{Entity, EntityDetector, Match, Places};
use super::words::any_at;
use crate::tape::{Class, Tape, word_before, word_starts};
use crate::{RulesError, Settings};

/// Forms of address, as written, in the languages read.
const TITLES: [&str; 106] = [
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
    "MR.",
    "MR",
    "MRS.",
    "MRS",
    "MS.",
    "DR.",
    "PROF.",
    "mr.",
    "mrs.",
    "ms.",
    "prof.",
    "Missus",
    "Madam",
    "Dame",
    "Fru",
    "Frøken",
    "Fröken",
    "Hr",
    "Herra",
    "Rouva",
    "Neiti",
    "Härra",
    "Proua",
    "Preili",
    "Paní",
    "Pán",
    "Slečna",
    "Gospod",
    "Gospodin",
    "Gospa",
    "Gospođa",
    "Gospodična",
    "Domnul",
    "Doamna",
    "Dna",
    "Bay",
    "Bayan",
    "Úr",
    "Senyor",
    "Senyora",
    "Dona",
    "Dom",
    "Signorina",
    "Señorita",
    "Mej.",
    "Juffrouw",
];

static ENTITY: Entity = Entity {
    id: "pii/title",
    name: "TITLE",
    summary: "form of address before a name",
    doc: include_str!("title.md"),
    severity: Severity::Info,
    references: &[Reference::new("OWASP-LLM", "LLM02"), Reference::new("CWE", "CWE-359")],
    places: Places::Word(Class::UPPER.or(Class::of(b"mp"))),
    longest: 16,
    ahead: 20,
    find,
};

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    Ok(Box::new(EntityDetector::new(&ENTITY)))
}

/// Titles that are words or initials as often.
const DOUBTFUL: [&[u8]; 11] = [b"M.", b"Me", b"Don", b"Pan", b"Bay", b"Dom", b"Dona", b"Dame", b"Fr.", b"Sir", b"Hon."];
/// Words that announce a title: `Title: Dr`, `my salutation should be Mrs`.
const ANNOUNCE: [&[u8]; 9] =
    [b"title", b"titles", b"titel", b"titre", b"titolo", "título".as_bytes(), b"salutation", b"anrede", b"honorific"];
/// How far before a title such a word may start, in bytes.
const NEAR: usize = 40;

fn find(tape: &Tape<'_>, at: usize) -> Option<Match> {
    let first = tape.at(at)?;
    if !word_starts(tape, at) || tape.before(at).is_some_and(|b| b >= 128 || b == b'-' || b == b'.') {
        return None;
    }
    let titles = TITLES.iter().map(|t| t.as_bytes()).filter(|t| t.first() == Some(&first));
    let end = titles
        .filter(|t| tape.starts(at, t))
        .map(|t| at + t.len())
        .filter(|end| precedes_name(tape, at, *end) || precedes_title(tape, *end) || is_announced(tape, at, *end))
        .max()?;
    let text = tape.slice(Span::new(at, end));
    if DOUBTFUL.contains(&text) && (matches!(text, b"Me" | b"Pan") || !starts_sentence(tape, at)) {
        return None;
    }
    Some(Match::new(end, Confidence::Medium))
}

/// True where no name is under way: `Barbara M. Probst` has no title.
fn starts_sentence(tape: &Tape<'_>, at: usize) -> bool {
    if !matches!(tape.before(at), None | Some(b'\n' | b' ' | b'(' | b'"')) {
        return false;
    }
    let gap = tape.run_back(at, at.saturating_sub(2), Class::of(b" "));
    let word = tape.run_back(gap, gap.saturating_sub(24), Class::ALNUM);
    gap == word || !tape.at(word).is_some_and(|b| b.is_ascii_uppercase())
}

/// True where a blank and a capital follow; behind a title in capitals a word in capitals, behind a small one a letter.
fn precedes_name(tape: &Tape<'_>, at: usize, end: usize) -> bool {
    let from = tape.run(end, end + 2, Class::of(b" "));
    let (first, second) = (tape.at(at), tape.at(at + 1));
    let small = first.is_some_and(|b| b.is_ascii_lowercase());
    let loud = second.is_some_and(|b| b.is_ascii_uppercase());
    // Capitals outside ASCII have two bytes in the languages read.
    let capital = |b: u8| b.is_ascii_uppercase() || matches!(b, 0xC3..=0xC5 | 0xCE | 0xD0);
    let letter = |b: u8| b.is_ascii_alphabetic() || b >= 128;
    from > end
        && tape.at(from).is_some_and(|b| if small { letter(b) } else { capital(b) })
        && tape.at(from + 1).is_some_and(|b| {
            if loud {
                b.is_ascii_uppercase() || b >= 128 || b == b'.'
            } else {
                b.is_ascii_alphabetic() || b >= 128 || b == b'.' || b == b'\''
            }
        })
}

/// True where another title follows, as in `Mr. and Mrs.`.
fn precedes_title(tape: &Tape<'_>, end: usize) -> bool {
    let from = tape.run(end, end + 1, Class::of(b" "));
    let joined = any_at(tape, from, &[b"and", b"&", b"und", b"et", b"y", b"e", b"or", b"/"]);
    let next = joined.map(|end| tape.run(end, end + 1, Class::of(b" ")));
    from > end
        && next.is_some_and(|next| {
            TITLES.iter().any(|t| {
                t.len() > 1
                    && tape.starts(next, t.as_bytes())
                    && !tape.at(next + t.len()).is_some_and(|b| Class::ALNUM.has(b) || b >= 128)
            })
        })
}

/// True where a word for titles stands before, and the title is a word of its own.
fn is_announced(tape: &Tape<'_>, at: usize, end: usize) -> bool {
    !tape.at(end).is_some_and(|b| Class::WORD.has(b) || b >= 128 || b == b'-')
        && word_before(tape, at, NEAR, &ANNOUNCE, true)
}
