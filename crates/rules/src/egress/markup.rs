//! Constructs of Markdown, HTML and CSS that make a client fetch or show an address.

use bartizan_core::Span;

use crate::html;
use crate::tape::{Class, Tape};

/// Most bytes of one construct. What is longer is reported up to here.
pub(crate) const LONGEST: usize = 1024;
/// Deepest nesting of brackets in the text of a link.
const DEPTH: usize = 4;

/// How an address is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Use {
    /// Written out, for people to read.
    Bare,
    /// To be clicked.
    Link,
    /// Defined for links or images elsewhere.
    Definition,
    /// Fetched as soon as it is shown.
    Fetched,
}

/// A construct and the addresses in it.
#[derive(Debug)]
pub(crate) struct Construct {
    pub(crate) span: Span,
    pub(crate) addresses: Vec<(Use, Span)>,
}

fn border(tape: &Tape<'_>, start: usize, end: usize) -> usize {
    html::border(tape, end.min(start + LONGEST))
}

/// The construct that starts at `start`.
pub(crate) fn construct_at(tape: &Tape<'_>, start: usize) -> Option<Construct> {
    match tape.at(start)? {
        b'!' if tape.at(start + 1) == Some(b'[') => bracket(tape, start, start + 1, Use::Fetched),
        b'[' if !matches!(tape.before(start), Some(b'!' | b'\\')) => bracket(tape, start, start, Use::Link),
        b'<' => tag(tape, start),
        b'u' | b'U' => css_url(tape, start),
        b'@' => import(tape, start),
        b'h' | b'H' | b'f' | b'F' | b'w' | b'W' => bare(tape, start),
        _ => None,
    }
}

fn ignoring_case(tape: &Tape<'_>, at: usize, word: &[u8]) -> bool {
    (at..).zip(word).all(|(i, want)| tape.at(i).is_some_and(|b| b.eq_ignore_ascii_case(want)))
}

/// `[text](address "title")`, `![text](address)`, `[label]: address`.
fn bracket(tape: &Tape<'_>, start: usize, open: usize, used: Use) -> Option<Construct> {
    let limit = start + LONGEST;
    let mut depth = 0;
    let mut at = open;
    loop {
        if at >= limit {
            return None;
        }
        match tape.at(at)? {
            b'\\' => at += 1,
            b'[' if depth >= DEPTH => return None,
            b'[' => depth += 1,
            b']' if depth == 1 => break,
            b']' => depth -= 1,
            // A blank line ends the paragraph, and the link with it.
            b'\n' if tape.at(at + 1) == Some(b'\n') => return None,
            _ => {}
        }
        at += 1;
    }
    match tape.at(at + 1)? {
        b'(' => destination(tape, start, at + 2, used),
        b':' if used == Use::Link && starts_line(tape, start) && tape.at(open + 1) != Some(b'^') => {
            let from = tape.run(at + 2, at + 10, Class::of(b" \t\n"));
            let end = address_end(tape, from, limit);
            let span = Span::new(start, border(tape, start, end));
            (end > from).then(|| Construct { span, addresses: vec![(Use::Definition, Span::new(from, end))] })
        }
        _ => None,
    }
}

fn starts_line(tape: &Tape<'_>, start: usize) -> bool {
    let line = tape.run_back(start, start.saturating_sub(3), Class::of(b" "));
    tape.before(line).is_none_or(|b| b == b'\n' || b == b'>')
}

/// The end of an address without blanks. Angle brackets around it are part of it.
fn address_end(tape: &Tape<'_>, from: usize, limit: usize) -> usize {
    let mut end = from;
    while end < limit && tape.at(end).is_some_and(|b| !Class::SPACE.has(b)) {
        end += 1;
    }
    end
}

/// What follows `](`.
fn destination(tape: &Tape<'_>, start: usize, open: usize, used: Use) -> Option<Construct> {
    let limit = start + LONGEST;
    let from = tape.run(open, open + 8, Class::SPACE);
    let mut end = from;
    let mut depth = 0_usize;
    let angle = tape.at(from) == Some(b'<');
    // Renderers differ in whether blanks and line breaks may stand in an address, so both readings count: the
    // address ends at the first blank, the construct at the closing parenthesis.
    let mut address = None;
    let mut quote = None;
    let closed = loop {
        if end >= limit {
            break false;
        }
        let byte = tape.at(end)?;
        match (byte, quote) {
            (b'\n', _) if tape.at(end + 1) == Some(b'\n') => return None,
            (b'\\', _) => end += 1,
            (b, Some(q)) if b == q => quote = None,
            (_, Some(_)) => {}
            (b'>', None) if angle && address.is_none() => address = Some(end),
            (_, None) if angle && address.is_none() => {}
            (b'"' | b'\'', None) if address.is_some() => quote = Some(byte),
            (b, None) if address.is_none() && Class::SPACE.has(b) => address = Some(end),
            (b'(', None) => depth += 1,
            (b')', None) if depth == 0 => break true,
            (b')', None) => depth -= 1,
            _ => {}
        }
        end += 1;
    };
    let from = if angle { from + 1 } else { from };
    let last = address.unwrap_or(end).min(limit);
    let stop = if closed { end + 1 } else { limit };
    let span = Span::new(start, border(tape, start, stop));
    (last > from).then(|| Construct { span, addresses: vec![(used, Span::new(from, last))] })
}

/// Attributes with an address, and whether a client fetches it by itself.
const FETCHED: [&[u8]; 10] =
    [b"src", b"srcset", b"poster", b"background", b"data", b"imagesrcset", b"ping", b"manifest", b"lowsrc", b"dynsrc"];
const LINKED: [&[u8]; 4] = [b"href", b"action", b"formaction", b"xlink:href"];
/// Elements whose `href` is fetched.
const FETCHING: [&[u8]; 5] = [b"link", b"image", b"use", b"base", b"feimage"];

/// An HTML tag, or an address in angle brackets.
fn tag(tape: &Tape<'_>, start: usize) -> Option<Construct> {
    let tag = match html::tag_at(tape, start, LONGEST)? {
        html::Opened::Tag(tag) => tag,
        html::Opened::Address => return autolink(tape, start),
    };
    let mut addresses = Vec::new();
    for attribute in &tag.attributes {
        let key = attribute.name.as_slice();
        let value = attribute.value;
        if key == b"srcset" || key == b"imagesrcset" {
            addresses.extend(candidates(tape, value).map(|a| (Use::Fetched, a)));
        } else if FETCHED.contains(&key) {
            addresses.push((Use::Fetched, value));
        } else if LINKED.contains(&key) {
            let used = if FETCHING.contains(&tag.name.as_slice()) { Use::Fetched } else { Use::Link };
            addresses.push((used, value));
        } else if key == b"style" || key == b"content" {
            addresses.extend(functions(tape, value).map(|a| (Use::Fetched, a)));
        }
    }
    (!addresses.is_empty()).then(|| Construct { span: Span::new(start, border(tape, start, tag.end)), addresses })
}

/// The addresses of a `srcset`.
fn candidates(tape: &Tape<'_>, value: Span) -> impl Iterator<Item = Span> {
    let mut found = Vec::new();
    let mut at = value.start;
    while at < value.end {
        let from = tape.run(at, value.end, Class::SPACE.or(Class::of(b",")));
        let end = address_end(tape, from, value.end);
        if end > from {
            found.push(Span::new(from, end));
        }
        // The descriptor, up to the comma.
        at = end.max(from + 1);
        while at < value.end && tape.at(at).is_some_and(|b| b != b',') {
            at += 1;
        }
    }
    found.into_iter()
}

/// The addresses in `url(…)` of a style.
fn functions(tape: &Tape<'_>, value: Span) -> impl Iterator<Item = Span> {
    let mut found = Vec::new();
    let mut at = value.start;
    while at < value.end {
        match css_url(tape, at).filter(|c| c.span.end <= value.end + 1) {
            Some(construct) => {
                at = construct.span.end;
                found.extend(construct.addresses.into_iter().map(|(_, a)| a));
            }
            None => at += 1,
        }
    }
    found.into_iter()
}

/// `<https://host/place>`.
fn autolink(tape: &Tape<'_>, start: usize) -> Option<Construct> {
    let limit = start + LONGEST;
    let mut end = start + 1;
    while end < limit && tape.at(end).is_some_and(|b| !Class::SPACE.has(b) && !matches!(b, b'<' | b'>')) {
        end += 1;
    }
    let closed = end >= limit || tape.at(end) == Some(b'>');
    let span = Span::new(start, border(tape, start, end + 1));
    closed.then(|| Construct { span, addresses: vec![(Use::Link, Span::new(start + 1, end))] })
}

/// `url(address)` of a style sheet.
fn css_url(tape: &Tape<'_>, start: usize) -> Option<Construct> {
    if !ignoring_case(tape, start, b"url(") || tape.before(start).is_some_and(|b| Class::WORD.has(b)) {
        return None;
    }
    let limit = start + LONGEST;
    let from = tape.run(start + 4, start + 12, Class::SPACE.or(Class::of(b"\"'")));
    let mut end = from;
    while end < limit && tape.at(end).is_some_and(|b| !matches!(b, b')' | b'"' | b'\'' | b'\n')) {
        end += 1;
    }
    let close = tape.run(end, end + 4, Class::SPACE.or(Class::of(b"\"'")));
    if end < limit && tape.at(close) != Some(b')') {
        return None;
    }
    let span = Span::new(start, border(tape, start, close + 1));
    (end > from).then(|| Construct { span, addresses: vec![(Use::Fetched, Span::new(from, end))] })
}

/// `@import "address"` of a style sheet.
fn import(tape: &Tape<'_>, start: usize) -> Option<Construct> {
    if !ignoring_case(tape, start, b"@import") {
        return None;
    }
    let blanks = tape.run(start + 7, start + 16, Class::SPACE);
    if let Some(inner) = css_url(tape, blanks) {
        return Some(Construct { span: Span::new(start, border(tape, start, inner.span.end)), ..inner });
    }
    let quote = tape.at(blanks).filter(|b| matches!(b, b'"' | b'\''))?;
    let limit = start + LONGEST;
    let mut end = blanks + 1;
    while end < limit && tape.at(end).is_some_and(|b| b != quote && b != b'\n') {
        end += 1;
    }
    let closed = end >= limit || tape.at(end) == Some(quote);
    let span = Span::new(start, border(tape, start, end + 1));
    closed.then(|| Construct { span, addresses: vec![(Use::Fetched, Span::new(blanks + 1, end))] })
}

/// `https://host/place` by itself.
fn bare(tape: &Tape<'_>, start: usize) -> Option<Construct> {
    if tape.before(start).is_some_and(|b| Class::ALNUM.has(b)) {
        return None;
    }
    let scheme = [b"https://".as_slice(), b"http://", b"ftp://", b"wss://", b"ws://"]
        .into_iter()
        .find(|scheme| ignoring_case(tape, start, scheme))?;
    let limit = start + LONGEST;
    let mut end = start + scheme.len();
    let mut open = 0_usize;
    while end < limit {
        match tape.at(end) {
            None => break,
            Some(b) if Class::SPACE.has(b) || matches!(b, b'<' | b'>' | b'"' | b'\'' | b'`' | b'|') => break,
            Some(b'(') => open += 1,
            Some(b')') if open == 0 => break,
            Some(b')') => open -= 1,
            Some(_) => {}
        }
        end += 1;
    }
    // What ends a sentence is no part of the address.
    let trail = |b: &u8| matches!(b, b'.' | b',' | b';' | b':' | b'!' | b'?' | b']' | b'*' | b'_');
    end -= tape.slice(Span::new(start, end)).iter().rev().take_while(|b| trail(b)).count();
    let end = border(tape, start, end);
    (end > start + scheme.len())
        .then(|| Construct { span: Span::new(start, end), addresses: vec![(Use::Bare, Span::new(start, end))] })
}
