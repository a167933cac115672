//! Machine-readable zones of passports, identity cards and visas.

use bartizan_core::{Confidence, Detector, Reference, Severity, Span};

use super::entity::{Entity, EntityDetector, Match, Places};
use super::identifier::icao;
use crate::tape::{Class, Tape};
use crate::{RulesError, Settings};

/// Characters of a zone.
const ZONE: Class = Class::UPPER.or(Class::DIGIT).or(Class::of(b"<"));
/// What may stand around the end of a line.
const BREAK: Class = Class::of(b" \t\r\n");
/// Most bytes of [`BREAK`] between two lines.
const GAP: usize = 6;
/// Letters that documents begin with: passport, identity cards and residence permits, crew, visa.
const FIRST: Class = Class::of(b"PIACV");

/// A field of a line and the place of its check digit.
struct Field {
    from: usize,
    to: usize,
    check: usize,
}

const fn field(from: usize, to: usize, check: usize) -> Field {
    Field { from, to, check }
}

/// A size of document: so many lines of so many characters. The fields are places of all lines together.
struct Size {
    lines: usize,
    length: usize,
    fields: &'static [Field],
    /// The parts that the last check digit is over, and its place; visas have none.
    whole: Option<(&'static [(usize, usize)], usize)>,
}

/// ICAO Doc 9303, parts 5 (TD1), 6 (TD2), 4 (TD3) and 7 (visas). A passport is a visa of size A with a digit over all.
const SIZES: [Size; 5] = [
    Size {
        lines: 3,
        length: 30,
        fields: &[field(5, 14, 14), field(30, 36, 36), field(38, 44, 44)],
        whole: Some((&[(5, 30), (30, 37), (38, 45), (48, 59)], 59)),
    },
    Size {
        lines: 2,
        length: 36,
        fields: &[field(36, 45, 45), field(49, 55, 55), field(57, 63, 63)],
        whole: Some((&[(36, 46), (49, 56), (57, 71)], 71)),
    },
    Size {
        lines: 2,
        length: 44,
        fields: &[field(44, 53, 53), field(57, 63, 63), field(65, 71, 71), field(72, 86, 86)],
        whole: Some((&[(44, 54), (57, 64), (65, 87)], 87)),
    },
    Size { lines: 2, length: 36, fields: &[field(36, 45, 45), field(49, 55, 55), field(57, 63, 63)], whole: None },
    Size { lines: 2, length: 44, fields: &[field(44, 53, 53), field(57, 63, 63), field(65, 71, 71)], whole: None },
];

static ENTITY: Entity = Entity {
    id: "pii/travel-document",
    name: "MACHINE_READABLE_ZONE",
    summary: "machine-readable zone of a passport, identity card or visa",
    doc: include_str!("travel_document.md"),
    severity: Severity::High,
    references: &[
        Reference::new("OWASP-LLM", "LLM02"),
        Reference::new("CWE", "CWE-359"),
        Reference::new("URL", "https://www.icao.int/publications/pages/publication.aspx?docnum=9303"),
    ],
    places: Places::Word(FIRST),
    longest: 3 * 30 + 2 * GAP,
    ahead: 1,
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
    // The kind of document is one letter and a filler or a second letter; most words end here.
    if !tape.at(at).is_some_and(|b| FIRST.has(b))
        || !tape.at(at + 1).is_some_and(|b| b == b'<' || b.is_ascii_uppercase())
        || tape.before(at).is_some_and(|b| ZONE.has(b))
    {
        return None;
    }
    let first = tape.run(at, at + 45, ZONE) - at;
    SIZES.iter().filter(|s| s.length == first).find_map(|size| read(tape, at, size))
}

/// The document of this size that begins at `at`, where all its check digits are right.
fn read(tape: &Tape<'_>, at: usize, size: &Size) -> Option<Match> {
    let mut zone = Vec::with_capacity(90);
    let mut end = at;
    for line in 0..size.lines {
        let start = if line == 0 { at } else { tape.run(end, end + GAP, BREAK) };
        if line > 0 && start == end {
            return None;
        }
        end = tape.run(start, start + size.length + 1, ZONE);
        if end != start + size.length {
            return None;
        }
        zone.extend_from_slice(tape.slice(Span::new(start, end)));
    }
    let digit = |at: usize| zone.get(at).copied().unwrap_or_default();
    let part = |from: usize, to: usize| zone.get(from..to).unwrap_or_default();
    let visa = zone.first() == Some(&b'V');
    let checked = size.fields.iter().all(|f| icao(part(f.from, f.to), digit(f.check)));
    let whole = match size.whole {
        Some((parts, at)) => {
            let all: Vec<u8> = parts.iter().flat_map(|(from, to)| part(*from, *to)).copied().collect();
            !visa && icao(&all, digit(at))
        }
        None => visa,
    };
    (checked && whole).then_some(Match::new(end, Confidence::High))
}
