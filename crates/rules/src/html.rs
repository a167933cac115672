//! Tags of HTML, as a browser reads them and no further.

use bartizan_core::Span;

use crate::tape::{Class, Tape};

/// What a `<` opens.
#[derive(Debug)]
pub(crate) enum Opened {
    /// A tag.
    Tag(Tag),
    /// A scheme: Markdown's `<https://host/>`.
    Address,
}

/// A start tag.
#[derive(Debug)]
pub(crate) struct Tag {
    /// Name in lower case.
    pub(crate) name: Vec<u8>,
    pub(crate) attributes: Vec<Attribute>,
    /// One past the `>`, or past what was read.
    pub(crate) end: usize,
}

/// An attribute.
#[derive(Debug)]
pub(crate) struct Attribute {
    /// Name in lower case.
    pub(crate) name: Vec<u8>,
    /// The value without quotes; empty where there is none.
    pub(crate) value: Span,
}

/// `end`, moved back to the border of a character.
pub(crate) fn border(tape: &Tape<'_>, mut end: usize) -> usize {
    while tape.slice(Span::new(end, end + 1)).first().is_some_and(|b| b & 0xC0 == 0x80) {
        end -= 1;
    }
    end
}

/// The start tag that begins with the `<` at `start`. It is read up to `longest` bytes, closed or not.
pub(crate) fn tag_at(tape: &Tape<'_>, start: usize, longest: usize) -> Option<Opened> {
    let limit = start + longest;
    if !tape.at(start + 1)?.is_ascii_alphabetic() {
        return None;
    }
    let name_end = tape.run(start + 1, start + 24, Class::ALNUM.or(Class::of(b"+-.")));
    if tape.at(name_end) == Some(b':') {
        return Some(Opened::Address);
    }
    let name = tape.slice(Span::new(start + 1, name_end)).to_ascii_lowercase();
    let mut attributes = Vec::new();
    let mut at = name_end;
    let end = loop {
        at = tape.run(at, limit, Class::SPACE.or(Class::of(b"/")));
        if at >= limit {
            break limit;
        }
        match tape.at(at)? {
            b'>' => break at + 1,
            // Not a tag after all, or one that is broken off: browsers drop both.
            b'<' => return None,
            _ => {}
        }
        let key = Span::new(at, name_from(tape, at, limit));
        let name = tape.slice(key).to_ascii_lowercase();
        let equals = tape.run(key.end, (key.end + 8).min(limit), Class::SPACE);
        if tape.at(equals) != Some(b'=') {
            attributes.push(Attribute { name, value: Span::new(key.end, key.end) });
            at = key.end.max(at + 1);
            continue;
        }
        let open = tape.run(equals + 1, (equals + 9).min(limit), Class::SPACE);
        let value = value_from(tape, open, limit);
        at = if matches!(tape.at(open), Some(b'"' | b'\'')) { value.end + 1 } else { value.end };
        attributes.push(Attribute { name, value });
    };
    Some(Opened::Tag(Tag { name, attributes, end }))
}

fn name_from(tape: &Tape<'_>, from: usize, limit: usize) -> usize {
    let mut end = from;
    while end < limit
        && tape.at(end).is_some_and(|b| !Class::SPACE.has(b) && !matches!(b, b'=' | b'>' | b'/' | b'"' | b'\'' | b'<'))
    {
        end += 1;
    }
    end
}

fn value_from(tape: &Tape<'_>, open: usize, limit: usize) -> Span {
    let quote = tape.at(open).filter(|b| matches!(b, b'"' | b'\''));
    let from = (if quote.is_some() { open + 1 } else { open }).min(limit);
    let mut end = from;
    while end < limit
        && tape.at(end).is_some_and(|b| match quote {
            Some(quote) => b != quote,
            None => !Class::SPACE.has(b) && b != b'>',
        })
    {
        end += 1;
    }
    Span::new(from, end)
}
