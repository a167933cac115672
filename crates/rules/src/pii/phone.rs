//! Telephone numbers.

use bartizan_core::{Confidence, Detector, Reference, Severity};

use super::entity::{Entity, EntityDetector, Match, Places};
use super::groups::{Groups, leading, number_ends, number_starts};
use crate::tape::{Class, Tape, word_before, word_starts};
use crate::{RulesError, Settings};

/// Most digits of a number (ITU-T E.164).
const MOST: usize = 15;
/// How many bytes before a number that is plainly one, or starts with a trunk zero, a context word may start.
const FAR: usize = 100;
/// The same for numbers of any other grouping.
const NEAR: usize = 48;

/// The same for numbers that are short or grouped as few are.
const CLOSE: usize = 24;

/// Countries with numbers of four digits (ITU-T E.164, national numbering plans): Saint Helena, Niue, Tokelau.
const SHORTEST: [u32; 3] = [290, 683, 690];

/// Words that announce a telephone number.
const BEFORE: [&[u8]; 67] = [
    b"phone",
    b"telephone",
    b"tel.",
    b"tel:",
    b"tel ",
    b"telefon",
    b"telef",
    b"mobile",
    b"cell",
    b"fax",
    b"call",
    b"dial",
    b"sms",
    b"text me",
    b"text us",
    b"whatsapp",
    b"contact number",
    b"reach",
    b"messages to",
    b"message to",
    b"hotline",
    b"handy",
    b"movil",
    b"rufnummer",
    "teléfono".as_bytes(),
    "téléphone".as_bytes(),
    "móvil".as_bytes(),
    b"direct line",
    b"direct number",
    b"anrufen",
    b"erreichen sie",
    b"erreichbar",
    b"appeler",
    b"appelez",
    b"llamar",
    b"llame",
    b"chiamare",
    b"chiami",
    b"bellen",
    b"bel ",
    b"ligar",
    "zadzwoń".as_bytes(),
    b"cellulare",
    b"telefoon",
    "dzwoń".as_bytes(),
    b"dzwoni",
    "llámame".as_bytes(),
    "llámanos".as_bytes(),
    b"chiamami",
    b"chiamaci",
    b"liga-me",
    b"ligue",
    b"ruf mich",
    b"rufen sie",
    "rückruf".as_bytes(),
    b"rueckruf",
    b"contacto",
    b"meu zap",
    b"zap:",
    b"appelle",
    b"bel me",
    b"bel mij",
    b"numer telefonu",
    "telemóvel".as_bytes(),
    b"celular",
    "komórk".as_bytes(),
    b"portable",
];

/// Words that make a number with a trunk zero one of telephones.
const OWN: [&[u8]; 37] = [
    b"my number",
    b"registered",
    b"number is",
    b"contact",
    b"meine nummer",
    "mi número".as_bytes(),
    "mon numéro".as_bytes(),
    b"mio numero",
    b"ring me",
    b"her number",
    b"his number",
    b"your number",
    b"their number",
    b"ihre nummer",
    b"seine nummer",
    b"deine nummer",
    b"haar nummer",
    b"zijn nummer",
    b"mijn nummer",
    b"uw nummer",
    "su número".as_bytes(),
    "tu número".as_bytes(),
    "son numéro".as_bytes(),
    "votre numéro".as_bytes(),
    b"suo numero",
    b"tuo numero",
    "seu número".as_bytes(),
    "meu número".as_bytes(),
    "mój numer".as_bytes(),
    "numero è".as_bytes(),
    "número é".as_bytes(),
    "número es".as_bytes(),
    "numéro est".as_bytes(),
    b"nummer ist",
    b"numer to",
    b"nummer is",
    "mój nr".as_bytes(),
];

/// Words before the numbers of things, which are grouped as telephone numbers are.
const THINGS: [&[u8]; 20] = [
    b"part n",
    b"parts n",
    b"part #",
    b"serial",
    b"seriennummer",
    b"model n",
    b"model:",
    b"lot n",
    b"lot:",
    b"lot #",
    b"batch",
    b"article",
    b"artikel",
    b"articolo",
    "artículo".as_bytes(),
    b"teilenummer",
    b"item n",
    b"catalog",
    b"sku",
    b"isbn",
];

/// Words that name the line a number belongs to.
const AFTER: [&[u8]; 9] = [b"office", b"fax", b"mobile", b"cell", b"phone", b"work", b"home", b"anrufen", b"bellen"];

/// Calling codes of two digits (ITU-T E.164 assigned country codes). 1 and 7 have one digit; all others three.
const TWO_DIGITS: [u32; 44] = [
    20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58, 60, 61, 62,
    63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98,
];
/// First two digits of calling codes of three.
const THREE_DIGITS: [u32; 23] =
    [21, 22, 23, 24, 25, 26, 29, 35, 37, 38, 42, 50, 59, 67, 68, 69, 80, 85, 87, 88, 96, 97, 99];

static ENTITY: Entity = Entity {
    id: "pii/phone",
    name: "PHONE_NUMBER",
    summary: "telephone number",
    doc: include_str!("phone.md"),
    severity: Severity::Medium,
    references: &[
        Reference::new("OWASP-LLM", "LLM02"),
        Reference::new("CWE", "CWE-359"),
        Reference::new("URL", "https://www.itu.int/rec/T-REC-E.164"),
    ],
    places: Places::Digits { lead: 2 },
    longest: 40,
    ahead: 12,
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
    match tape.at(at)? {
        b'+' => international(tape, at),
        b'(' => with_area(tape, at),
        b'0'..=b'9' => national(tape, at),
        _ => None,
    }
}

const fn found(end: usize, confidence: Confidence) -> Option<Match> {
    Some(Match::new(end, confidence))
}

fn named(tape: &Tape<'_>, start: usize, within: usize) -> bool {
    word_before(tape, start, within, &BEFORE, true)
}

/// True where a word behind the number, after at most two blanks or a hyphen, names its line.
fn named_behind(tape: &Tape<'_>, end: usize) -> bool {
    let word = tape.run(end, end + 2, Class::of(b" -,("));
    word > end
        && AFTER
            .iter()
            .any(|w| (word..).zip(*w).all(|(i, want)| tape.at(i).is_some_and(|b| b.eq_ignore_ascii_case(want))))
}

/// True where digits stand right before `start`, with a blank at most between.
fn follows_digits(tape: &Tape<'_>, start: usize) -> bool {
    let end = tape.run_back(start, start.saturating_sub(1), Class::of(b" "));
    tape.before(end).is_some_and(|b| b.is_ascii_digit())
}

fn valid_code(digits: &[u8]) -> bool {
    match digits.first() {
        Some(b'1') => digits.len() == 11 && digits.get(1).is_some_and(|d| *d >= b'2'),
        Some(b'7') => digits.len() == 11,
        _ => {
            let two = leading(digits, 2);
            TWO_DIGITS.contains(&two) || THREE_DIGITS.contains(&two)
        }
    }
}

/// `+46 (0)8 928 571 38`, `+1-984-182-0190`, `+447700677662`.
fn international(tape: &Tape<'_>, at: usize) -> Option<Match> {
    if !word_starts(tape, at) || tape.before(at) == Some(b'+') {
        return None;
    }
    let separator = Class::of(b" -./()");
    let mut digits = Vec::new();
    let mut best = None;
    let mut from = at + 1;
    while digits.len() <= MOST {
        let end = tape.run(from, from + MOST + 1, Class::DIGIT);
        if end == from {
            break;
        }
        digits.extend(tape.slice(bartizan_core::Span::new(from, end)));
        // The trunk zero in parentheses is not dialled from abroad.
        if digits.last() == Some(&b'0') && end == from + 1 && tape.before(from) == Some(b'(') {
            digits.pop();
        }
        let least = if SHORTEST.contains(&leading(&digits, 3)) { 7 } else { 8 };
        if (least..=MOST).contains(&digits.len()) && valid_code(&digits) && number_ends_or_goes_on(tape, end) {
            best = Some(end);
        }
        from = tape.run(end, end + 2, separator);
        if from == end {
            break;
        }
    }
    // A blank after the plus sign, or a zero, is arithmetic.
    if !tape.at(at + 1).is_some_and(|b| (b'1'..=b'9').contains(&b)) {
        return None;
    }
    found(best?, Confidence::High)
}

fn number_ends_or_goes_on(tape: &Tape<'_>, end: usize) -> bool {
    !tape.at(end).is_some_and(|b| Class::WORD.has(b))
}

/// `(579) 888-3058`, `(020) 7946 0958`.
fn with_area(tape: &Tape<'_>, at: usize) -> Option<Match> {
    if !word_starts(tape, at) || follows_digits(tape, at) {
        return None;
    }
    let close = tape.run(at + 1, at + 7, Class::DIGIT);
    let area = close - at - 1;
    if !(2..=5).contains(&area) || tape.at(close) != Some(b')') {
        return None;
    }
    let from = tape.run(close + 1, close + 2, Class::of(b" -."));
    if !tape.at(from).is_some_and(|b| b.is_ascii_digit()) {
        return None;
    }
    let groups = Groups::read(tape, from, Class::of(b" -."), true, 10)?;
    let lengths = groups.lengths();
    let end = groups.end_of(lengths.len())?;
    let total: usize = area + lengths.iter().sum::<usize>();
    if !(7..=12).contains(&total) || !(number_ends(tape, end) || named_behind(tape, end)) {
        return None;
    }
    let american = area == 3 && lengths == [3, 4] && tape.at(at + 1).is_some_and(|b| b >= b'2');
    match (american, named(tape, at, FAR) || named_behind(tape, end)) {
        (true, true) => found(end, Confidence::High),
        (true, false) | (false, true) => found(end, Confidence::Medium),
        (false, false) => None,
    }
}

/// Numbers without a country code. Only the American grouping speaks for itself.
fn national(tape: &Tape<'_>, at: usize) -> Option<Match> {
    if !number_starts(tape, at)
        || matches!(tape.before(at), Some(b'+' | b'$' | b'#' | b')'))
        || follows_digits(tape, at)
    {
        return None;
    }
    one_separator(tape, at).or_else(|| loose(tape, at))
}

/// `070-123 39 53`, `8 029 491-95-51`, `6 71 23 51 36`, `71238086`: written in ways that other numbers are too, so a word
/// close by has to say what it is.
fn loose(tape: &Tape<'_>, at: usize) -> Option<Match> {
    let trunk = tape.at(at) == Some(b'0');
    let owned = trunk && word_before(tape, at, NEAR, &OWN, true);
    if !owned && !named(tape, at, if trunk { FAR } else { CLOSE }) {
        return None;
    }
    let (mut lengths, mut digits) = (Vec::new(), Vec::new());
    let mut from = at;
    let mut end = at;
    while lengths.len() < 7 && digits.len() <= 12 {
        let stop = tape.run(from, from + 13, Class::DIGIT);
        if stop == from {
            break;
        }
        lengths.push(stop - from);
        digits.extend(tape.slice(bartizan_core::Span::new(from, stop)));
        end = stop;
        from = tape.run(stop, stop + 1, Class::of(b" -/"));
        if from == stop {
            break;
        }
    }
    let first = *lengths.first()?;
    let rest = lengths.get(1..).unwrap_or_default();
    let plain = lengths.len() == 1 && first == 8;
    let grouped = !rest.is_empty() && rest.iter().all(|n| (2..=8).contains(n)) && (first > 1 || rest.len() > 1);
    if !(plain || grouped)
        || !(7..=12).contains(&digits.len())
        || !number_ends(tape, end)
        || is_date_like(&lengths, &digits)
    {
        return None;
    }
    found(end, Confidence::Medium)
}

/// Groups with the same sign between any two.
fn one_separator(tape: &Tape<'_>, at: usize) -> Option<Match> {
    let groups = Groups::read(tape, at, Class::of(b" -./"), true, MOST + 2)?;
    let lengths = groups.lengths();
    let count = lengths.len();
    let end = groups.end_of(count)?;
    let digits = groups.digits_of(count);
    let separator = tape.at(at + lengths.first()?);
    if !(number_ends(tape, end) || named_behind(tape, end)) || digits.len() > MOST {
        return None;
    }
    let near = |within| named(tape, at, within) || named_behind(tape, end);
    let area = |skip: usize| digits.get(skip).is_some_and(|d| *d >= b'2');
    match lengths.as_slice() {
        [3, 3, 4] if area(0) && matches!(separator, Some(b'-' | b'.')) => {
            if !near(FAR) && word_before(tape, at, NEAR, &THINGS, true) {
                return None;
            }
            return found(end, if near(FAR) { Confidence::High } else { Confidence::Medium });
        }
        [1, 3, 3, 4] if digits.first() == Some(&b'1') && area(1) && separator == Some(b'-') => {
            return found(end, Confidence::High);
        }
        _ => {}
    }
    // In `0.0276915448` the second zero is of the decimals.
    let abroad = digits.starts_with(b"00") && digits.len() >= 10 && valid_code(digits.get(2..).unwrap_or_default());
    if abroad && count > 1 && lengths.first().is_some_and(|n| *n >= 2) {
        return found(end, if near(FAR) { Confidence::High } else { Confidence::Medium });
    }
    if separator == Some(b'.') && count > 1 || is_date_like(&lengths, digits) {
        return None;
    }
    let trunk = digits.first() == Some(&b'0') && (9..=11).contains(&digits.len());
    let grouped = (2..=5).contains(&count) && lengths.iter().all(|n| *n >= 2) && (7..=12).contains(&digits.len());
    let plain = count == 1 && ((9..=12).contains(&digits.len()) || abroad);
    // Four digits at most in a group, and three groups or more: written so that somebody can dial it.
    let dialled = trunk
        && digits.get(1).is_some_and(|d| *d != b'0')
        && (3..=5).contains(&count)
        && lengths.iter().all(|n| (2..=4).contains(n))
        && matches!(separator, Some(b' ' | b'-' | b'/'));
    let announced = match (trunk, grouped, plain) {
        (true, true, _) => dialled || near(FAR) || word_before(tape, at, NEAR, &OWN, true),
        (_, true, _) => near(NEAR) || digits.len() < 9 && word_before(tape, at, CLOSE, &[b"registered"], true),
        (_, _, true) => near(NEAR),
        _ => false,
    };
    if announced { found(end, Confidence::Medium) } else { None }
}

/// Dates, social security numbers and spans of years.
fn is_date_like(lengths: &[usize], digits: &[u8]) -> bool {
    let year = |n: usize| matches!(leading(digits.get(n..).unwrap_or_default(), 2), 19 | 20);
    match lengths {
        [4, 2, 2] | [4, 4] | [4, 2, 2, ..] => year(0),
        [2, 2, 4] => year(4),
        [2, 2, 2] | [3, 2, 4] => true,
        [8] => year(0),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers in a text.
    fn all(text: &str) -> Vec<&str> {
        let tape = Tape::new(text);
        let mut found = Vec::new();
        let mut done = 0;
        for at in 0..text.len() {
            if at >= done
                && let Some(hit) = find(&tape, at)
            {
                done = hit.end;
                found.push(&text[at..hit.end]);
            }
        }
        found
    }

    #[test]
    fn decimals_are_no_numbers() {
        for text in
            ["loss 0.0276915448", "\"ratio\": 0.027691544810", "Preis 0.0345678912 EUR", "[0.03141592653, 0.0498]"]
        {
            assert!(all(text).is_empty(), "{text}");
        }
        assert_eq!(all("dial 0044 20 7946 0958 or 00.48.51.234.73.93"), ["0044 20 7946 0958", "00.48.51.234.73.93"]);
    }

    #[test]
    fn cells_of_rows_are_numbers() {
        assert_eq!(all("Ann,0044 20 7946 0958,x"), ["0044 20 7946 0958"]);
        assert_eq!(all("phone,(201) 555-6285,1970-12-17"), ["(201) 555-6285"]);
        assert_eq!(all("2019-11-05,201-555-6285,5"), ["201-555-6285"]);
        assert!(all("call about 1,234,567,890 of them").is_empty());
    }

    #[test]
    fn numbers_of_things_are_grouped_alike() {
        for text in ["Part numbers: 244-661-5073", "Serial no. 745-383-6394", "Artikel 469-179-8923"] {
            assert!(all(text).is_empty(), "{text}");
        }
        assert_eq!(all("part number lost, call 244-661-5073"), ["244-661-5073"]);
    }

    #[test]
    fn words_announce_numbers() {
        for text in [
            "phone 0048512347393",
            "Dzwoń 512 347 393",
            "llámame al 612 34 56 78",
            "ruf mich an: 0151 23456789",
            "Tel (201).559-2985",
        ] {
            assert_eq!(all(text).len(), 1, "{text}: {:?}", all(text));
        }
    }
}
