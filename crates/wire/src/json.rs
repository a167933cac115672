//! A strict JSON scanner (RFC 8259) that keeps byte spans.
//!
//! `serde_json` tells neither where a value stands nor that a key came twice. Both matter here: a rewrite must leave
//! untouched bytes alone, and two parsers that disagree about a repeated key are a way to smuggle. The scanner makes
//! one pass, keeps a flat table in document order and never recurses.

use std::borrow::Cow;
use std::fmt;

use bartizan_core::{Limits, Span};

/// What a [`Node`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number literal.
    Number,
    /// A string value.
    String,
    /// The key of the value that follows it.
    Key,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// One value or key. Offsets are 32 bits wide, so that a node is 16 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// True where a string has escapes, so that its value differs from its literal.
    pub escaped: bool,
    /// True where a string has a lone surrogate escape, which reads as U+FFFD.
    pub lone_surrogate: bool,
    start: u32,
    end: u32,
    next: u32,
}

impl Node {
    /// Byte range of the literal, quotes and brackets included.
    #[must_use]
    pub const fn literal(&self) -> Span {
        Span::new(self.start as usize, self.end as usize)
    }

    /// Byte range of a string or key without its quotes.
    const fn inside(&self) -> Span {
        Span::new(self.start as usize + 1, self.end as usize - 1)
    }

    /// Index of the first node after this one and all that is in it.
    #[must_use]
    pub const fn next(&self) -> usize {
        self.next as usize
    }
}

/// What is wrong with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonFault {
    /// Bytes that are not UTF-8.
    Utf8,
    /// A byte order mark in front.
    ByteOrderMark,
    /// The document ends too early.
    End,
    /// A character that cannot stand there.
    Unexpected,
    /// A number that RFC 8259 does not allow.
    Number,
    /// A control character in a string that is not escaped.
    Control,
    /// An unknown or cut escape.
    Escape,
    /// Something after the value.
    Trailing,
    /// Nested deeper than the limit.
    TooDeep,
    /// More values than the limit.
    TooMany,
    /// Larger than 4 GiB.
    TooLarge,
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf8 => "not UTF-8",
            Self::ByteOrderMark => "byte order mark in front",
            Self::End => "unexpected end",
            Self::Unexpected => "unexpected character",
            Self::Number => "malformed number",
            Self::Control => "control character in a string",
            Self::Escape => "malformed escape",
            Self::Trailing => "data after the value",
            Self::TooDeep => "nested too deep",
            Self::TooMany => "too many values",
            Self::TooLarge => "too large",
        })
    }
}

/// What is wrong with a document, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at byte {offset} (line {line}, column {column})")]
pub struct JsonError {
    /// What.
    pub fault: JsonFault,
    /// Byte offset, from 0.
    pub offset: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl JsonError {
    /// Bytes that are not UTF-8 from `offset` on.
    pub(crate) fn utf8(bytes: &[u8], offset: usize) -> Self {
        Self::at(JsonFault::Utf8, bytes, offset)
    }

    fn at(fault: JsonFault, bytes: &[u8], offset: usize) -> Self {
        let before = bytes.get(..offset).unwrap_or(bytes);
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let tail = memchr::memrchr(b'\n', before).and_then(|at| before.get(at + 1..)).unwrap_or(before);
        // Every byte that is not a continuation byte starts a character.
        let column = tail.iter().filter(|b| **b & 0xC0 != 0x80).count() + 1;
        Self { fault, offset, line, column }
    }
}

/// A scanned document.
#[derive(Debug)]
pub struct Doc<'a> {
    text: &'a str,
    nodes: Vec<Node>,
}

impl<'a> Doc<'a> {
    /// Scans a whole document.
    ///
    /// # Errors
    /// Anything that RFC 8259 does not allow, and more than `limits` allow.
    pub fn parse(bytes: &'a [u8], limits: &Limits) -> Result<Self, JsonError> {
        let text = std::str::from_utf8(bytes).map_err(|e| JsonError::utf8(bytes, e.valid_up_to()))?;
        Self::parse_str(text, limits.max_json_depth, limits.max_json_values)
    }

    /// Scans a document that is known to be UTF-8, with at most `depth` nested lists and objects, and at most
    /// `values` values and keys.
    ///
    /// # Errors
    /// As [`Doc::parse`].
    pub fn parse_str(text: &'a str, depth: usize, values: usize) -> Result<Self, JsonError> {
        let mut scanner = Scanner { bytes: text.as_bytes(), at: 0, nodes: Vec::new(), values };
        match scanner.run(depth) {
            Ok(()) => Ok(Self { text, nodes: scanner.nodes }),
            Err(fault) => Err(JsonError::at(fault, text.as_bytes(), scanner.at)),
        }
    }

    /// The document's text.
    #[must_use]
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// How many values and keys there are. The root is node 0.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Never true: a document has a root.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// All nodes in document order; a key stands before its value, a list or object before what is in it.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node with this index.
    #[must_use]
    pub fn node(&self, index: usize) -> Option<&Node> {
        self.nodes.get(index)
    }

    /// Kind of the node; `None` where there is none.
    #[must_use]
    pub fn kind(&self, index: usize) -> Option<NodeKind> {
        self.node(index).map(|n| n.kind)
    }

    /// The literal of the node, quotes included; empty where there is none.
    #[must_use]
    pub fn literal(&self, index: usize) -> &'a str {
        self.node(index).map_or("", |n| n.literal().of(self.text))
    }

    /// The decoded value of a string or key, the literal of anything else.
    #[must_use]
    pub fn value(&self, index: usize) -> Cow<'a, str> {
        let Some(node) = self.node(index) else { return Cow::Borrowed("") };
        match node.kind {
            NodeKind::String | NodeKind::Key if node.escaped => Cow::Owned(decode(node.inside().of(self.text))),
            NodeKind::String | NodeKind::Key => Cow::Borrowed(node.inside().of(self.text)),
            _ => Cow::Borrowed(node.literal().of(self.text)),
        }
    }

    /// True where the key or string at `index` has exactly this value.
    #[must_use]
    pub fn is(&self, index: usize, value: &str) -> bool {
        self.node(index)
            .is_some_and(|n| if n.escaped { self.value(index) == value } else { n.inside().of(self.text) == value })
    }

    /// The indexes of a list's elements, or of an object's keys (each value is one after its key).
    pub fn children(&self, index: usize) -> Children<'_, 'a> {
        let (at, end) = match self.node(index) {
            Some(n) if matches!(n.kind, NodeKind::Array | NodeKind::Object) => (index + 1, n.next()),
            _ => (0, 0),
        };
        Children { doc: self, at, end, object: self.kind(index) == Some(NodeKind::Object) }
    }

    /// The value of a member of an object; the first where the key is repeated.
    #[must_use]
    pub fn get(&self, index: usize, key: &str) -> Option<usize> {
        if self.kind(index) != Some(NodeKind::Object) {
            return None;
        }
        self.children(index).find(|k| self.is(*k, key)).map(|k| k + 1)
    }

    /// The value of a member that is a string.
    #[must_use]
    pub fn get_str(&self, index: usize, key: &str) -> Option<Cow<'a, str>> {
        self.get(index, key).filter(|v| self.kind(*v) == Some(NodeKind::String)).map(|v| self.value(v))
    }
}

/// Iterator over the children of a list or object.
#[derive(Debug)]
pub struct Children<'d, 'a> {
    doc: &'d Doc<'a>,
    at: usize,
    end: usize,
    object: bool,
}

impl Iterator for Children<'_, '_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.at >= self.end {
            return None;
        }
        let found = self.at;
        let value = if self.object { found + 1 } else { found };
        self.at = self.doc.node(value).map_or(self.end, Node::next);
        Some(found)
    }
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    values: usize,
}

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    /// After `[`.
    ValueOrEnd,
    /// After `{`.
    KeyOrEnd,
    /// After a `,` in an object.
    Key,
    /// After a value in a list or object.
    CommaOrEnd,
}

#[expect(clippy::cast_possible_truncation, reason = "`run` refuses documents whose offsets need more than 32 bits")]
impl Scanner<'_> {
    fn run(&mut self, max_depth: usize) -> Result<(), JsonFault> {
        if self.bytes.len() >= u32::MAX as usize {
            return Err(JsonFault::TooLarge);
        }
        if self.bytes.starts_with("\u{feff}".as_bytes()) {
            return Err(JsonFault::ByteOrderMark);
        }
        // A rough guess that saves most of the growing: chat bodies have a value for every 40 bytes or more.
        self.nodes.reserve((self.bytes.len() / 40 + 8).min(self.values));
        let mut open: Vec<u32> = Vec::new();
        let mut expect = Expect::Value;
        loop {
            self.space();
            let Some(byte) = self.peek() else { return Err(JsonFault::End) };
            match (expect, byte) {
                (Expect::Value | Expect::ValueOrEnd, b'[' | b'{') => {
                    if open.len() >= max_depth {
                        return Err(JsonFault::TooDeep);
                    }
                    let kind = if byte == b'[' { NodeKind::Array } else { NodeKind::Object };
                    let index = self.push(kind, self.at)?;
                    open.push(index);
                    self.at += 1;
                    expect = if byte == b'[' { Expect::ValueOrEnd } else { Expect::KeyOrEnd };
                    continue;
                }
                (Expect::Value | Expect::ValueOrEnd, b'"') => self.string(NodeKind::String)?,
                (Expect::Value | Expect::ValueOrEnd, b'-' | b'0'..=b'9') => self.number()?,
                (Expect::Value | Expect::ValueOrEnd, b't') => self.word(b"true", NodeKind::Bool)?,
                (Expect::Value | Expect::ValueOrEnd, b'f') => self.word(b"false", NodeKind::Bool)?,
                (Expect::Value | Expect::ValueOrEnd, b'n') => self.word(b"null", NodeKind::Null)?,
                (Expect::Key | Expect::KeyOrEnd, b'"') => {
                    self.string(NodeKind::Key)?;
                    self.space();
                    match self.peek() {
                        Some(b':') => self.at += 1,
                        Some(_) => return Err(JsonFault::Unexpected),
                        None => return Err(JsonFault::End),
                    }
                    expect = Expect::Value;
                    continue;
                }
                (Expect::CommaOrEnd, b',') => {
                    self.at += 1;
                    expect = if self.in_object(&open) { Expect::Key } else { Expect::Value };
                    continue;
                }
                (Expect::ValueOrEnd, b']') | (Expect::KeyOrEnd, b'}') => self.close(&mut open),
                (Expect::CommaOrEnd, b']') if !self.in_object(&open) => self.close(&mut open),
                (Expect::CommaOrEnd, b'}') if self.in_object(&open) => self.close(&mut open),
                _ => return Err(JsonFault::Unexpected),
            }
            if open.is_empty() {
                break;
            }
            expect = Expect::CommaOrEnd;
        }
        self.space();
        if self.at < self.bytes.len() { Err(JsonFault::Trailing) } else { Ok(()) }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn in_object(&self, open: &[u32]) -> bool {
        open.last().and_then(|i| self.nodes.get(*i as usize)).is_some_and(|n| n.kind == NodeKind::Object)
    }

    fn push(&mut self, kind: NodeKind, start: usize) -> Result<u32, JsonFault> {
        let index = self.nodes.len();
        if index >= self.values {
            return Err(JsonFault::TooMany);
        }
        self.nodes.push(Node {
            kind,
            escaped: false,
            lone_surrogate: false,
            start: start as u32,
            end: start as u32,
            next: index as u32 + 1,
        });
        Ok(index as u32)
    }

    fn close(&mut self, open: &mut Vec<u32>) {
        self.at += 1;
        let next = self.nodes.len() as u32;
        if let Some(node) = open.pop().and_then(|i| self.nodes.get_mut(i as usize)) {
            node.end = self.at as u32;
            node.next = next;
        }
    }

    fn end(&mut self) {
        let at = self.at as u32;
        if let Some(node) = self.nodes.last_mut() {
            node.end = at;
        }
    }

    fn word(&mut self, word: &[u8], kind: NodeKind) -> Result<(), JsonFault> {
        self.push(kind, self.at)?;
        for expected in word {
            match self.peek() {
                Some(byte) if byte == *expected => self.at += 1,
                Some(_) => return Err(JsonFault::Unexpected),
                None => return Err(JsonFault::End),
            }
        }
        self.end();
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonFault> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > start {
            Ok(())
        } else {
            Err(if self.at < self.bytes.len() { JsonFault::Number } else { JsonFault::End })
        }
    }

    fn number(&mut self) -> Result<(), JsonFault> {
        self.push(NodeKind::Number, self.at)?;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
            if matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(JsonFault::Number);
            }
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        self.end();
        Ok(())
    }

    fn string(&mut self, kind: NodeKind) -> Result<(), JsonFault> {
        self.push(kind, self.at)?;
        self.at += 1;
        let (mut escaped, mut lone) = (false, false);
        loop {
            self.at += plain_run(self.bytes.get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    lone |= self.escape()?;
                }
                Some(_) => return Err(JsonFault::Control),
                None => return Err(JsonFault::End),
            }
        }
        self.at += 1;
        self.end();
        if let Some(node) = self.nodes.last_mut() {
            node.escaped = escaped;
            node.lone_surrogate = lone;
        }
        Ok(())
    }

    /// Passes one escape, or a pair of surrogate escapes. True where it is a lone surrogate.
    fn escape(&mut self) -> Result<bool, JsonFault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        match rest.get(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(false)
            }
            Some(b'u') => match hex4(rest) {
                Some(unit) => {
                    let pair = (0xD800..0xDC00).contains(&unit)
                        && rest.get(6..).and_then(hex4).is_some_and(|low| (0xDC00..0xE000).contains(&low));
                    self.at += if pair { 12 } else { 6 };
                    Ok(!pair && (0xD800..0xE000).contains(&unit))
                }
                None => Err(if rest.len() < 6 { JsonFault::End } else { JsonFault::Escape }),
            },
            Some(_) => Err(JsonFault::Escape),
            None => Err(JsonFault::End),
        }
    }
}

/// The UTF-16 unit of a `\uXXXX` escape at the start of `bytes`.
fn hex4(bytes: &[u8]) -> Option<u32> {
    let [b'\\', b'u', digits @ ..] = bytes.first_chunk::<6>()? else { return None };
    digits.iter().try_fold(0, |value, b| Some(value * 16 + (*b as char).to_digit(16)?))
}

/// Length of the leading bytes that neither end a string nor need a look. Eight bytes at a time: the lowest flagged
/// byte of a word is always a true one.
fn plain_run(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut rest = bytes;
    let mut run = 0;
    while let Some((chunk, tail)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let stop = control | zero(word ^ (ONES * b'"' as u64)) | zero(word ^ (ONES * b'\\' as u64));
        if stop != 0 {
            return run + (stop.trailing_zeros() / 8) as usize;
        }
        run += 8;
        rest = tail;
    }
    run + rest.iter().position(|b| *b < 0x20 || *b == b'"' || *b == b'\\').unwrap_or(rest.len())
}

/// The literal of a string without its quotes.
pub(crate) fn inner(literal: &str) -> &str {
    literal.strip_prefix('"').and_then(|l| l.strip_suffix('"')).unwrap_or(literal)
}

/// A stretch of a string literal and the value that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// Byte range in the literal without quotes.
    pub(crate) raw: Span,
    /// Byte range in the value.
    pub(crate) value: Span,
    /// What it reads as.
    pub(crate) text: PieceText<'a>,
}

/// What a stretch of a literal reads as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PieceText<'a> {
    /// The bytes as they stand.
    Plain(&'a str),
    /// The character of an escape.
    Char(char),
}

/// The pieces of a scanned literal without quotes, in order.
pub(crate) fn pieces(inner: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut raw = 0;
    let mut value = 0;
    std::iter::from_fn(move || {
        let rest = inner.get(raw..).filter(|r| !r.is_empty())?;
        let bytes = rest.as_bytes();
        let (width, text) = match memchr::memchr(b'\\', bytes) {
            Some(0) => escape_char(bytes),
            Some(plain) => (plain, PieceText::Plain(rest.get(..plain)?)),
            None => (rest.len(), PieceText::Plain(rest)),
        };
        let length = match text {
            PieceText::Plain(plain) => plain.len(),
            PieceText::Char(c) => c.len_utf8(),
        };
        let piece = Piece { raw: Span::new(raw, raw + width), value: Span::new(value, value + length), text };
        raw += width;
        value += length;
        Some(piece)
    })
}

/// Width and character of the escape at the start of `bytes`, which the scanner has passed before.
fn escape_char(bytes: &[u8]) -> (usize, PieceText<'_>) {
    let simple = match bytes.get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => {
            let high = hex4(bytes).unwrap_or(0xFFFD);
            let low = bytes.get(6..).and_then(hex4).filter(|low| (0xDC00..0xE000).contains(low));
            return match low {
                Some(low) if (0xD800..0xDC00).contains(&high) => (12, PieceText::Char(of_halves(high, low))),
                _ => (6, PieceText::Char(char::from_u32(high).unwrap_or('\u{FFFD}'))),
            };
        }
        Some(other) => *other as char,
        None => return (1, PieceText::Char('\\')),
    };
    (2, PieceText::Char(simple))
}

/// The lone halves of characters that a scanned literal without quotes begins with (a low one) and ends with (a high
/// one).
pub(crate) fn lone_ends(inner: &str) -> (Option<u32>, Option<u32>) {
    let unit = |piece: Piece<'_>| match piece.text {
        PieceText::Char('\u{FFFD}') => hex4(piece.raw.of(inner).as_bytes()),
        _ => None,
    };
    let mut all = pieces(inner);
    let first = all.next();
    let last = all.last().or(first);
    let low = first.and_then(unit).filter(|unit| (0xDC00..0xE000).contains(unit));
    let high = last.and_then(unit).filter(|unit| (0xD800..0xDC00).contains(unit));
    (low, high)
}

/// The character of two halves.
pub(crate) fn of_halves(high: u32, low: u32) -> char {
    let code = 0x10000 + (high.saturating_sub(0xD800) << 10) + low.saturating_sub(0xDC00);
    char::from_u32(code).unwrap_or('\u{FFFD}')
}

fn decode(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len());
    for piece in pieces(inner) {
        match piece.text {
            PieceText::Plain(text) => out.push_str(text),
            PieceText::Char(c) => out.push(c),
        }
    }
    out
}

/// Writes `text` as the inside of a JSON string: only what must be escaped is.
pub fn escape_into(text: &str, out: &mut String) {
    let mut rest = text;
    loop {
        let plain = plain_run(rest.as_bytes());
        out.push_str(rest.get(..plain).unwrap_or_default());
        let mut tail = rest.get(plain..).unwrap_or_default().chars();
        let Some(special) = tail.next() else { return };
        match special {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            other => {
                let code = other as u32;
                out.push_str("\\u00");
                out.push(char::from_digit(code >> 4, 16).unwrap_or('0'));
                out.push(char::from_digit(code & 15, 16).unwrap_or('0'));
            }
        }
        rest = tail.as_str();
    }
}

/// `text` as a JSON string literal, quotes included.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    escape_into(text, &mut out);
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn parse(text: &str) -> Result<Doc<'_>, JsonError> {
        Doc::parse(text.as_bytes(), &Limits::default())
    }

    /// Rebuilds a value from the table; numbers stay literals, so that nothing hides behind rounding.
    fn rebuild(doc: &Doc<'_>, index: usize) -> Value {
        match doc.kind(index).unwrap() {
            NodeKind::Null => Value::Null,
            NodeKind::Bool => Value::Bool(doc.literal(index) == "true"),
            NodeKind::Number => serde_json::from_str(doc.literal(index)).unwrap(),
            NodeKind::String | NodeKind::Key => Value::String(doc.value(index).into_owned()),
            NodeKind::Array => doc.children(index).map(|i| rebuild(doc, i)).collect(),
            NodeKind::Object => {
                Value::Object(doc.children(index).map(|k| (doc.value(k).into_owned(), rebuild(doc, k + 1))).collect())
            }
        }
    }

    fn agrees(text: &str) {
        let ours = parse(text);
        let raw = serde_json::from_str::<&serde_json::value::RawValue>(text);
        // The raw reader checks syntax alone: it lets lone surrogates and numbers out of range pass, as we do.
        assert_eq!(ours.is_ok(), raw.is_ok(), "{text:?}: {ours:?} {raw:?}");
        if let (Ok(doc), Ok(value)) = (ours, serde_json::from_str::<Value>(text)) {
            assert_eq!(rebuild(&doc, 0), value, "{text:?}");
        }
    }

    #[test]
    fn agrees_with_serde_json_on_corner_cases() {
        for text in [
            "",
            " ",
            "null",
            " true ",
            "false",
            "nul",
            "nulll",
            "tru",
            "0",
            "-0",
            "-",
            "01",
            "1.",
            ".1",
            "1.5e",
            "1e+",
            "1E-2",
            "1e5",
            "-0.0e0",
            "+1",
            "NaN",
            "0x1",
            "\"\"",
            "\"a",
            "\"\\\"",
            "\"\\u12\"",
            "\"\\u123g\"",
            "\"\\x\"",
            "\"\\ud83d\\ude00\"",
            "\"\u{1}\"",
            "\"\t\"",
            "\"\u{7f}\"",
            "[]",
            "[ ]",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[1,2]",
            "{}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "{\"a\":1}",
            "{a:1}",
            "{\"a\":1 \"b\":2}",
            "[}",
            "{]",
            "[1}",
            "{\"a\":1]",
            "1 2",
            "[] x",
            "'a'",
            "[1,[2,{\"a\":[]}]]",
            "\u{a0}1",
            "//x\n1",
            "{\"a\":1,\"a\":2}",
            "[true,false,null]",
            "[-]",
            "\"\\/\\b\\f\\n\\r\\t\"",
            "]",
            "}",
            ",",
            ":",
            "{\"a\" :\n1 }",
        ] {
            agrees(text);
        }
    }

    #[test]
    fn a_lone_surrogate_is_flagged_and_readable() {
        for (text, value) in [
            (r#""a\ud800b""#, "a\u{FFFD}b"),
            (r#""\udc00""#, "\u{FFFD}"),
            (r#""\ud800\ud83d\ude00""#, "\u{FFFD}\u{1F600}"),
            (r#""\ud800\u0041""#, "\u{FFFD}A"),
        ] {
            let doc = parse(text).unwrap();
            assert!(doc.node(0).unwrap().lone_surrogate);
            assert_eq!(doc.value(0), value);
        }
        assert!(!parse(r#""\ud83d\ude00""#).unwrap().node(0).unwrap().lone_surrogate);
    }

    #[test]
    fn errors_say_what_and_where() {
        let error = parse("{\n  \"é\": nul }").unwrap_err();
        assert_eq!(error.to_string(), "unexpected character at byte 13 (line 2, column 11)");
        let fault = |bytes: &[u8]| Doc::parse(bytes, &Limits::default()).unwrap_err().fault;
        assert_eq!(fault(b"\"\xff\""), JsonFault::Utf8);
        assert_eq!(fault("\u{feff}1".as_bytes()), JsonFault::ByteOrderMark);
        assert_eq!(fault(b"\"\n\""), JsonFault::Control);
        assert_eq!(fault(b"1 1"), JsonFault::Trailing);
        assert_eq!(fault(b"\"\\q\""), JsonFault::Escape);
        assert_eq!(fault(b"[1"), JsonFault::End);
        assert_eq!(fault(b"00"), JsonFault::Number);
    }

    #[test]
    fn limits_hold() {
        let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
        assert_eq!(parse(&deep).unwrap_err().fault, JsonFault::TooDeep);
        assert!(parse(deep.get(1..130 - 1).unwrap()).is_ok());
        let many = Limits { max_json_values: 3, ..Limits::default() };
        assert!(Doc::parse(b"{\"a\":1}", &many).is_ok());
        assert_eq!(Doc::parse(b"[1,2,3]", &many).unwrap_err().fault, JsonFault::TooMany);
        // A million open brackets neither overflow the stack nor take more than a look at the limit.
        assert_eq!(parse(&"[".repeat(1 << 20)).unwrap_err().fault, JsonFault::TooDeep);
    }

    #[test]
    fn duplicate_keys_are_kept_apart() {
        let doc = parse(r#"{"a":1,"\u0061":2}"#).unwrap();
        let keys: Vec<_> = doc.children(0).map(|k| doc.value(k).into_owned()).collect();
        assert_eq!(keys, ["a", "a"]);
        assert_eq!(doc.literal(doc.get(0, "a").unwrap()), "1");
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn agrees_with_serde_json_on_values(value in value(), pretty: bool) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            agrees(&text);
        }

        #[test]
        fn agrees_with_serde_json_on_damaged_values(value in value(), at: prop::sample::Index, with in "[\\[\\]{}\",:0-9eE.\\-\\\\utfn \u{1}é]{0,2}") {
            let mut text = serde_json::to_string(&value).unwrap();
            let cut = at.index(text.len() + 1);
            let cut = (0..=cut).rev().find(|i| text.is_char_boundary(*i)).unwrap();
            let end = (cut + 1..=text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len());
            text.replace_range(cut..end, &with);
            agrees(&text);
        }

        #[test]
        fn agrees_with_serde_json_on_json_like_noise(text in "[\\[\\]{}\",:0-9eE.\\-\\\\utrfalsn ]{0,24}") {
            agrees(&text);
        }

        #[test]
        fn encode_round_trips(text: String) {
            let literal = encode(&text);
            prop_assert_eq!(serde_json::from_str::<String>(&literal).unwrap(), text.clone());
            prop_assert_eq!(parse(&literal).unwrap().value(0), text.as_str());
        }

        #[test]
        fn a_plain_run_stops_at_the_first_special_byte(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let slow = bytes.iter().position(|b| *b < 0x20 || *b == b'"' || *b == b'\\').unwrap_or(bytes.len());
            prop_assert_eq!(plain_run(&bytes), slow);
        }

        #[test]
        fn pieces_cover_the_literal_and_the_value(text: String, unicode: bool) {
            let literal: String = if unicode {
                format!("\"{}\"", text.encode_utf16().map(|u| format!("\\u{u:04x}")).collect::<String>())
            } else {
                encode(&text)
            };
            let (mut raw, mut value) = (0, 0);
            for piece in pieces(inner(&literal)) {
                prop_assert_eq!((piece.raw.start, piece.value.start), (raw, value));
                (raw, value) = (piece.raw.end, piece.value.end);
            }
            prop_assert_eq!((raw, value), (literal.len() - 2, text.len()));
            prop_assert_eq!(decode(inner(&literal)), text);
        }
    }
}
