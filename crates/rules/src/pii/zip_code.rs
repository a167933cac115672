//! Postal codes that a word names. Those in an address belong to it.

use bartizan_core::{Confidence, Detector, Reference, Severity, Span};

use super::entity::{Entity, EntityDetector, Match, Places};
use super::words::{any_at, word_ending};
use crate::tape::{Class, Tape, word_before, word_starts};
use crate::{RulesError, Settings};

const NAMES: [&[u8]; 20] = [
    b"zip",
    b"zipcode",
    b"postcode",
    b"plz",
    b"postleitzahl",
    b"postal",
    b"pincode",
    b"cap",
    b"cep",
    b"cp",
    b"postnummer",
    b"postkode",
    b"postcodes",
    b"zipcodes",
    b"codice",
    b"kod",
    b"code",
    b"eircode",
    "código".as_bytes(),
    b"pocztowy",
];

/// Words that name postal codes and nothing else.
const FULL: [&[u8]; 15] = [
    b"zip?",
    b"my zip",
    b"your zip",
    b"his zip",
    b"her zip",
    b"zip-code",
    b"zip code",
    b"zipcode",
    b"zip codes",
    b"postal code",
    b"postcode",
    b"postleitzahl",
    b"code postal",
    "código postal".as_bytes(),
    b"kod pocztowy",
];
/// How far before a code such a word may start, in bytes.
const NEAR: usize = 48;

static ENTITY: Entity = Entity {
    id: "pii/zip-code",
    name: "ZIP_CODE",
    summary: "postal code",
    doc: include_str!("zip_code.md"),
    severity: Severity::Info,
    references: &[Reference::new("OWASP-LLM", "LLM02"), Reference::new("CWE", "CWE-359")],
    places: Places::Word(Class::DIGIT.or(Class::UPPER)),
    longest: 10,
    ahead: 13,
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
    if !(first.is_ascii_digit() || first.is_ascii_uppercase()) || !word_starts(tape, at) {
        return None;
    }
    let end = if first.is_ascii_digit() { digits(tape, at) } else { letters(tape, at) }?;
    // Further from the word only a code of its usual length counts, and no year.
    let text = tape.slice(Span::new(at, end));
    let year = text.len() == 4 && (text.starts_with(b"19") || text.starts_with(b"20"));
    let usual = !first.is_ascii_digit() || matches!(end - at, 4..=10) && !year;
    let named = is_named(tape, at) || usual && word_before(tape, at, NEAR, &FULL, true) || is_named_behind(tape, end);
    if !named {
        return None;
    }
    let ends = match tape.at(end) {
        Some(b) if Class::WORD.has(b) => false,
        Some(b'-' | b'.' | b',' | b'/') => !tape.at(end + 1).is_some_and(|b| Class::ALNUM.has(b)),
        _ => true,
    };
    ends.then_some(Match::new(end, Confidence::Medium))
}

/// True where the code goes before its name: `the 94103 zip code`.
fn is_named_behind(tape: &Tape<'_>, end: usize) -> bool {
    let from = tape.run(end, end + 1, Class::of(b" "));
    from > end && any_at(tape, from, &[b"zip", b"zipcode", b"postcode", b"postal"]).is_some()
}

/// `94103`, `94103-1234`, `00-950`, `114 55`, `1234 AB`.
pub(super) fn digits(tape: &Tape<'_>, at: usize) -> Option<usize> {
    let end = tape.run(at, at + 9, Class::DIGIT);
    let group = |from: usize, n: usize, class| (tape.run(from, from + n + 1, class) == from + n).then_some(from + n);
    match (end - at, tape.at(end)) {
        (2, Some(b'-')) => group(end + 1, 3, Class::DIGIT),
        (5, Some(b'-')) => group(end + 1, 4, Class::DIGIT).or_else(|| group(end + 1, 3, Class::DIGIT)),
        (4, Some(b'-')) => group(end + 1, 3, Class::DIGIT),
        (3, Some(b' ')) => group(end + 1, 2, Class::DIGIT).or_else(|| group(end + 1, 3, Class::DIGIT)),
        (4, Some(b' ')) => group(end + 1, 2, Class::UPPER).or(Some(end)),
        (3..=7, _) => Some(end),
        _ => None,
    }
}

/// `SW1A 1AA`, `K1A 0B1`.
pub(super) fn letters(tape: &Tape<'_>, at: usize) -> Option<usize> {
    let end = tape.run(at, at + 5, Class::UPPER.or(Class::DIGIT));
    let blank = if tape.at(end) == Some(b' ') { end + 1 } else { return None };
    let last = tape.run(blank, blank + 4, Class::UPPER.or(Class::DIGIT));
    let has = |from: usize, to: usize| (from..to).any(|i| tape.at(i).is_some_and(|b| b.is_ascii_digit()));
    ((2..=4).contains(&(end - at)) && last == blank + 3 && has(at, end) && has(blank, last)).then_some(last)
}

/// True where a name of postal codes stands right before, with `is`, a colon or the like between.
fn is_named(tape: &Tape<'_>, at: usize) -> bool {
    let mut end = tape.run_back(at, at.saturating_sub(14), Class::of(b" \t:=\"'#("));
    for _ in 0..3 {
        let word = word_ending(tape, end);
        let start = end.saturating_sub(word.len());
        let before = tape.run_back(start, start.saturating_sub(2), Class::of(b" "));
        match word.as_slice() {
            b"is" | b"of" | b"no" | b"no." | b"number" | b"ist" | b"es" | b"est" | b"was" | b"postal" | b"pocztowy"
            | b"postale" => {
                if matches!(word.as_slice(), b"postal" | b"pocztowy" | b"postale") {
                    return true;
                }
                end = before;
            }
            // `code` and its like are names only behind or before the word for mail.
            b"code" | b"codice" | b"kod" | b"cap" | b"cp" => {
                return word_ending(tape, before).starts_with(b"zip")
                    || word_ending(tape, before).starts_with(b"post")
                    || word_ending(tape, before) == b"pin"
                    || matches!(word.as_slice(), b"cap" | b"cp")
                        && tape.slice(Span::new(start, end)).iter().all(u8::is_ascii_uppercase);
            }
            word => return NAMES.contains(&word),
        }
    }
    false
}
