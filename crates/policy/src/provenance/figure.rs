//! Numbers and days in people's words: how much, how many, how long, and when.

use std::collections::HashSet;

use bartizan_lexicon::months;

use super::text::{canonical_number, fold, invisible, stem};

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A length of time, in seconds for each.
    Time(u32),
    /// Hundredths.
    Percent,
    /// Money.
    Money,
    /// The things that the next word names.
    Things,
    /// Nothing is said.
    Bare,
}

/// A number in a text.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// The number as it is compared.
    pub(crate) key: String,
    pub(crate) unit: Unit,
    /// Stem of the word behind it.
    pub(crate) next: String,
    /// Stem of the word before it.
    pub(crate) label: String,
    /// It tells a quantity: no day, no hour, no number of a thing, no choice such as "the last 5".
    pub(crate) firm: bool,
}

/// Words before a number that say which one, and not how many.
const LABELS: &[&str] = &[
    "room",
    "dock",
    "gate",
    "order",
    "invoice",
    "clause",
    "number",
    "no",
    "nr",
    "flight",
    "ticket",
    "case",
    "version",
    "chapter",
    "section",
    "floor",
    "id",
    "code",
    "pin",
    "sku",
    "table",
    "seat",
    "bus",
    "line",
    "page",
    "step",
    "phase",
    "level",
    "ward",
    "bed",
    "lot",
    "issue",
    "item",
    "file",
    "event",
    "account",
    "card",
    "extension",
    "phone",
    "zone",
    "match",
    "round",
    "week",
    "day",
    "q",
    "quarter",
    "option",
    "part",
    "paragraph",
    "article",
    "rule",
    "port",
];

/// Words before a number that choose some of many.
const CHOOSE: &[&str] = &["last", "first", "next", "top", "latest", "recent", "past", "newest", "oldest", "these"];

/// Words behind a number that are no name of what it counts.
const SMALL: &[&str] = &[
    "to", "from", "in", "on", "of", "or", "and", "for", "at", "with", "if", "as", "after", "into", "until", "please",
    "then", "when", "by", "so", "but", "it", "is", "per", "each", "via", "because", "that", "which", "total",
    "instead",
];

/// Adds the figures and days of a text.
pub(crate) fn read(text: &str, figures: &mut Vec<Figure>, dates: &mut HashSet<(u8, u8)>) {
    let words: Vec<&str> = text.split_whitespace().collect();
    let plain = |at: usize| -> String {
        let word = words.get(at).copied().unwrap_or_default();
        fold(word.trim_matches(|c: char| !c.is_alphanumeric() || invisible(c)))
    };
    // A word behind a full stop or comma belongs to something else.
    let ends = |at: usize| words.get(at).is_some_and(|w| w.ends_with(['.', ',', ';', ':', '!', '?', ')']));
    for (at, word) in words.iter().enumerate() {
        if !word.bytes().any(|b| b.is_ascii_digit()) || word.len() > 64 {
            continue;
        }
        let bare = word.trim_matches(|c: char| "\"'`()[]{}<>.,;:!?*_".contains(c));
        if let Some(date) = iso_date(bare) {
            dates.insert(date);
            continue;
        }
        let before = at.checked_sub(1).map(plain).unwrap_or_default();
        let after = if ends(at) { String::new() } else { plain(at + 1) };
        let day = bare
            .trim_end_matches(|c: char| c.is_ascii_alphabetic())
            .parse::<u8>()
            .ok()
            .filter(|d| (1..=31).contains(d));
        // "4 March", "March 4", "the 4th of March".
        let far = if after == "of" { plain(at + 2) } else { String::new() };
        if let Some(day) = day
            && let Some(month) = [&before, &after, &far].into_iter().find_map(|w| month(w))
        {
            dates.insert((month, day));
            continue;
        }
        let Some((number, suffix, money)) = split(bare) else { continue };
        let behind = if suffix.is_empty() { after.clone() } else { suffix.clone() };
        let ordinal = matches!(suffix.as_str(), "st" | "nd" | "rd" | "th");
        if ordinal {
            if let Some(day) = day {
                dates.insert((0, day));
            }
            continue;
        }
        let unit = match unit(&behind) {
            _ if money || unit(&before) == Some(Unit::Money) => Unit::Money,
            Some(unit) => unit,
            None if behind.is_empty()
                || SMALL.contains(&behind.as_str())
                || !behind.chars().all(char::is_alphabetic) =>
            {
                Unit::Bare
            }
            None => Unit::Things,
        };
        let key = match suffix.as_str() {
            "k" => scaled(&number, 3),
            "m" | "mio" => scaled(&number, 6),
            _ => canonical_number(&number),
        };
        let small = key.len() <= 2;
        let clock = matches!(behind.as_str(), "am" | "pm" | "o'clock" | "uhr")
            || small && unit == Unit::Bare && matches!(before.as_str(), "at" | "until" | "till" | "before" | "after");
        let year = key.len() == 4
            && (key.starts_with("19") || key.starts_with("20"))
            && (month(&before).is_some()
                || at.checked_sub(2).is_some_and(|i| month(&plain(i)).is_some())
                || before == "in");
        // "Plant 2" is a place; "pay Bob 200" is not.
        let noun = key.len() <= 3
            && before.len() > 2
            && at.checked_sub(1).is_some_and(|i| words.get(i).is_some_and(|w| w.starts_with(char::is_lowercase)))
            && !SMALL.contains(&before.as_str())
            && !CHOOSE.contains(&before.as_str())
            && !super::vocab::is_common(&before);
        let which = word.starts_with('#') || (LABELS.contains(&before.as_str()) || noun) && unit == Unit::Bare;
        figures.push(Figure {
            key,
            unit,
            next: stem(&behind),
            label: stem(&before),
            firm: !(clock || year || which || CHOOSE.contains(&before.as_str())),
        });
    }
    for pair in words.iter().map(|w| fold(w.trim_matches(|c: char| !c.is_alphanumeric()))) {
        const SPELT: [&str; 12] =
            ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
        if let Some(n) = SPELT.iter().position(|w| *w == pair) {
            let key = (n + 1).to_string();
            figures.push(Figure { key, unit: Unit::Bare, next: String::new(), label: String::new(), firm: false });
        }
    }
}

/// A number, what is joined to its end, and whether a sign says that it is money.
fn split(word: &str) -> Option<(String, String, bool)> {
    let signs = |c: char| "$\u{20ac}\u{a3}\u{a5}".contains(c);
    let money = word.contains(signs);
    let word = word.trim_matches(signs).trim_start_matches(['#', '+', '~', '=']);
    let end = word.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ',')).unwrap_or(word.len());
    let (number, suffix) = word.split_at_checked(end)?;
    let suffix = suffix.trim_matches(|c: char| c == '-' || signs(c));
    if !number.starts_with(|c: char| c.is_ascii_digit())
        || !(suffix == "%" || suffix == "\u{b0}" || suffix.len() <= 8 && suffix.chars().all(char::is_alphabetic))
        || number.matches('.').count() > 1
    {
        return None;
    }
    Some((english(number), fold(suffix), money))
}

/// `1.200,50` as `1200.50`: the last mark parts the decimals, where there are two kinds.
fn english(number: &str) -> String {
    match (number.rfind('.'), number.rfind(',')) {
        (Some(dot), Some(comma)) if comma > dot => number.replace('.', "").replace(',', "."),
        // Three digits behind one comma are thousands.
        (None, Some(comma)) if number.matches(',').count() == 1 && number.len() - comma != 4 => {
            number.replace(',', ".")
        }
        _ => number.to_owned(),
    }
}

fn scaled(number: &str, zeros: usize) -> String {
    let plain = number.replace(',', "");
    let (whole, part) = plain.split_once('.').unwrap_or((&plain, ""));
    let padded = format!("{part:0<zeros$}");
    let (up, rest) = padded.split_at_checked(zeros).unwrap_or((&padded, ""));
    canonical_number(&format!("{}.{rest}", format!("{whole}{up}").trim_start_matches('0')))
}

fn unit(word: &str) -> Option<Unit> {
    Some(match word {
        "second" | "seconds" | "sec" | "secs" | "s" => Unit::Time(1),
        "minute" | "minutes" | "min" | "mins" => Unit::Time(60),
        "hour" | "hours" | "h" | "hr" | "hrs" => Unit::Time(3600),
        "day" | "days" | "night" | "nights" => Unit::Time(86_400),
        "week" | "weeks" => Unit::Time(604_800),
        "month" | "months" => Unit::Time(2_592_000),
        "year" | "years" => Unit::Time(31_536_000),
        "percent" | "percentage" | "pct" | "%" => Unit::Percent,
        "eur" | "usd" | "gbp" | "chf" | "jpy" | "inr" | "cad" | "aud" | "euro" | "euros" | "dollar" | "dollars"
        | "pound" | "pounds" | "buck" | "bucks" | "cents" => Unit::Money,
        _ => return None,
    })
}

/// Seconds in the unit of time that a word names.
pub(crate) fn seconds(word: &str) -> Option<u32> {
    match unit(word)? {
        Unit::Time(each) => Some(each),
        _ => None,
    }
}

/// The month of an English name, whole or its first three letters.
fn month(word: &str) -> Option<u8> {
    let names = months::NAMES.first()?;
    let at = names.iter().position(|name| word == *name || word.len() == 3 && name.starts_with(word))?;
    u8::try_from(at + 1).ok()
}

/// Month and day of a text that begins with a date as `2026-03-05`.
pub(crate) fn iso_date(text: &str) -> Option<(u8, u8)> {
    let date = text.get(..10)?;
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = |part: &str, len: usize| part.len() == len && part.bytes().all(|b| b.is_ascii_digit());
    if !(digits(year, 4) && digits(month, 2) && digits(day, 2)) {
        return None;
    }
    Some((month.parse().ok()?, day.parse().ok()?))
}
