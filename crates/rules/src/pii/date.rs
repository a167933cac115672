//! Dates, with the time of day that goes with them.

use std::sync::LazyLock;

use bartizan_core::{Confidence, Detector, Reference, Severity, Span};
use bartizan_lexicon::months;

use super::entity::{Entity, EntityDetector, Match, Places};
use super::words::{any_at, number, previous, word_ending};
use crate::tape::{Class, Tape, word_starts};
use crate::{RulesError, Settings};

/// Words before a year that stands alone.
const YEAR: [&str; 50] = [
    "in",
    "during",
    "since",
    "until",
    "till",
    "from",
    "by",
    "before",
    "after",
    "a",
    "the",
    "year",
    "spring",
    "summer",
    "autumn",
    "winter",
    "fall",
    "early",
    "late",
    "mid",
    "circa",
    "born",
    "im",
    "jahr",
    "jahre",
    "seit",
    "en",
    "depuis",
    "année",
    "année",
    "año",
    "desde",
    "nel",
    "dal",
    "anno",
    "sinds",
    "jaar",
    "em",
    "ano",
    "roku",
    "rok",
    "of",
    "around",
    "throughout",
    "class",
    "bis",
    "ab",
    "vor",
    "nach",
    "le",
];

static ENTITY: Entity = Entity {
    id: "pii/date",
    name: "DATE_TIME",
    summary: "date, or date and time",
    doc: include_str!("date.md"),
    severity: Severity::Info,
    references: &[
        Reference::new("OWASP-LLM", "LLM02"),
        Reference::new("CWE", "CWE-359"),
        Reference::new("RFC", "RFC 3339"),
    ],
    places: Places::Word(Class::ALNUM),
    longest: 48,
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
    let first = tape.at(at)?;
    if !Class::ALNUM.has(first) || !word_starts(tape, at) {
        return None;
    }
    if tape.before(at).is_some_and(|b| b >= 128 || matches!(b, b'_' | b'$' | b'#' | b'@' | b'\\')) {
        return None;
    }
    if first.is_ascii_digit() {
        if matches!(tape.before(at), Some(b'.' | b'-' | b'/' | b':' | b'+'))
            && at.checked_sub(1).and_then(|i| tape.before(i)).is_some_and(|b| Class::ALNUM.has(b))
        {
            return None;
        }
        return year_first(tape, at)
            .or_else(|| numeric(tape, at))
            .or_else(|| day_month(tape, at))
            .or_else(|| year_alone(tape, at));
    }
    month_first(tape, at)
}

/// For the last five bits of a first letter, those of the second letters of months as bits.
static BEGINNINGS: LazyLock<[u32; 32]> = LazyLock::new(|| {
    let mut table = [0; 32];
    for name in months::all() {
        if let [first, second, ..] = name.as_bytes()
            && let Some(seconds) = table.get_mut(usize::from(first & 31))
        {
            *seconds |= 1 << (second & 31);
        }
    }
    table
});

/// Every name once, in order: those that begin alike stand together.
static MONTHS: LazyLock<Vec<&'static [u8]>> = LazyLock::new(|| {
    let mut names: Vec<_> = months::all().map(str::as_bytes).collect();
    names.sort_unstable();
    names.dedup();
    names
});

/// The end of the month's name that stands at `at`.
fn month(tape: &Tape<'_>, at: usize) -> Option<usize> {
    // Three letters tell nearly all words of prose from months.
    let mut start = [0_u8; 3];
    for (slot, i) in start.iter_mut().zip(at..) {
        *slot = tape.at(i).filter(|b| b.is_ascii_alphabetic() || *b >= 128)?.to_ascii_lowercase();
    }
    let [first, second, _] = start;
    if BEGINNINGS.get(usize::from(first & 31)).is_none_or(|seconds| seconds >> (second & 31) & 1 != 1) {
        return None;
    }
    let from = MONTHS.partition_point(|m| *m < start.as_slice());
    MONTHS
        .iter()
        .skip(from)
        .take_while(|m| m.starts_with(&start))
        .filter_map(|m| any_at(tape, at, &[m]))
        .max()
        .map(|end| if tape.at(end) == Some(b'.') { end + 1 } else { end })
}

const fn is_year(year: u32) -> bool {
    year >= 1850 && year <= 2099
}

fn ends(tape: &Tape<'_>, end: usize) -> bool {
    match tape.at(end) {
        Some(b) if Class::WORD.has(b) => false,
        Some(b'-' | b'/' | b':') => !tape.at(end + 1).is_some_and(|b| Class::ALNUM.has(b)),
        Some(b'.') => !tape.at(end + 1).is_some_and(|b| b.is_ascii_digit()),
        // `May 3,000`; the next cell of a row may be any other number.
        Some(b',') => tape.run(end + 1, end + 5, Class::DIGIT) != end + 4,
        Some(b'%') => false,
        _ => true,
    }
}

/// A time of day that belongs to the date before it: ` 23:08:55`, `T23:08:55.123+02:00`, ` at 9:30 pm`.
fn time(tape: &Tape<'_>, end: usize) -> usize {
    let from = match tape.at(end) {
        Some(b'T' | b't') => end + 1,
        Some(b',') if tape.at(end + 1) == Some(b' ') => end + 2,
        Some(b' ') if tape.starts(end, b" at ") => end + 4,
        Some(b' ') if tape.starts(end, b" um ") => end + 4,
        Some(b' ') => end + 1,
        _ => return end,
    };
    let Some((mut stop, hour)) = number(tape, from, 2) else { return end };
    if hour > 24 || tape.at(stop) != Some(b':') {
        return end;
    }
    for _ in 0..2 {
        if tape.at(stop) != Some(b':') {
            break;
        }
        let Some((next, part)) = number(tape, stop + 1, 2) else { break };
        if part > 60 || next != stop + 3 {
            break;
        }
        stop = next;
    }
    if tape.at(stop) == Some(b'.') {
        let fraction = tape.run(stop + 1, stop + 10, Class::DIGIT);
        stop = if fraction > stop + 1 { fraction } else { stop };
    }
    match tape.at(stop) {
        Some(b'Z') => stop += 1,
        Some(b'+' | b'-') => {
            let zone = tape.run(stop + 1, stop + 6, Class::DIGIT.or(Class::of(b":")));
            stop = if zone >= stop + 3 { zone } else { stop };
        }
        Some(b' ') => {
            for half in [&b"am"[..], b"pm", b"a.m.", b"p.m.", b"uhr"] {
                if super::words::word_at(tape, stop + 1, half) {
                    stop += 1 + half.len();
                    break;
                }
            }
        }
        _ => {}
    }
    stop
}

/// `2007-01-17`, `2007/01/17`, `2007年1月17日`.
fn year_first(tape: &Tape<'_>, at: usize) -> Option<Match> {
    let (end, year) = number(tape, at, 4)?;
    if end != at + 4 || !is_year(year) {
        return None;
    }
    if tape.starts(end, "年".as_bytes()) {
        let (end, month) = number(tape, end + 3, 2)?;
        if !tape.starts(end, "月".as_bytes()) || month > 12 {
            return None;
        }
        let (end, _) = number(tape, end + 3, 2)?;
        return tape.starts(end, "日".as_bytes()).then(|| Match::new(end + 3, Confidence::High));
    }
    let separator = tape.at(end).filter(|b| matches!(b, b'-' | b'/' | b'.'))?;
    let (end, month) = number(tape, end + 1, 2)?;
    if tape.at(end) != Some(separator) || !(1..=12).contains(&month) {
        return None;
    }
    let (end, day) = number(tape, end + 1, 2)?;
    if !(1..=31).contains(&day) {
        return None;
    }
    let stop = time(tape, end);
    (stop > end || ends(tape, end)).then_some(Match::new(stop, Confidence::High))
}

/// `2/8/1935`, `17.01.2007`, `17-01-07`.
fn numeric(tape: &Tape<'_>, at: usize) -> Option<Match> {
    let (end, first) = number(tape, at, 2)?;
    let separator = tape.at(end).filter(|b| matches!(b, b'-' | b'/' | b'.'))?;
    let from = tape.run(end + 1, end + 2, Class::of(b" "));
    if from > end + 1 && separator != b'.' {
        return None;
    }
    let (middle, second) = number(tape, from, 2)?;
    if tape.at(middle) != Some(separator) {
        return None;
    }
    let last = tape.run(middle + 1, middle + 2, Class::of(b" "));
    if (last > middle + 1) != (from > end + 1) {
        return None;
    }
    let (stop, year) = number(tape, last, 4)?;
    let day = |n: u32| (1..=31).contains(&n);
    let month = |n: u32| (1..=12).contains(&n);
    let fits = day(first) && month(second) || month(first) && day(second);
    // With two digits for the year all parts have two, so that versions are none.
    let short = stop - last == 2 && (separator == b'/' || end - at == 2 && middle - from == 2 && separator != b'-');
    if !fits || !(stop - last == 4 && is_year(year) || short) {
        return None;
    }
    let after = time(tape, stop);
    let confidence = if short { Confidence::Medium } else { Confidence::High };
    (after > stop || ends(tape, stop)).then_some(Match::new(after, confidence))
}

/// `3 May 2021`, `3rd of May`, `3. Mai 2021`, `3 de mayo de 2021`.
fn day_month(tape: &Tape<'_>, at: usize) -> Option<Match> {
    let (mut end, day) = number(tape, at, 2)?;
    if !(1..=31).contains(&day) {
        return None;
    }
    if let Some(suffix) = any_at(tape, end, &[b"st", b"nd", b"rd", b"th", b"er", "º".as_bytes()]) {
        end = suffix;
    } else if tape.at(end) == Some(b'.') {
        end += 1;
    }
    let mut from = tape.run(end, end + 2, Class::of(b" -"));
    if from == end {
        return None;
    }
    if let Some(link) = any_at(tape, from, &[b"of", b"de", b"di", b"d'"]) {
        from = tape.run(link, link + 1, Class::of(b" "));
    }
    let stop = month(tape, from)?;
    // `3 mar` and `2 may` are more often something else where no year follows.
    let name = stop - from;
    match year_behind(tape, stop) {
        Some(end) => Some(Match::new(time(tape, end), Confidence::High)),
        None if name > 3 && ends(tape, stop) => Some(Match::new(trimmed(tape, stop), Confidence::Medium)),
        None => None,
    }
}

fn trimmed(tape: &Tape<'_>, end: usize) -> usize {
    if tape.before(end) == Some(b'.') { end.saturating_sub(1) } else { end }
}

/// The end of a year that follows a month: ` 2021`, `, 2021`, ` de 2021`, `-2021`.
fn year_behind(tape: &Tape<'_>, end: usize) -> Option<usize> {
    let mut from = tape.run(end, end + 2, Class::of(b" ,-/"));
    if from == end {
        return None;
    }
    if let Some(link) = any_at(tape, from, &[b"de", b"del", b"of"]) {
        from = tape.run(link, link + 1, Class::of(b" "));
    }
    let (stop, year) = number(tape, from, 4)?;
    (stop == from + 4 && is_year(year) && ends(tape, stop)).then_some(stop)
}

/// `May 3, 2021`, `May 3rd`, `May 2021`, `maart 2021`.
fn month_first(tape: &Tape<'_>, at: usize) -> Option<Match> {
    let end = month(tape, at)?;
    let capital = tape.at(at).is_some_and(|b| b.is_ascii_uppercase());
    if let Some(stop) = year_behind(tape, end) {
        return Some(Match::new(stop, Confidence::High));
    }
    let from = tape.run(end, end + 1, Class::of(b" "));
    let (mut stop, day) = number(tape, from, 2)?;
    if from == end || !capital || !(1..=31).contains(&day) {
        return None;
    }
    if let Some(suffix) = any_at(tape, stop, &[b"st", b"nd", b"rd", b"th"]) {
        stop = suffix;
    }
    if let Some(end) = year_behind(tape, stop) {
        return Some(Match::new(time(tape, end), Confidence::High));
    }
    let before = previous(tape, at);
    // `may 5` after a pronoun is a verb.
    let verb = matches!(before.as_slice(), b"you" | b"we" | b"they" | b"i" | b"it");
    (ends(tape, stop) && !verb).then_some(Match::new(stop, Confidence::Medium))
}

/// `in 2004`, `a 2017 film`, `2004-2006`.
fn year_alone(tape: &Tape<'_>, at: usize) -> Option<Match> {
    let (end, year) = number(tape, at, 4)?;
    let sane = (1900..=2060).contains(&year);
    if end != at + 4 || !sane || tape.before(at) != Some(b' ') {
        return None;
    }
    let next = tape.at(end);
    if next.is_some_and(|b| Class::WORD.has(b) || matches!(b, b'%' | b'-' | b'/' | b':' | b'+' | b'*' | b'='))
        || matches!(next, Some(b'.' | b',')) && tape.at(end + 1).is_some_and(|b| b.is_ascii_digit())
    {
        return None;
    }
    let gap = tape.run_back(at, at.saturating_sub(2), Class::of(b" "));
    let word = word_ending(tape, gap);
    if !YEAR.iter().any(|w| w.as_bytes() == word.as_slice()) {
        return None;
    }
    // A quantity: a unit or a plain plural noun follows.
    let after = tape.run(end, end + 2, Class::of(b" "));
    let stop = tape.run(after, after + 16, Class::LOWER);
    let noun = tape.slice(Span::new(after, stop));
    let quantity = matches!(
        noun,
        b"ms"
            | b"kg"
            | b"km"
            | b"mb"
            | b"px"
            | b"m"
            | b"s"
            | b"rows"
            | b"items"
            | b"people"
            | b"users"
            | b"files"
            | b"bytes"
            | b"times"
            | b"tokens"
            | b"requests"
            | b"euros"
            | b"dollars"
            | b"hours"
            | b"seconds"
            | b"records"
            | b"characters"
            | b"words"
            | b"lines"
            | b"units"
            | b"points"
            | b"meters"
            | b"steps"
    );
    let loose =
        matches!(word.as_slice(), b"a" | b"the" | b"of" | b"by" | b"from" | b"le" | b"en" | b"after" | b"before");
    // `the 2017 film` goes on with a word; `a total of 2000` does not.
    let of_title = matches!(word.as_slice(), b"of")
        && !tape.slice(Span::new(at.saturating_sub(40), at)).iter().any(u8::is_ascii_uppercase);
    if quantity || loose && (of_title || year % 100 == 0 && word.as_slice() != b"in") {
        return None;
    }
    Some(Match::new(end, Confidence::Low))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> Option<&str> {
        let tape = Tape::new(text);
        (0..text.len()).find_map(|at| find(&tape, at).map(|hit| &text[at..hit.end]))
    }

    #[test]
    fn cells_of_rows_are_dates() {
        for (text, date) in [
            ("x@y.com,1970-12-17", "1970-12-17"),
            ("name,dob\nAnn,1970-12-17", "1970-12-17"),
            ("12,17.12.1970,5", "17.12.1970"),
            ("a,5 de enero de 1988", "5 de enero de 1988"),
        ] {
            assert_eq!(first(text), Some(date), "{text}");
        }
        assert_eq!(first("may 3,000 people come"), None);
    }
}
