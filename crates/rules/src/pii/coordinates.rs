//! Places on the globe as latitude and longitude.

use bartizan_core::{Confidence, Detector, Reference, Severity};

use super::entity::{Entity, EntityDetector, Match, Places};
use super::words::number;
use crate::tape::{Class, Tape, word_before, word_starts};
use crate::{RulesError, Settings};

const CONTEXT: [&[u8]; 9] =
    [b"coordinate", b"latitude", b"lat", b"gps", b"position", b"location", b"koordinaten", b"coordonn", b"coordenad"];

static ENTITY: Entity = Entity {
    id: "pii/coordinates",
    name: "COORDINATES",
    summary: "latitude and longitude",
    doc: include_str!("coordinates.md"),
    severity: Severity::Info,
    references: &[
        Reference::new("OWASP-LLM", "LLM02"),
        Reference::new("CWE", "CWE-359"),
        Reference::new("RFC", "RFC 5870"),
    ],
    places: Places::Word(Class::DIGIT.or(Class::of(b"-"))),
    longest: 44,
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

/// One angle.
struct Angle {
    end: usize,
    decimals: usize,
    /// `N`, `S`, `E` or `W`, and whether a degree sign stands there.
    side: Option<u8>,
    degrees: bool,
}

fn find(tape: &Tape<'_>, at: usize) -> Option<Match> {
    if !word_starts(tape, at) || matches!(tape.before(at), Some(b'.' | b',' | b'-' | b'_' | b'/' | b'[')) {
        return None;
    }
    let latitude = angle(tape, at, 90)?;
    let comma = tape.run(latitude.end, latitude.end + 4, Class::of(b" ,;/"));
    if comma == latitude.end {
        return None;
    }
    let longitude = angle(tape, comma, 180)?;
    let sides = match (latitude.side, longitude.side) {
        (None, None) => false,
        (Some(b'N' | b'S'), Some(b'E' | b'W' | b'O')) => true,
        _ => return None,
    };
    if tape.at(longitude.end).is_some_and(|b| Class::WORD.has(b) || b == b'%') {
        return None;
    }
    // Not the beginning of a longer row of numbers.
    let more = tape.run(longitude.end, longitude.end + 2, Class::of(b" ,"));
    if more > longitude.end && tape.at(more).is_some_and(|b| b.is_ascii_digit() || b == b'-') && !sides {
        return None;
    }
    // Nor its end.
    let less = tape.run_back(at, at.saturating_sub(3), Class::of(b" ,;"));
    let of_row = less < at && tape.before(less).is_some_and(|b| b.is_ascii_digit());
    let fine = !of_row && latitude.decimals >= 4 && longitude.decimals >= 4;
    let named = latitude.decimals >= 2 && longitude.decimals >= 2 && word_before(tape, at, 60, &CONTEXT, true);
    let confidence = match (sides && (latitude.degrees || latitude.decimals >= 2), named, fine) {
        (true, _, _) | (_, true, _) => Confidence::High,
        (_, _, true) => Confidence::Low,
        _ => return None,
    };
    Some(Match::new(longitude.end, confidence))
}

/// `48.8566`, `-33.86°`, `52°31'12"N`.
fn angle(tape: &Tape<'_>, at: usize, most: u32) -> Option<Angle> {
    let from = if matches!(tape.at(at), Some(b'-' | b'+')) { at + 1 } else { at };
    let (mut end, whole) = number(tape, from, 3)?;
    if whole > most {
        return None;
    }
    let mut decimals = 0;
    if tape.at(end) == Some(b'.') {
        let stop = tape.run(end + 1, end + 10, Class::DIGIT);
        decimals = stop - end - 1;
        if decimals == 0 {
            return None;
        }
        end = stop;
    }
    let degrees = tape.starts(end, "°".as_bytes());
    if degrees {
        end += 2;
        for mark in [&b"'"[..], b"\"", "′".as_bytes(), "″".as_bytes()] {
            let blank = tape.run(end, end + 1, Class::of(b" "));
            if let Some((stop, part)) = number(tape, blank, 2).filter(|(_, part)| *part < 60) {
                let _ = part;
                let stop = if tape.at(stop) == Some(b'.') { tape.run(stop + 1, stop + 5, Class::DIGIT) } else { stop };
                if tape.starts(stop, mark) {
                    end = stop + mark.len();
                }
            }
        }
    }
    let letter = tape.run(end, end + 1, Class::of(b" "));
    let side = tape.at(letter).filter(|b| b"NSEWO".contains(b));
    let stands_alone = !tape.at(letter + 1).is_some_and(|b| Class::ALNUM.has(b));
    let side = side.filter(|_| stands_alone);
    Some(Angle { end: if side.is_some() { letter + 1 } else { end }, decimals, side, degrees })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_numbers_are_no_places() {
        let any = |text: &str| (0..text.len()).any(|at| find(&Tape::new(text), at).is_some());
        for text in ["[3.0087, 0.760948, 92.650662]", "w = 0.7612, 1.5028, -0.3341", "0.5, 3.0087, 0.760948"] {
            assert!(!any(text), "{text}");
        }
        assert!(any("at 48.8566, 2.3522 we met"));
        assert!(any("7, 48.8566, 2.3522, position: 7, 48.8566, 2.3522"));
    }
}
