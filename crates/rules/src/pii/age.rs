//! Ages of people.

use bartizan_core::{Confidence, Detector, Reference, Severity, Span};

use super::entity::{Entity, EntityDetector, Match, Places};
use super::groups::number_starts;
use super::words::{any_at, blanks, number, previous, word_ending};
use crate::tape::{Class, Tape};
use crate::{RulesError, Settings};

/// What follows an age, in the languages read.
const BEHIND: [&[u8]; 28] = [
    b"years old",
    b"year old",
    b"years-old",
    b"year-old",
    b"yrs old",
    b"yr old",
    b"y/o",
    b"yo",
    b"y.o",
    b"y.o.",
    b"years of age",
    b"yrs of age",
    b"year-olds",
    b"months old",
    b"month-old",
    b"jahre alt",
    b"jahren alt",
    b"jaar oud",
    b"jaar",
    b"jahre",
    "años".as_bytes(),
    b"ans",
    b"anni",
    b"anos",
    "let starý".as_bytes(),
    b"lat",
    b"vuotias",
    b"jahre jung",
];
/// What precedes an age.
const BEFORE: [&[u8]; 23] = [
    b"age",
    b"aged",
    b"turned",
    b"turning",
    b"turn",
    b"turns",
    b"ages",
    b"alter",
    b"edad",
    "âge".as_bytes(),
    b"leeftijd",
    b"wiek",
    b"idade",
    b"wieku",
    "âgé".as_bytes(),
    "âgée".as_bytes(),
    "età".as_bytes(),
    b"alder",
    b"im",
    b"cumplo",
    b"werde",
    b"anni",
    b"lat",
];
/// What may stand between such a word and the age.
const LINKS: [&[u8]; 7] = [b"of", b"is", b"just", b"was", b"now", b"von", b"de"];
/// Units that make the number a quantity of something else.
const UNITS: [&[u8]; 26] = [
    b"percent", b"minutes", b"hours", b"days", b"weeks", b"times", b"km", b"degrees", b"pages", b"people", b"miles",
    b"units", b"points", b"dollars", b"euros", b"usd", b"h", b"hr", b"hrs", b"hour", b"s", b"sec", b"seconds", b"ms",
    b"min", b"mins",
];

static ENTITY: Entity = Entity {
    id: "pii/age",
    name: "AGE",
    summary: "age of a person",
    doc: include_str!("age.md"),
    severity: Severity::Info,
    references: &[Reference::new("OWASP-LLM", "LLM02"), Reference::new("CWE", "CWE-359")],
    places: Places::Word(Class::DIGIT),
    longest: 3,
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

fn find(tape: &Tape<'_>, at: usize) -> Option<Match> {
    if !number_starts(tape, at) || matches!(tape.before(at), Some(b'$' | b'#' | b'+')) {
        return None;
    }
    let (end, age) = number(tape, at, 3)?;
    if age == 0 || age > 119 || tape.at(at) == Some(b'0') {
        return None;
    }
    let next = match tape.at(end) {
        Some(b'-') => end + 1,
        Some(b' ') => blanks(tape, end, 2),
        Some(b'y') => end,
        _ => end,
    };
    if let Some(after) = any_at(tape, next, &BEHIND).filter(|_| next > end || tape.at(end) == Some(b'y')) {
        let before = previous(tape, at);
        // Durations have such units too: only some words make them ages.
        let unit_alone = matches!(after - next, 3..=6)
            && [&b"ans"[..], b"anni", b"anos", b"lat", "años".as_bytes()]
                .iter()
                .any(|w| any_at(tape, next, &[w]).is_some())
            || after == next + 4 && any_at(tape, next, &[b"jaar"]).is_some()
            || after == next + 5 && any_at(tape, next, &[b"jahre"]).is_some();
        // `M. Durand, 31 ans,` and `Eva Ruiz (39 años)`: a remark of its own. What is younger is more often a warranty.
        let gap = tape.run_back(at, at.saturating_sub(2), Class::of(b" "));
        let remark = age >= 12
            && matches!(tape.before(gap), Some(b',' | b'('))
            && tape.at(after).is_none_or(|b| matches!(b, b',' | b'.' | b';' | b')' | b'\n'));
        let ages = [
            &b"ben"[..],
            b"bin",
            b"tengo",
            b"tiene",
            b"j'ai",
            b"ai",
            b"a",
            b"ho",
            b"ha",
            b"tenho",
            b"tem",
            b"mam",
            b"ma",
            b"de",
            b"di",
            b"ze",
            b"wieku",
            "âgé".as_bytes(),
            "âgée".as_bytes(),
            b"edad",
            b"cumple",
            b"compie",
            b"avere",
            b"faz",
            b"fait",
        ];
        // `il y a 3 ans` is long ago.
        let ago = tape.slice(Span::new(at.saturating_sub(5), at)) == b" y a ";
        if !unit_alone || remark || ages.contains(&before.as_slice()) && !ago {
            return Some(Match::new(end, Confidence::High));
        }
        return None;
    }
    if matches!(tape.at(end), Some(b'-' | b' ')) && tape.starts(end + 1, "jährig".as_bytes()) {
        return Some(Match::new(end, Confidence::High));
    }
    let before = previous(tape, at);
    let before = if LINKS.contains(&before.as_slice()) {
        let gap = tape.run_back(at, at.saturating_sub(2), Class::of(b" "));
        let start = gap.saturating_sub(before.len());
        let gap = tape.run_back(start, start.saturating_sub(2), Class::of(b" :"));
        word_ending(tape, gap)
    } else {
        before
    };
    // `gli anni 90` are a decade, `lat 48` next to a longitude is a place.
    let other = match before.as_slice() {
        b"anni" => {
            let gap = tape.run_back(at, at.saturating_sub(2), Class::of(b" "));
            let word = tape.run_back(gap.saturating_sub(4), gap.saturating_sub(6), Class::of(b" "));
            word_ending(tape, word).ends_with(b"gli")
        }
        b"lat" => {
            let behind = tape.run(end, end + 2, Class::of(b" ,;"));
            tape.before(at) != Some(b' ') || [&b"lon"[..], b"lng", b"n", b"s"].iter().any(|w| tape.starts(behind, w))
        }
        _ => false,
    };
    let announced = !other && BEFORE.contains(&before.as_slice()) && !matches!(before.as_slice(), b"im" | b"ages");
    let ends = match tape.at(end) {
        Some(b) if b.is_ascii_alphanumeric() || matches!(b, b'%' | b'_' | b'/' | b':') => false,
        Some(b'.' | b',' | b'-') => !tape.at(end + 1).is_some_and(|b| b.is_ascii_alphanumeric()),
        _ => true,
    };
    let unit = any_at(tape, blanks(tape, end, 2), &UNITS).is_some();
    (announced && ends && !unit && age > 0).then_some(Match::new(end, Confidence::Medium))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> Option<&str> {
        let tape = Tape::new(text);
        (0..text.len()).find_map(|at| find(&tape, at).map(|hit| &text[at..hit.end]))
    }

    #[test]
    fn units_are_ages_in_remarks() {
        for (text, age) in [
            ("die 43-jährige Frau", "43"),
            ("M. Durand, 31 ans, est venu", "31"),
            ("Eva Ruiz, 39 años", "39"),
            ("Eva Ruiz (39 años)", "39"),
            ("una donna di anni 32", "32"),
            ("Anna Nowak, lat 19, z Gdańska", "19"),
            ("mevrouw, 45 jaar, verwezen", "45"),
        ] {
            assert_eq!(first(text), Some(age), "{text}");
        }
    }

    #[test]
    fn durations_decades_and_places_are_none() {
        for text in [
            "il y a 31 ans,",
            "hace 39 años.",
            "garantie, 5 ans,",
            "gli anni 90 erano",
            "lat 48, lon 11",
            "ticket age 24 h, done",
        ] {
            assert_eq!(first(text), None, "{text}");
        }
    }
}
