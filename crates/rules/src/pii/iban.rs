//! International bank account numbers.

use bartizan_core::{Confidence, Detector, Reference, Severity, Span};

use super::checksum::mod97;
use super::entity::{Entity, EntityDetector, Match, Places};
use crate::tape::{Class, Tape, word_starts};
use crate::{RulesError, Settings};

/// Countries and the length of their IBANs. Source: SWIFT IBAN registry; the rows after `XK` are countries that use
/// the format without being in it.
const LENGTHS: [(&[u8; 2], usize); 98] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"AO", 25),
    (b"BF", 28),
    (b"BJ", 28),
    (b"CI", 28),
    (b"CM", 27),
    (b"DZ", 26),
    (b"IR", 26),
    (b"MA", 28),
    (b"MG", 27),
    (b"SN", 28),
];

/// Most bytes of an account number as printed.
pub(super) const LONGEST: usize = 42;

static ENTITY: Entity = Entity {
    id: "pii/iban",
    name: "IBAN_CODE",
    summary: "international bank account number",
    doc: include_str!("iban.md"),
    severity: Severity::High,
    references: &[
        Reference::new("OWASP-LLM", "LLM02"),
        Reference::new("CWE", "CWE-359"),
        Reference::new("URL", "https://www.swift.com/standards/data-standards/iban-international-bank-account-number"),
    ],
    // The longest stretch before the first seven digits in a row of any country's format, blanks included.
    places: Places::Digits { lead: 24 },
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

/// The end of the account number that starts at `at`, if one does.
pub(super) fn end_at(tape: &Tape<'_>, at: usize) -> Option<usize> {
    find(tape, at).map(|found| found.end)
}

fn find(tape: &Tape<'_>, at: usize) -> Option<Match> {
    if !word_starts(tape, at) {
        return None;
    }
    let letter = |i| tape.at(i).filter(|b| b.is_ascii_alphabetic()).map(|b| b.to_ascii_uppercase());
    let country = [letter(at)?, letter(at + 1)?];
    let (_, length) = LENGTHS.iter().find(|(c, _)| **c == country)?;
    if !(at + 2..at + 4).all(|i| tape.at(i).is_some_and(|b| b.is_ascii_digit())) {
        return None;
    }
    // Either no separator at all, or the same after every fourth character.
    let separator = tape.at(at + 4).filter(|b| matches!(b, b' ' | b'-'));
    let mut end = at;
    for index in 0..*length {
        if let Some(separator) = separator.filter(|_| index > 0 && index % 4 == 0) {
            if tape.at(end) != Some(separator) {
                return None;
            }
            end += 1;
        }
        if !tape.at(end).is_some_and(|b| Class::ALNUM.has(b)) {
            return None;
        }
        end += 1;
    }
    let ends = !tape.at(end).is_some_and(|b| Class::WORD.has(b));
    (ends && mod97(tape.slice(Span::new(at, end)))).then_some(Match::new(end, Confidence::High))
}
