//! Social security numbers of the United States.

use bartizan_core::{Confidence, Detector, Reference, Severity};

use super::entity::{Entity, EntityDetector, Match, Places};
use super::groups::{Groups, leading, number_ends, number_starts};
use crate::tape::{Class, Tape, word_before};
use crate::{RulesError, Settings};

const CONTEXT: [&[u8]; 5] = [b"ssn", b"social security", b"social sec", b"soc sec", b"ss#"];

/// How many bytes before a number a context word may start.
const WITHIN: usize = 80;

/// Numbers that were printed in advertisements and belong to nobody. Source: Social Security Administration, "Social
/// Security Cards Issued by Woolworth", and the SSA pamphlet of 1940.
const PRINTED: [&[u8; 9]; 2] = [b"078051120", b"219099999"];

static ENTITY: Entity = Entity {
    id: "pii/us-ssn",
    name: "US_SSN",
    summary: "United States social security number",
    doc: include_str!("us_ssn.md"),
    severity: Severity::High,
    references: &[
        Reference::new("OWASP-LLM", "LLM02"),
        Reference::new("CWE", "CWE-359"),
        Reference::new("URL", "https://www.ssa.gov/employer/randomization.html"),
    ],
    places: Places::Digits { lead: 0 },
    longest: 11,
    ahead: 4,
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
    if !number_starts(tape, at) {
        return None;
    }
    let groups = Groups::read(tape, at, Class::of(b" -."), true, 13)?;
    let lengths = groups.lengths();
    let parts = match lengths.as_slice() {
        [3, 2, 4] => 3,
        // A blank ends the number as well: more digits behind it are something else.
        [3, 2, 4, ..] if tape.at(groups.end_of(3)?) == Some(b' ') && tape.at(at + 3) == Some(b' ') => 3,
        [9] => 1,
        _ => return None,
    };
    let end = groups.end_of(parts)?;
    let digits = groups.digits_of(parts);
    let area = leading(digits, 3);
    let rest = leading(digits.get(3..).unwrap_or_default(), 6);
    // Areas from 900 are taxpayer numbers; 000 and 666 were never given out, nor group 00 or serial 0000.
    if area == 0 || area == 666 || area >= 900 || rest / 10_000 == 0 || rest.is_multiple_of(10_000) {
        return None;
    }
    if PRINTED.iter().any(|p| p.as_slice() == digits) || !number_ends(tape, end) {
        return None;
    }
    let named = word_before(tape, at, WITHIN, &CONTEXT, true);
    let confidence = match (parts, tape.at(at + 3), named) {
        (3, _, true) => Confidence::High,
        (3, Some(b'-'), false) => Confidence::Medium,
        (1, _, true) => Confidence::Medium,
        _ => return None,
    };
    Some(Match::new(end, confidence))
}
