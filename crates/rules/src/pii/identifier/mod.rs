//! Identifiers of people, firms, vehicles, devices and accounts: one detector over one table.
//!
//! At the start of each word with a digit the rows that can begin so are tried: the shape, the check digits, and only
//! then the words around. A row that proves little says nothing without such a word.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
use bartizan_core::{
    Anchors, Confidence, Cost, Detector, Hold, Limits, Persona, Reference, Report, Rule, RuleId, Severity, Sink, Span,
    Subject, Views,
};

use self::table::{IDS, Id, Kind, Trust};
use super::groups::{before_number, behind_number};
use super::{credit_card, iban};
use crate::tape::{Class, Tape, live_from, word_starts};
use crate::{RulesError, Settings};

mod sums;
mod table;

pub(super) use self::sums::icao;

/// Most bytes of an identifier as printed.
const LONGEST: usize = 40;
/// How far before an identifier a word may begin.
const BEFORE: usize = 100;
/// How far behind an identifier a word may end.
const BEHIND: usize = 36;
/// Most bytes of a country's prefix.
const PREFIX: usize = 8;
/// Longest run of letters and digits that is looked at.
const RUN: usize = 32;

/// What may stand between the parts of an identifier.
const SEPARATOR: Class = Class::of(b" -./()");

macro_rules! rule {
    ($id:literal, $summary:literal, $doc:literal, $severity:ident) => {
        Rule {
            id: RuleId::new($id),
            summary: Cow::Borrowed($summary),
            doc: Cow::Borrowed(include_str!($doc)),
            severity: Severity::$severity,
            confidence: Confidence::High,
            persona: Persona::Regular,
            references: Cow::Borrowed(&[Reference::new("OWASP-LLM", "LLM02"), Reference::new("CWE", "CWE-359")]),
            since: Cow::Borrowed("0.1.0"),
        }
    };
}

static RULES: [Rule; 8] = [
    rule!("pii/national-id", "national identification number", "../national_id.md", High),
    rule!("pii/tax-id", "tax identification number", "../tax_id.md", Medium),
    rule!("pii/health-id", "health insurance or medical licence number", "../health_id.md", High),
    rule!("pii/passport", "passport number", "../passport.md", High),
    rule!("pii/driving-licence", "driving licence number", "../driving_licence.md", High),
    rule!("pii/vehicle", "vehicle identification or registration", "../vehicle.md", Low),
    rule!("pii/device-id", "identifier of a device or SIM card", "../device_id.md", Medium),
    rule!("pii/bank-id", "account, bank or security identifier", "../bank_id.md", Medium),
];

fn rule_of(kind: Kind) -> Option<&'static Rule> {
    RULES.get(match kind {
        Kind::National => 0,
        Kind::Tax => 1,
        Kind::Health => 2,
        Kind::Passport => 3,
        Kind::Driving => 4,
        Kind::Vehicle => 5,
        Kind::Device => 6,
        Kind::Bank => 7,
    })
}

/// One printed form of one row.
#[derive(Clone, Copy, Debug)]
struct Form {
    row: usize,
    shape: &'static [u8],
    /// Whether the separators of the shape stand there.
    printed: bool,
}

/// The table, arranged for looking up.
struct Index {
    /// Forms by how they begin: a run of so many letters, then of so many digits; see [`key`].
    by_start: Vec<Vec<Form>>,
    /// Forms that begin with letters or digits as they come, by the length of their first run of both.
    by_length: Vec<Vec<Form>>,
    words: Option<AhoCorasick>,
    /// For each word, its length and the rows that it announces.
    rows_of: Vec<(usize, Vec<usize>)>,
}

static INDEX: LazyLock<Index> = LazyLock::new(Index::new);

const fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.' | b'/' | b'(' | b')')
}

impl Index {
    fn new() -> Self {
        let mut by_start = vec![Vec::new(); 2 * (RUN + 1)];
        let mut by_length = vec![Vec::new(); RUN + 1];
        let mut words: Vec<&'static str> = Vec::new();
        let mut rows_of: Vec<(usize, Vec<usize>)> = Vec::new();
        for (row, id) in IDS.iter().enumerate() {
            for shape in id.shapes.iter().map(|s| s.as_bytes()) {
                for printed in [false, true] {
                    if printed && !shape.iter().any(|b| is_separator(*b)) {
                        continue;
                    }
                    let form = Form { row, shape, printed };
                    let seen =
                        || shape.iter().take_while(|b| !printed || !is_separator(**b)).filter(|b| !is_separator(**b));
                    let first = shape.first().copied().unwrap_or_default();
                    let (list, at) = if first == b'X' || seen().any(|b| *b == b'X') && first != b'A' && first != b'9' {
                        (&mut by_length, seen().count())
                    } else {
                        let run = seen().take_while(|b| **b == first).count();
                        // A run that `X` goes on may be longer than it says.
                        let open = seen().nth(run) == Some(&b'X');
                        if open { (&mut by_length, seen().count()) } else { (&mut by_start, key(first == b'9', run)) }
                    };
                    if let Some(slot) = list.get_mut(at) {
                        slot.push(form);
                    }
                }
            }
            for word in id.words {
                match words.iter().position(|w| w == word).and_then(|at| rows_of.get_mut(at)) {
                    Some((_, rows)) => rows.push(row),
                    None => {
                        words.push(word);
                        rows_of.push((word.len(), vec![row]));
                    }
                }
            }
        }
        let words =
            AhoCorasick::builder().ascii_case_insensitive(true).match_kind(MatchKind::Standard).build(&words).ok();
        Self { by_start, by_length, words, rows_of }
    }
}

/// Place of forms that begin with a run of digits, or of letters, of this length.
const fn key(digits: bool, run: usize) -> usize {
    if digits { RUN + 1 + run } else { run }
}

/// The words that announce identifiers.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    IDS.iter().flat_map(|id| id.words.iter().copied())
}

/// The end of the identifier that starts at `at` and is not a mere guess, if one does.
pub(super) fn end_at(tape: &Tape<'_>, at: usize) -> Option<usize> {
    find(tape, at).filter(|found| found.confidence > Confidence::Low).map(|found| found.end)
}

/// What was found at a place.
struct Found {
    row: &'static Id,
    end: usize,
    confidence: Confidence,
}

/// One reading of the text at a place.
struct Reading {
    row: usize,
    end: usize,
    printed: bool,
    /// What stands between its groups.
    separator: Option<u8>,
}

/// The identifier that starts at `at`, if one does.
fn find(tape: &Tape<'_>, at: usize) -> Option<Found> {
    // Letters are capitals, but for the last ones of what begins with a digit.
    let first = tape.at(at).filter(|b| b.is_ascii_digit() || b.is_ascii_uppercase())?;
    if !starts(tape, at) {
        return None;
    }
    let letters = if first.is_ascii_digit() { Class::ALNUM } else { Class::DIGIT.or(Class::UPPER) };
    let end = tape.run(at, at + RUN, letters);
    let run = tape.slice(Span::new(at, end));
    let same = run.iter().take_while(|b| b.is_ascii_digit() == first.is_ascii_digit()).count();
    let has_digit = run.len() > same || first.is_ascii_digit();
    if !has_digit {
        // Letters alone: a code that continues behind a separator, or a bank's code.
        let goes_on = tape.at(end).is_some_and(|b| SEPARATOR.has(b))
            && run.len() <= 6
            && tape.at(end + 1).is_some_and(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
        if !goes_on && !(matches!(run.len(), 8 | 11)) {
            return None;
        }
    }
    let index = &*INDEX;
    let forms = |list: &'static [Vec<Form>], at: usize| list.get(at).map(Vec::as_slice).unwrap_or_default();
    let mut readings: Vec<Reading> = Vec::new();
    for form in
        forms(&index.by_start, key(first.is_ascii_digit(), same)).iter().chain(forms(&index.by_length, run.len()))
    {
        if let Some(reading) = read(tape, at, *form) {
            readings.push(reading);
        }
    }
    best(tape, at, &readings).filter(|found| !is_of_account(tape, at, found))
}

/// True where an identifier may start at `at`: not inside a word, a number or something hyphenated.
fn starts(tape: &Tape<'_>, at: usize) -> bool {
    if !word_starts(tape, at) {
        return false;
    }
    let back = at.checked_sub(1).and_then(|i| tape.before(i));
    match tape.before(at) {
        Some(b'_' | b'$') => false,
        Some(b'-' | b'.' | b'/' | b'+' | b'\'') => !back.is_some_and(|b| Class::ALNUM.has(b)),
        Some(b',') => !behind_number(tape, at),
        _ => true,
    }
}

fn ends(tape: &Tape<'_>, end: usize) -> bool {
    match tape.at(end) {
        Some(byte) if Class::WORD.has(byte) => false,
        Some(b'-' | b'/' | b'\\' | b'@') => !tape.at(end + 1).is_some_and(|b| Class::ALNUM.has(b)),
        Some(b'.' | b':') => !tape.at(end + 1).is_some_and(|b| b.is_ascii_digit()),
        Some(b',') => !before_number(tape, end),
        _ => true,
    }
}

/// True where digits stand before a number, a separator between: it is the rest of a longer one.
fn goes_on_before(tape: &Tape<'_>, at: usize) -> bool {
    let start = tape.run_back(at, at.saturating_sub(PREFIX), SEPARATOR);
    start < at && tape.before(start).is_some_and(|b| b.is_ascii_digit())
}

/// True where the groups of digits go on with the same separator, in front or behind: they are part of a longer number.
fn is_of_row(tape: &Tape<'_>, at: usize, reading: &Reading) -> bool {
    let Some(separator) = reading.separator else { return false };
    let digit = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_digit());
    tape.before(at) == Some(separator) && digit(at.checked_sub(1).and_then(|i| tape.before(i)))
        || tape.at(reading.end) == Some(separator) && digit(tape.at(reading.end + 1))
}

/// True where what was found is part of an account number or of a card.
fn is_of_account(tape: &Tape<'_>, at: usize, found: &Found) -> bool {
    let around = |back: usize, find: fn(&Tape<'_>, usize) -> Option<usize>| {
        (at.saturating_sub(back)..=at)
            .filter(|start| word_starts(tape, *start))
            .filter_map(|start| find(tape, start).map(|end| (start, end)))
            .any(|(start, end)| start <= at && found.end <= end && (start, end) != (at, found.end))
    };
    around(iban::LONGEST, iban::end_at) || around(credit_card::LONGEST, credit_card::end_at)
}

/// True behind the prefix of a country, as in `+1 415 …`.
fn has_prefix(tape: &Tape<'_>, at: usize) -> bool {
    let start = tape.run_back(at, at.saturating_sub(PREFIX), SEPARATOR.or(Class::DIGIT));
    start < at && tape.before(start) == Some(b'+')
}

/// The text at a place as a form has it, with its check digits right.
fn read(tape: &Tape<'_>, at: usize, form: Form) -> Option<Reading> {
    let id = IDS.get(form.row)?;
    let mut compact = [0_u8; LONGEST];
    let mut count = 0;
    let mut end = at;
    let digits_first = tape.at(at)?.is_ascii_digit();
    let mut separator = None;
    for (place, want) in form.shape.iter().enumerate() {
        if is_separator(*want) {
            if form.printed {
                let seen = tape.at(end)?;
                // As the form has it, or the same plain separator each time.
                let plain = matches!(seen, b' ' | b'-' | b'.' | b'/') && !matches!(want, b'(' | b')');
                if seen != *want && !(plain && separator.is_none_or(|s| s == seen)) {
                    return None;
                }
                if plain {
                    separator = Some(seen);
                }
                end += 1;
            }
            continue;
        }
        let byte = tape.at(end)?;
        // A check letter behind digits is often written small.
        let last = digits_first && place + 1 == form.shape.len();
        let letter = byte.is_ascii_uppercase() || last && byte.is_ascii_lowercase();
        let fits = match want {
            b'9' => byte.is_ascii_digit(),
            b'A' => letter,
            _ => letter || byte.is_ascii_digit(),
        };
        if !fits {
            return None;
        }
        *compact.get_mut(count)? = byte.to_ascii_uppercase();
        count += 1;
        end += 1;
    }
    let compact = compact.get(..count)?;
    let right = ends(tape, end) && (id.check)(compact) && !(id.trust == Trust::Grouped && has_prefix(tape, at));
    right.then_some(Reading { row: form.row, end, printed: form.printed, separator })
}

/// The best of the readings: one that a word announces, the nearest word first; else the surest by itself.
fn best(tape: &Tape<'_>, at: usize, readings: &[Reading]) -> Option<Found> {
    let longest = readings.iter().map(|r| r.end).max()?;
    let before = tape.slice(Span::new(at.saturating_sub(BEFORE), at));
    let follows_word = tape.before(at.saturating_sub(BEFORE)).is_some_and(|b| Class::ALNUM.has(b));
    let named = announced(before, follows_word, readings).or_else(|| {
        (longest..longest + BEHIND).take_while(|i| tape.at(*i).is_some_and(|b| b != b'\n')).last();
        let behind = tape.slice(Span::new(longest, (longest + BEHIND).min(tape.len())));
        let line = behind.split(|b| matches!(b, b'\n' | b'.' | b';')).next().unwrap_or_default();
        announced(line, true, readings)
    });
    if let Some(reading) = named.and_then(|n| readings.get(n)) {
        return Some(Found { row: IDS.get(reading.row)?, end: reading.end, confidence: Confidence::High });
    }
    readings
        .iter()
        .filter_map(|r| {
            let row = IDS.get(r.row)?;
            let confidence = match row.trust {
                Trust::Sure => Confidence::High,
                Trust::Fair => Confidence::Medium,
                Trust::Printed if r.printed && !is_of_row(tape, at, r) => Confidence::Medium,
                Trust::Grouped if r.printed && !goes_on_before(tape, at) => Confidence::Low,
                Trust::Printed | Trust::Grouped | Trust::Named => return None,
            };
            Some(Found { row, end: r.end, confidence })
        })
        .max_by_key(|f| (f.confidence, f.end))
}

/// Which reading a word of `text` announces: that with the last one, and of several words there the longest.
fn announced(text: &[u8], follows_word: bool, readings: &[Reading]) -> Option<usize> {
    let mut best: Option<(usize, usize, usize)> = None;
    for hit in INDEX.words.as_ref()?.find_overlapping_iter(text) {
        let starts = match hit.start().checked_sub(1) {
            Some(before) => !text.get(before).is_some_and(|b| Class::ALNUM.has(*b)),
            None => !follows_word,
        };
        let (length, rows) = INDEX.rows_of.get(hit.pattern().as_usize())?;
        // Short words are words of their own; long ones may go on.
        let whole = *length > 4 || !text.get(hit.end()).is_some_and(u8::is_ascii_alphabetic);
        if !starts || !whole {
            continue;
        }
        for (at, reading) in readings.iter().enumerate().filter(|(_, r)| rows.contains(&r.row)) {
            // Among equal words the reading that takes more of the text, then the row that comes first.
            let better = best.is_none_or(|(end, long, other)| {
                let other_end = readings.get(other).map_or(0, |r| r.end);
                (hit.end(), *length, reading.end) > (end, long, other_end)
            });
            if better {
                best = Some((hit.end(), *length, at));
            }
        }
    }
    best.map(|(_, _, at)| at)
}

/// The detector of all identifiers.
struct Identifiers;

impl Detector for Identifiers {
    fn rules(&self) -> &[Rule] {
        &RULES
    }

    fn views(&self) -> Views {
        Views::TOKENS
    }

    fn hold(&self) -> Hold {
        Hold::Bounded(LONGEST + BEHIND + 2)
    }

    fn cost(&self) -> Cost {
        Cost::Regex
    }

    fn anchors(&self) -> Anchors<'_> {
        Anchors::ALWAYS
    }

    fn live(&self, tail: &str) -> usize {
        live_from(tail, LONGEST + BEHIND + 2, |tape, at| {
            find(tape, at);
        })
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        for text in subject.views(self.views()) {
            let tape = Tape::new(&text.text);
            let bytes = text.text.as_bytes();
            let mut word = false;
            let mut done = 0;
            for (at, byte) in bytes.iter().enumerate() {
                let inside = byte.is_ascii_alphanumeric();
                let begins = inside && (!word || word_starts(&tape, at));
                word = inside;
                if !begins || at < done || byte.is_ascii_lowercase() {
                    continue;
                }
                if let Some(found) = find(&tape, at)
                    && let Some(rule) = rule_of(found.row.kind)
                {
                    let report = Report::new(rule, text, Span::new(at, found.end))
                        .entity(found.row.name)
                        .confidence(found.confidence);
                    // A guess is below the gate of a check.
                    let guess = found.confidence == Confidence::Low;
                    out.report(if guess { report.severity(Severity::Info) } else { report });
                    done = found.end;
                }
            }
        }
    }
}

/// Builds the detector.
///
/// # Errors
/// None.
pub fn make(_: &Settings) -> Result<Box<dyn Detector>, RulesError> {
    Ok(Box::new(Identifiers))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Compact identifiers of a row that check, by trying fillings of its first shape.
    fn samples(id: &Id, shape: &str, wanted: usize) -> Vec<String> {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut next = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut found = Vec::new();
        // The rarest have letters, dates and two check digits.
        for _ in 0..3_000_000 {
            if found.len() == wanted {
                break;
            }
            let date = (next(60), 1 + next(12), 1 + next(28));
            let date = format!("{:02}{:02}{:02}", date.0, date.1, date.2);
            let turned = format!("{}{}{}", &date[4..], &date[2..4], &date[..2]);
            let mut text: Vec<u8> = shape
                .bytes()
                .map(|b| match b {
                    b'9' => b'0' + u8::try_from(next(10)).unwrap(),
                    b'A' => b'A' + u8::try_from(next(26)).unwrap(),
                    b'X' if next(2) == 0 => b'A' + u8::try_from(next(26)).unwrap(),
                    b'X' => b'0' + u8::try_from(next(10)).unwrap(),
                    other => other,
                })
                .collect();
            // Half of the fillings get what many schemes begin with.
            let lead = ["", "DE", "GB", "FR", "BE", "NL", "ATU", "CHE", "756", "784", "GHA", "89", &date, &turned];
            let lead = lead[usize::try_from(next(14)).unwrap()];
            let skip = usize::try_from(next(2)).unwrap();
            let places: Vec<usize> = (0..text.len())
                .filter(|i| !is_separator(text[*i]))
                .skip(if lead.len() == 6 { skip } else { 0 })
                .collect();
            for (at, b) in places.iter().zip(lead.bytes()) {
                text[*at] = b;
            }
            let compact: Vec<u8> = text.iter().copied().filter(|b| !is_separator(*b)).collect();
            let fits = shape.bytes().zip(&text).all(|(want, b)| match want {
                b'9' => b.is_ascii_digit(),
                b'A' => b.is_ascii_uppercase(),
                _ => true,
            });
            if fits && (id.check)(&compact) {
                found.push(String::from_utf8(text).unwrap());
            }
        }
        found
    }

    fn found(text: &str, at: usize) -> Option<Found> {
        find(&Tape::new(text), at)
    }

    #[test]
    fn every_row_is_found_where_a_word_names_it() {
        for id in IDS {
            // Words of several rows name the first; the last is the row's own more often.
            for shape in id.shapes {
                let all = samples(id, shape, 4);
                assert!(!all.is_empty(), "{}: nothing of the form `{shape}` checks", id.name);
                for sample in all {
                    let named = id.words.iter().any(|word| {
                        let text = format!("{word}: {sample} ok");
                        found(&text, word.len() + 2).is_some_and(|f| f.row.name == id.name && f.end == text.len() - 3)
                    });
                    assert!(
                        named,
                        "{}: `{sample}` is not found behind any of its words; found {:?}",
                        id.name,
                        id.words
                            .iter()
                            .map(|w| found(&format!("{w}: {sample} ok"), w.len() + 2).map(|f| (f.row.name, f.end)))
                            .collect::<Vec<_>>()
                    );
                }
            }
        }
    }

    #[test]
    fn check_digits_tell_numbers_apart() {
        // Of numbers of the right shape at most a third pass; what has no check digit needs a word.
        for id in IDS.iter().filter(|id| matches!(id.trust, Trust::Sure | Trust::Fair)) {
            for sample in samples(id, id.shapes[0], 1) {
                let digits: Vec<usize> = (0..sample.len()).filter(|i| sample.as_bytes()[*i].is_ascii_digit()).collect();
                let passes = digits
                    .iter()
                    .filter(|at| {
                        let mut wrong = sample.clone().into_bytes();
                        wrong[**at] = b'0' + (wrong[**at] - b'0' + 3) % 10;
                        let compact: Vec<u8> = wrong.into_iter().filter(|b| !is_separator(*b)).collect();
                        (id.check)(&compact)
                    })
                    .count();
                let structural = ["UK_NINO", "IN_PAN", "US_MBI", "UK_DRIVING_LICENCE", "GH_CARD"].contains(&id.name);
                assert!(
                    structural || passes * 3 <= digits.len(),
                    "{}: {passes} of {} changes pass",
                    id.name,
                    digits.len()
                );
            }
        }
    }

    #[test]
    fn sixty_countries() {
        let countries: BTreeSet<&str> =
            IDS.iter().filter_map(|id| id.name.split_once('_')).map(|(c, _)| c).filter(|c| c.len() == 2).collect();
        assert!(countries.len() >= 60, "{} countries: {countries:?}", countries.len());
    }

    #[test]
    fn parts_of_longer_numbers_are_none() {
        let any = |text: &str| (0..text.len()).find_map(|at| found(text, at).map(|f| f.row.name));
        for text in ["IBAN: SE98 1355 4487 7303 6188 1838", "1355 4487 7303 6188 1838", "Karte 4111 1111 1111 1111"] {
            assert_eq!(any(text), None, "{text}");
        }
        assert_eq!(any("lotto AB, FB9034531"), None);
        assert_eq!(any("DEA FB9034531"), Some("MEDICAL_LICENSE"));
    }

    #[test]
    fn bare_numbers_say_nothing() {
        for text in ["9434765919", "111444777", "86095742719", "order 4485275742308327 units", "123456789012345"] {
            let at = text.find(|c: char| c.is_ascii_digit()).unwrap();
            assert!(found(text, at).is_none(), "{text}");
        }
        let guess = |f: Found| f.row.name == "UK_NHS" && f.confidence == Confidence::Low;
        assert!(found("943 476 5919", 0).is_some_and(guess));
        for text in ["call +1 943 476 5919", "order 17 943 476 5919", "NHS 24 line +44 943 476 5919"] {
            assert!(found(text, text.find("943").unwrap()).is_none(), "{text}");
        }
        assert!(found("NHS 943 476 5919", 4).is_some_and(|f| f.confidence == Confidence::High));
    }
}
