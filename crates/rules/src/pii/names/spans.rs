//! From tags to what is reported.

use bartizan_core::Span;

use super::super::zip_code;
use super::model::{Scores, TAGS, Weights};
use super::token::{Shape, TOLD_BY, Token, class};
use crate::tape::{Class, Tape};

/// Most bytes of a name; what is longer is cut.
pub(crate) const LONGEST: usize = 200;
/// Most blanks inside a name.
const GAP: usize = 4;

/// What a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Person,
    Organization,
    Location,
    Address,
}

impl Kind {
    const fn of(tag: usize) -> Option<Self> {
        match tag {
            1 | 2 => Some(Self::Person),
            3 | 4 => Some(Self::Organization),
            5 | 6 => Some(Self::Location),
            7 | 8 => Some(Self::Address),
            _ => None,
        }
    }
}

/// Weights as the trainer wrote them: 81 little-endian `i32` of the steps from tag to tag, then nine signed bytes a row.
#[derive(Clone, Copy)]
pub(crate) struct Frozen<'a> {
    steps: &'a [u8],
    rows: &'a [u8],
}

impl<'a> Frozen<'a> {
    pub(crate) fn new(file: &'a [u8]) -> Self {
        let (steps, rows) = file.split_at_checked(TAGS * TAGS * 4).unwrap_or_default();
        Self { steps, rows }
    }
}

impl Weights for Frozen<'_> {
    fn add(&self, row: usize, scores: &mut Scores) {
        let weights = self.rows.get(row * TAGS..row * TAGS + TAGS).unwrap_or_default();
        for (score, weight) in scores.iter_mut().zip(weights) {
            *score += i32::from(weight.cast_signed());
        }
    }

    fn step(&self, from: usize, to: usize) -> i32 {
        let at = (from * TAGS + to) * 4;
        self.steps.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, i32::from_le_bytes)
    }
}

/// A name in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The names that the tags say.
pub(crate) fn names(all: &[Token], tags: &[usize]) -> Vec<Name> {
    let mut found = Vec::new();
    // The name being read, and whether a part of it could be a name by itself.
    let mut open: Option<(Name, bool)> = None;
    let mut last: Option<(usize, usize)> = None;
    for (token, tag) in all.iter().zip(tags) {
        let before = last.replace((*tag, token.end));
        let kind = Kind::of(*tag);
        let goes_on = tag % 2 == 0
            && kind.is_some()
            && before.is_some_and(|(tag, end)| Kind::of(tag) == kind && token.start.saturating_sub(end) <= GAP);
        if !goes_on {
            found.extend(open.take());
        }
        match (&mut open, kind) {
            // What is too long is cut, and the rest of it begins nothing.
            (Some((name, strong)), _) if token.end - name.start <= LONGEST && !is_edge(token.shape) => {
                name.end = token.end;
                *strong |= token.strong;
            }
            (None, Some(kind)) if token.starts_name() => {
                open = Some((Name { kind, start: token.start, end: token.end }, token.strong));
            }
            _ => {}
        }
    }
    found.extend(open);
    let sound = |name: &Name| is_told(all, name) && is_likely(all, name);
    let named = |name: &Name, strong: bool| strong || name.kind == Kind::Address && has_road(all, name);
    found.into_iter().filter(|(name, strong)| named(name, *strong) && sound(name)).map(|(name, _)| name).collect()
}

/// The tokens of a name.
pub(crate) fn own<'a>(all: &'a [Token], name: &Name) -> &'a [Token] {
    let (first, behind) = (all.partition_point(|t| t.start < name.start), all.partition_point(|t| t.start < name.end));
    all.get(first..behind).unwrap_or_default()
}

/// True where a word for streets and a number are in an address, as in one without capitals.
fn has_road(all: &[Token], name: &Name) -> bool {
    let own = own(all, name);
    let is_number = |t: &Token| {
        matches!(t.shape, Shape::OneDigit | Shape::ThreeDigits | Shape::FourDigits | Shape::LettersAndDigits)
    };
    own.iter().any(|t| t.classes & class::STREET != 0) && own.iter().any(is_number)
}

/// Shortest run of letters and digits that is a key rather than a part of a name; numbers of houses and postal codes are
/// shorter.
const KEY: usize = 16;

/// True for a word that looks drawn: a part of a key or of something encoded. Firms may have long words.
fn is_drawn(token: &Token, kind: Kind) -> bool {
    let shape = token.shape == Shape::LettersAndDigits || token.shape == Shape::Long && kind != Kind::Organization;
    shape && token.end - token.start >= KEY
}

/// True where the words of a name may be one: not a letter alone, no words of mixed case that no list has, as in code,
/// and an address with a word in it.
fn is_likely(all: &[Token], name: &Name) -> bool {
    let own = own(all, name);
    let words = || own.iter().filter(|t| t.shape.is_word());
    let listed = |t: &Token| t.classes & !(class::COMMON | class::ORG) != 0;
    if own.iter().any(|t| is_drawn(t, name.kind)) {
        return false;
    }
    match name.kind {
        Kind::Person | Kind::Location => {
            words().any(|t| t.end - t.start > 1 || t.shape == Shape::Uncased)
                && words().all(|t| t.shape != Shape::MixedCase || listed(t) || own.len() > 1)
        }
        Kind::Organization => true,
        Kind::Address => words().any(|t| {
            matches!(t.shape, Shape::Capitalised | Shape::MixedCase | Shape::Uncased)
                || t.shape.is_small()
                || t.classes & (class::STREET | class::CITY) != 0
        }),
    }
}

/// The postal code next to a town, in front of it or behind, if there is one: `10115 Berlin`, `Austin, TX 78701`,
/// `Linz 4020`. `text` is what the tokens are of.
pub(crate) fn postal(text: &str, all: &[Token], name: &Name) -> Option<(usize, usize)> {
    let (first, behind) = (all.partition_point(|t| t.start < name.start), all.partition_point(|t| t.start < name.end));
    let close = |a: &Token, b: &Token| b.start.saturating_sub(a.end) <= 2;
    let mut after = all.get(behind..).unwrap_or_default().iter().peekable();
    let mut last = all.get(behind.checked_sub(1)?)?;
    if let Some(comma) = after.next_if(|t| t.shape == Shape::Comma && t.start == last.end) {
        last = comma;
    }
    if let Some(state) = after.next_if(|t| t.shape == Shape::Capitals && t.end - t.start == 2 && close(last, t)) {
        last = state;
        if let Some(comma) = after.next_if(|t| t.shape == Shape::Comma && t.start == state.end) {
            last = comma;
        }
    }
    let tape = Tape::new(text);
    if let Some(code) = after.next().filter(|t| close(last, t))
        && let Some(end) = code_at(&tape, code.start)
    {
        return Some((code.start, end));
    }
    let code = all.get(first.checked_sub(1)?)?;
    let before = first.checked_sub(2).and_then(|at| all.get(at));
    let free = before.is_none_or(|b| b.end < code.start || matches!(b.shape, Shape::Line | Shape::Opening));
    let ends_here = || code_at(&tape, code.start) == Some(code.end);
    (free && name.start == code.end + 1 && ends_here()).then_some((code.start, code.end))
}

/// The end of a postal code. Of plain digits those of four that may be years are none, and neither are shorter or longer
/// ones than six.
fn code_at(tape: &Tape<'_>, at: usize) -> Option<usize> {
    let end = if tape.at(at)?.is_ascii_digit() { zip_code::digits(tape, at) } else { zip_code::letters(tape, at) }?;
    let code = tape.slice(Span::new(at, end));
    let plain = code.iter().all(u8::is_ascii_digit);
    let year = code.len() == 4 && (code.starts_with(b"19") || code.starts_with(b"20"));
    // Of a longer number, an amount or a code it would be a part.
    let ends = match tape.at(end) {
        Some(b) if Class::WORD.has(b) || b >= 128 || matches!(b, b'-' | b'/' | b'%') => false,
        Some(b'.' | b',' | b':') => !tape.at(end + 1).is_some_and(|b| b.is_ascii_alphanumeric()),
        _ => true,
    };
    (ends && !(plain && (year || !(4..=6).contains(&code.len())))).then_some(end)
}

/// True where there is more to go by than the name: words around it, or its own parts. `Paris` as the whole value of a
/// field is a place, a person or a product.
fn is_told(all: &[Token], name: &Name) -> bool {
    let (first, behind) = (all.partition_point(|t| t.start < name.start), all.partition_point(|t| t.start < name.end));
    let before = all.get(..first).unwrap_or_default().iter().rev();
    let after = all.get(behind..).unwrap_or_default().iter();
    let words = |token: &&Token| token.shape.is_word();
    if before.take_while(|t| name.start.saturating_sub(t.end) <= TOLD_BY).any(|t| words(&t))
        || after.take_while(|t| t.start.saturating_sub(name.end) <= TOLD_BY).any(|t| words(&t))
    {
        return true;
    }
    let own: Vec<&Token> = all.get(first..behind).unwrap_or_default().iter().filter(words).collect();
    let [first, .., last] = own.as_slice() else { return false };
    match name.kind {
        Kind::Person => first.classes & class::FIRST != 0 && last.classes & class::LAST != 0,
        Kind::Organization => last.classes & class::ORG != 0,
        Kind::Location => false,
        Kind::Address => true,
    }
}

/// True for marks that a name does not end with.
const fn is_edge(shape: Shape) -> bool {
    matches!(shape, Shape::Comma | Shape::Line | Shape::Hyphen | Shape::Apostrophe | Shape::And | Shape::Number)
}
