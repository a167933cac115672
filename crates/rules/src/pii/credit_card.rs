//! Numbers of payment cards.

use bartizan_core::{Confidence, Detector, Reference, Severity};

use super::checksum::luhn;
use super::entity::{Entity, EntityDetector, Match, Places};
use super::groups::{Groups, leading, number_ends, number_starts};
use crate::tape::{Class, Tape, word_before};
use crate::{RulesError, Settings};

/// One range of issuer numbers: first and last value of the leading digits, how many these are, and the lengths of
/// card numbers that start so. Source: ISO/IEC 7812-1 and the published ranges of the schemes.
type Range = (u32, u32, usize, &'static [usize]);

const LONG: &[usize] = &[16, 17, 18, 19];
const MAESTRO: &[usize] = &[12, 13, 14, 15, 16, 17, 18, 19];
const RANGES: [Range; 33] = [
    (4, 4, 1, &[13, 16, 19]),               // Visa, Dankort, Electron
    (51, 55, 2, &[16]),                     // Mastercard
    (2221, 2720, 4, &[16]),                 // Mastercard
    (34, 34, 2, &[15]),                     // American Express
    (37, 37, 2, &[15]),                     // American Express
    (300, 305, 3, &[14, 16, 17, 18, 19]),   // Diners Club
    (3095, 3095, 4, &[14, 16, 17, 18, 19]), // Diners Club
    (36, 36, 2, &[14, 15, 16, 17, 18, 19]), // Diners Club
    (38, 39, 2, &[14, 16, 17, 18, 19]),     // Diners Club
    (35, 35, 2, LONG),                      // JCB
    (2131, 2131, 4, &[15]),                 // JCB
    (1800, 1800, 4, &[15]),                 // JCB
    (6011, 6011, 4, LONG),                  // Discover
    (644, 649, 3, LONG),                    // Discover
    (65, 65, 2, LONG),                      // Discover, RuPay, Verve, Elo
    (62, 62, 2, LONG),                      // UnionPay
    (81, 82, 2, LONG),                      // UnionPay, RuPay
    (60, 60, 2, LONG),                      // RuPay, Hipercard
    (5018, 5018, 4, MAESTRO),
    (5020, 5020, 4, MAESTRO),
    (5038, 5038, 4, MAESTRO),
    (5612, 5612, 4, MAESTRO),
    (5893, 5893, 4, MAESTRO),
    (6304, 6304, 4, MAESTRO),
    (6390, 6390, 4, MAESTRO),
    (6759, 6759, 4, MAESTRO),
    (6761, 6763, 4, MAESTRO),
    (50, 50, 2, LONG),      // Maestro, Elo, Verve, Dankort
    (56, 58, 2, MAESTRO),   // Maestro
    (63, 69, 2, LONG),      // Maestro, InterPayment, InstaPayment
    (2200, 2204, 4, LONG),  // Mir
    (9792, 9792, 4, &[16]), // Troy
    (8600, 8600, 4, &[16]), // Uzcard
];

const CONTEXT: [&[u8]; 12] = [
    b"card", b"credit", b"debit", b"visa", b"maestro", b" cc", b"carte", b"karte", b"tarjeta", b"carta", b"kort",
    b"payment",
];

/// How many bytes before a number a context word may start.
const WITHIN: usize = 80;

/// Most bytes of a card number as printed.
pub(super) const LONGEST: usize = 24;

static ENTITY: Entity = Entity {
    id: "pii/credit-card",
    name: "CREDIT_CARD",
    summary: "number of a payment card",
    doc: include_str!("credit_card.md"),
    severity: Severity::High,
    references: &[
        Reference::new("OWASP-LLM", "LLM02"),
        Reference::new("CWE", "CWE-359"),
        Reference::new("URL", "https://www.iso.org/standard/70484.html"),
    ],
    places: Places::Digits { lead: 0 },
    longest: LONGEST,
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

fn issued(digits: &[u8]) -> bool {
    RANGES.iter().any(|(first, last, n, lengths)| {
        (*first..=*last).contains(&leading(digits, *n)) && lengths.contains(&digits.len())
    })
}

/// Groups as cards print them: fours with a shorter last group, or four, six and the rest.
fn printed(lengths: &[usize]) -> bool {
    match lengths {
        [_] | [4, 6, 4 | 5] | [4, 5, 6] | [6, 13] => true,
        [fours @ .., last] => fours.len() >= 2 && fours.iter().all(|n| *n == 4) && (1..=4).contains(last),
        [] => false,
    }
}

/// The end of the card number that starts at `at`, if one does.
pub(super) fn end_at(tape: &Tape<'_>, at: usize) -> Option<usize> {
    find(tape, at).map(|found| found.end)
}

fn find(tape: &Tape<'_>, at: usize) -> Option<Match> {
    if !number_starts(tape, at) {
        return None;
    }
    // Four digits and a blank before: this is the middle of a longer row of fours.
    let four_before = tape.before(at) == Some(b' ') && {
        let end = at.saturating_sub(1);
        end - tape.run_back(end, end.saturating_sub(5), Class::DIGIT) == 4
    };
    let groups = Groups::read(tape, at, Class::of(b" -."), true, 19)?;
    let lengths = groups.lengths();
    // A security code or date may follow, so the longest row of groups that is a card counts.
    (1..=lengths.len()).rev().find_map(|n| {
        let (used, rest) = lengths.split_at_checked(n)?;
        let digits = groups.digits_of(n);
        let end = groups.end_of(n)?;
        let row = used.len() > 2 && (four_before || rest.first() == Some(&4));
        if row || !(12..=19).contains(&digits.len()) || !printed(used) || !issued(digits) || !luhn(digits) {
            return None;
        }
        if rest.is_empty() && !number_ends(tape, end) || !rest.is_empty() && tape.at(end) != Some(b' ') {
            return None;
        }
        let named = || word_before(tape, at, WITHIN, &CONTEXT, false);
        let confidence = match digits.len() {
            15 | 16 | 19 => Confidence::High,
            12 | 13 if !named() => Confidence::Low,
            _ if named() => Confidence::High,
            _ => Confidence::Medium,
        };
        Some(Match::new(end, confidence))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_and_thirteen_are_a_card() {
        assert!(find(&Tape::new("621221-4666629049102"), 0).is_some_and(|hit| hit.end == 20));
        assert!(find(&Tape::new("621221-4666629049103"), 0).is_none());
    }
}
