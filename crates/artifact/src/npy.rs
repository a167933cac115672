//! numpy's array files: a header, then raw values, or a pickle for arrays of objects.
//!
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>

use bartizan_core::Reason;

use crate::bytes::{from, piece, u16le, u32le};
use crate::desk::Desk;
use crate::pickle::joblib::{OBJECTS, item_size};
use crate::pickle::{self, Sort};
use crate::rules;

/// Values inside of one another.
const DEPTH: u8 = 32;

/// Examines an array.
pub(crate) fn examine(bytes: &[u8], desk: &mut Desk<'_>) -> &'static str {
    let (len, start) = match bytes.get(6) {
        Some(1) => (u16le(bytes, 8).map(usize::from), 10),
        _ => (u32le(bytes, 8).and_then(|n| usize::try_from(n).ok()), 12),
    };
    let Some(header) = len.and_then(|len| piece(bytes, start, len)) else {
        desk.partial(Reason::Malformed, bytes.len(), "the header of the array is cut off");
        return "npy";
    };
    let data = from(bytes, start + header.len());
    let header = std::str::from_utf8(header).ok().and_then(read);
    let item = header.as_ref().and_then(|header| item(header.field("descr")?, DEPTH));
    let Some(item) = item else {
        // What cannot be told may be objects.
        desk.partial(Reason::Malformed, data.len(), "the header of the array cannot be read");
        desk.within("objects", data.len(), |desk| {
            pickle::examine(data, desk, Sort::Probe);
        });
        return "npy";
    };
    let sort = if item == OBJECTS { Sort::Known } else { Sort::Hidden };
    // What numpy reads with `allow_pickle`.
    desk.within("objects", data.len(), |desk| {
        pickle::examine(data, desk, sort);
    });
    if item == OBJECTS {
        return "npy";
    }
    let shape = header.as_ref().and_then(|header| match header.field("shape") {
        Some(Literal::List(items)) => Some(items),
        _ => None,
    });
    let expected = shape.and_then(|items| product(items)).and_then(|count| count.checked_mul(item));
    match expected {
        Some(expected) if expected > data.len() => {
            desk.find_as(
                &rules::STRUCTURE,
                bartizan_core::Severity::Medium,
                format!("the array has {} bytes where its header says {expected}", data.len()),
                (0, bytes.len()),
                Vec::new(),
            );
            desk.partial(Reason::Malformed, data.len(), "the array is cut off");
        }
        Some(expected) if expected < data.len() => {
            let rest = from(data, expected);
            let at = bytes.len() - rest.len();
            desk.find(&rules::TRAILING, format!("{} bytes follow the array", rest.len()), at, rest.len());
            desk.attempt("appended", rest, crate::kind::examine);
        }
        Some(_) => {}
        None => desk.partial(Reason::Malformed, data.len(), "the shape of the array cannot be read"),
    }
    desk.opaque(data.len(), "tensors");
    "npy"
}

fn product(items: &[Literal<'_>]) -> Option<usize> {
    items.iter().try_fold(1usize, |n, item| match item {
        Literal::Number(d) => n.checked_mul(*d),
        _ => None,
    })
}

/// Bytes of an element; `OBJECTS` where any of its parts are objects, `None` where that cannot be told.
fn item(descr: &Literal<'_>, depth: u8) -> Option<usize> {
    let depth = depth.checked_sub(1)?;
    match descr {
        Literal::Text(code) => item_size(code),
        Literal::List(fields) => fields.iter().try_fold(0usize, |sum, field| {
            let Literal::List(field) = field else { return None };
            let [_, kind, rest @ ..] = field.as_slice() else { return None };
            let count = match rest {
                [] => 1,
                [Literal::List(shape)] => product(shape)?,
                [Literal::Number(count)] => *count,
                _ => return None,
            };
            match (sum, item(kind, depth)?) {
                (OBJECTS, _) | (_, OBJECTS) => Some(OBJECTS),
                (sum, one) => one.checked_mul(count)?.checked_add(sum),
            }
        }),
        _ => None,
    }
}

/// What numpy writes of Python's literals. Escapes and everything else are not read.
enum Literal<'a> {
    Text(&'a str),
    Number(usize),
    Word,
    List(Vec<Literal<'a>>),
    Table(Vec<(&'a str, Literal<'a>)>),
}

impl<'a> Literal<'a> {
    /// A value that is there once.
    fn field(&self, name: &str) -> Option<&Self> {
        let Self::Table(fields) = self else { return None };
        let mut found = fields.iter().filter(|(key, _)| *key == name);
        found.next().map(|(_, value)| value).filter(|_| found.next().is_none())
    }
}

fn read(text: &str) -> Option<Literal<'_>> {
    let (value, rest) = literal(text, DEPTH)?;
    rest.trim_matches([' ', '\n', '\0']).is_empty().then_some(value)
}

fn literal(text: &str, depth: u8) -> Option<(Literal<'_>, &str)> {
    let depth = depth.checked_sub(1)?;
    let text = text.trim_start();
    let mut chars = text.chars();
    match chars.next()? {
        '\'' | '"' | 'u' | 'b' => {
            let (text, rest) = quoted(text)?;
            Some((Literal::Text(text), rest))
        }
        '{' => {
            let mut fields = Vec::new();
            let mut rest = chars.as_str().trim_start();
            while !rest.starts_with('}') {
                let (key, after) = quoted(rest)?;
                let (value, after) = literal(after.trim_start().strip_prefix(':')?, depth)?;
                fields.push((key, value));
                rest = next(after, '}')?;
            }
            Some((Literal::Table(fields), rest.strip_prefix('}')?))
        }
        open @ ('(' | '[') => {
            let close = if open == '(' { ')' } else { ']' };
            let mut items = Vec::new();
            let mut rest = chars.as_str().trim_start();
            while !rest.starts_with(close) {
                let (value, after) = literal(rest, depth)?;
                items.push(value);
                rest = next(after, close)?;
            }
            Some((Literal::List(items), rest.strip_prefix(close)?))
        }
        c if c.is_ascii_digit() => {
            let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            let (digits, rest) = text.split_at_checked(end)?;
            // Python 2 marked long numbers.
            Some((Literal::Number(digits.parse().ok()?), rest.strip_prefix('L').unwrap_or(rest)))
        }
        _ => ["True", "False", "None"].iter().find_map(|word| Some((Literal::Word, text.strip_prefix(word)?))),
    }
}

/// What follows a value: a comma and more, or the end.
fn next(rest: &str, close: char) -> Option<&str> {
    let rest = rest.trim_start();
    match rest.strip_prefix(',') {
        Some(rest) => Some(rest.trim_start()),
        None => rest.starts_with(close).then_some(rest),
    }
}

fn quoted(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix(['u', 'b']).unwrap_or(text);
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let inner = text.strip_prefix(quote)?;
    let (value, rest) = inner.split_once(quote)?;
    // Two texts in a row are one, and three quotes begin another kind.
    let plain = !value.contains('\\') && !rest.trim_start().starts_with(['\'', '"']);
    plain.then_some((value, rest))
}
