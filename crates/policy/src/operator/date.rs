//! Dates moved by a number of days, in the form in which they are written.

use bartizan_lexicon::months;
use jiff::ToSpan as _;
use jiff::civil::Date;

/// Longest text that is taken for a date, in bytes.
const LONGEST: usize = 64;

/// A word of a text: digits, letters, or what stands between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Digits(u32, usize),
    Month { language: usize, month: usize, short: bool },
    Other,
}

/// The date in a text, moved. `None` where there is none that can be read.
pub(super) fn shifted(text: &str, days: i32) -> Option<String> {
    if text.len() > LONGEST {
        return None;
    }
    let words = split(text);
    let kinds: Vec<Word> = words.iter().map(|word| kind(word)).collect();
    let read = (0..words.len()).find_map(|at| read(&words, &kinds, at))?;
    let date = read.date.checked_add(days.days()).ok()?;
    let (year, month, day) = (i32::from(date.year()), date.month(), date.day());
    // Beside the name of a month, days are written without a zero unless they show one.
    let is_named = read.places.iter().any(|(at, _)| matches!(kinds.get(*at), Some(Word::Month { .. })));
    let mut out = String::with_capacity(text.len() + 4);
    for (at, word) in words.iter().enumerate() {
        let digits = |value: i32| format!("{value:0width$}", width = word.len());
        match read.places.iter().find(|(place, _)| *place == at).map(|(_, part)| part) {
            None if read.ordinal == Some(at) => out.push_str(ordinal(day)),
            None => out.push_str(word),
            Some(Part::Whole) => out.push_str(&format!("{year:04}{month:02}{day:02}")),
            Some(Part::Year) if word.len() == 2 => out.push_str(&format!("{:02}", year.rem_euclid(100))),
            Some(Part::Year) => out.push_str(&digits(year)),
            Some(Part::Day) if is_named && !word.starts_with('0') => out.push_str(&day.to_string()),
            Some(Part::Day) => out.push_str(&digits(i32::from(day))),
            Some(Part::Month) => match kinds.get(at) {
                Some(Word::Month { language, short, .. }) => out.push_str(&named(word, *language, month, *short)?),
                _ => out.push_str(&digits(i32::from(month))),
            },
        }
    }
    Some(out)
}

#[derive(Clone, Copy, Debug)]
enum Part {
    Year,
    Month,
    Day,
    Whole,
}

struct Read {
    date: Date,
    places: Vec<(usize, Part)>,
    /// Where the ending of an English ordinal stands.
    ordinal: Option<usize>,
}

/// The date that begins at a word.
fn read(words: &[&str], kinds: &[Word], at: usize) -> Option<Read> {
    let number = |at: usize| match kinds.get(at) {
        Some(Word::Digits(value, width)) => Some((*value, *width)),
        _ => None,
    };
    let month = |at: usize| match kinds.get(at) {
        Some(Word::Month { month, .. }) => u32::try_from(month + 1).ok(),
        _ => None,
    };
    let between = |at: usize| words.get(at).copied().filter(|w| kinds.get(at) == Some(&Word::Other) && w.len() <= 4);
    if let Some((value, 8)) = number(at) {
        let date = date(value / 10_000, value / 100 % 100, value % 100)?;
        return Some(Read { date, places: vec![(at, Part::Whole)], ordinal: None });
    }
    // With a name: the day before or behind it, and the year at the end.
    if let Some(month) = month(at) {
        let (day, ordinal, next) = day(words, kinds, at + 2)?;
        between(at + 1)?;
        between(next)?;
        let (year, width) = number(next + 1)?;
        let date = date(full_year(year, width)?, month, day)?;
        let places = vec![(at, Part::Month), (at + 2, Part::Day), (next + 1, Part::Year)];
        return Some(Read { date, places, ordinal });
    }
    if let Some((day, ordinal, next)) = day(words, kinds, at) {
        // At most one short word between, as in `3 de marzo de 1990` and `3rd of March 1990`.
        for name in [next + 1, next + 3] {
            let Some(month) = month(name) else { continue };
            for last in [name + 2, name + 4] {
                if let Some((year, width @ (2 | 4))) = number(last) {
                    let date = date(full_year(year, width)?, month, day)?;
                    let places = vec![(at, Part::Day), (name, Part::Month), (last, Part::Year)];
                    return Some(Read { date, places, ordinal });
                }
            }
        }
    }
    // Three numbers with the same short sign between.
    let (first, second, third) = (number(at)?, number(at + 2)?, number(at + 4)?);
    let sign = between(at + 1).filter(|sign| between(at + 3).map(str::trim) == Some(sign.trim()))?.trim();
    if !matches!(sign, "-" | "/" | "." | "") {
        return None;
    }
    let parts = if first.1 == 4 {
        [Part::Year, Part::Month, Part::Day]
    } else if first.0 > 12 || (second.0 <= 12 && sign != "/") {
        [Part::Day, Part::Month, Part::Year]
    } else {
        [Part::Month, Part::Day, Part::Year]
    };
    let (mut year, mut month, mut day) = (0, 0, 0);
    for (part, (value, width)) in parts.iter().zip([first, second, third]) {
        match part {
            Part::Year => year = full_year(value, width)?,
            Part::Month => month = value,
            Part::Day | Part::Whole => day = value,
        }
    }
    let date = date(year, month, day)?;
    let places = parts.into_iter().zip([at, at + 2, at + 4]).map(|(part, place)| (place, part)).collect();
    Some(Read { date, places, ordinal: None })
}

/// A day of one or two digits, where an English ending of it stands, and the word behind.
fn day(words: &[&str], kinds: &[Word], at: usize) -> Option<(u32, Option<usize>, usize)> {
    let Some(Word::Digits(day, 1 | 2)) = kinds.get(at) else { return None };
    let ending = words.get(at + 1).is_some_and(|word| matches!(*word, "st" | "nd" | "rd" | "th"));
    Some(if ending { (*day, Some(at + 1), at + 2) } else { (*day, None, at + 1) })
}

const fn ordinal(day: i8) -> &'static str {
    match (day / 10, day % 10) {
        (1, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    }
}

fn full_year(year: u32, width: usize) -> Option<u32> {
    match width {
        4 => Some(year),
        2 => Some(if year < 50 { 2000 + year } else { 1900 + year }),
        _ => None,
    }
}

fn date(year: u32, month: u32, day: u32) -> Option<Date> {
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// Digits apart from letters apart from the rest.
fn split(text: &str) -> Vec<&str> {
    let class = |c: char| if c.is_ascii_digit() { 0 } else { 1 + u8::from(!c.is_alphabetic()) };
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| class(c) != class(first)).unwrap_or(rest.len());
        let Some((word, more)) = rest.split_at_checked(end) else { break };
        words.push(word);
        rest = more;
    }
    words
}

fn kind(word: &str) -> Word {
    if word.bytes().all(|b| b.is_ascii_digit()) {
        return match word.parse() {
            Ok(value) if word.len() <= 8 => Word::Digits(value, word.len()),
            _ => Word::Other,
        };
    }
    let lower = word.to_lowercase();
    for (language, months) in months::NAMES.iter().enumerate() {
        for (month, name) in months.iter().enumerate() {
            let short = lower.chars().count() == 3 && name.starts_with(&lower);
            if lower == *name || short {
                return Word::Month { language, month, short: lower != *name };
            }
        }
    }
    Word::Other
}

/// A month written as the one it replaces: its language, its length, its capitals.
fn named(like: &str, language: usize, month: i8, short: bool) -> Option<String> {
    let name = months::NAMES.get(language)?.get(usize::try_from(month).ok()?.checked_sub(1)?)?;
    let name: String = if short { name.chars().take(3).collect() } else { (*name).to_owned() };
    let mut letters = like.chars();
    let first = letters.next().is_some_and(char::is_uppercase);
    Some(if first && letters.next().is_some_and(char::is_uppercase) {
        name.to_uppercase()
    } else if first {
        let mut rest = name.chars();
        rest.next().into_iter().flat_map(char::to_uppercase).chain(rest).collect()
    } else {
        name
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates_keep_their_form() {
        for (before, after) in [
            ("2024-02-28", "2024-03-02"),
            ("1984-12-31T10:00:00Z", "1985-01-03T10:00:00Z"),
            ("28/12/1999", "31/12/1999"),
            ("12/30/99", "01/02/00"),
            ("30.12.1999", "02.01.2000"),
            ("3. März 1990", "6. März 1990"),
            ("30 de enero de 1990", "2 de febrero de 1990"),
            ("March 30th, 1990", "April 2nd, 1990"),
            ("born 30 JAN 1990", "born 2 FEB 1990"),
            ("20240228", "20240302"),
        ] {
            assert_eq!(shifted(before, 3).as_deref(), Some(after), "{before}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in ["yesterday", "31/31/1999", "99.99.9999", "12", "", "March", "9999-12-31"] {
            assert_eq!(shifted(text, 3), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_there_is_a_way_back(text in "[0-9a-zA-Zäéś ./,-]{0,30}", days in -365i32..365) {
            let _ = shifted(&text, days);
        }

        #[test]
        fn moving_back_restores(year in 1900i16..2100, month in 1i8..=12, day in 1i8..=28, days in -365i32..365) {
            let text = format!("{year:04}-{month:02}-{day:02}");
            prop_assert_eq!(shifted(&shifted(&text, days).unwrap(), -days).unwrap(), text);
        }
    }
}
