//! The objects of a file.
//!
//! Objects are looked for in all of the bytes and not by the cross-reference table: a table that leads past an object
//! hides it from who trusts the table, and a table of many entries for one object multiplies the work. Each byte is
//! looked at a bounded number of times. All versions of an object are kept: what a later one replaces is text too.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use bartizan_core::Reason;
use memchr::memmem;

use super::lex::{Dict, Lexer, Value, is_regular};
use super::stream;
use crate::layer::Layer;

/// Most values in all objects of a file.
const VALUES: usize = 1 << 21;

/// How often the bytes of a file may be read again because objects overlap.
const OVERLAP: usize = 4;

/// Most references that are followed one after another.
const CHAIN: usize = 16;

/// An object with its stream, if it has one.
#[derive(Debug)]
pub(super) struct Object {
    /// Its number; 0 for a trailer.
    pub(super) number: u32,
    /// Its value: of a stream, the dictionary.
    pub(super) value: Value,
    /// Bytes of its stream in the file.
    pub(super) stream: Option<Range<usize>>,
}

impl Object {
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.value.dict()?.get(key.as_bytes())
    }

    pub(super) fn is(&self, key: &str, name: &str) -> bool {
        self.get(key).and_then(Value::name) == Some(name.as_bytes())
    }
}

/// A file that has been taken apart.
#[derive(Debug)]
pub(super) struct File<'a> {
    data: &'a [u8],
    /// Objects in the order of the file; trailers too.
    pub(super) objects: Vec<Object>,
    by_number: HashMap<u32, usize>,
    /// Objects that stand in the bytes of a stream: they hide nothing that stands outside.
    inner: HashSet<usize>,
    pub(super) is_encrypted: bool,
}

impl<'a> File<'a> {
    /// Takes a file apart.
    pub(super) fn parse(data: &'a [u8], layer: &mut Layer<'_>) -> Self {
        let lengths = lengths(data);
        let mut file =
            Self { data, objects: Vec::new(), by_number: HashMap::new(), inner: HashSet::new(), is_encrypted: false };
        let mut left = VALUES;
        let mut ends = Ends::default();
        // Objects may be written inside strings and streams of others, but not so often that it becomes work.
        let mut work = data.len().saturating_mul(OVERLAP);
        // The end of what the last objects cover.
        let mut outer = 0;
        for at in memmem::find_iter(data, b"obj") {
            let Some(number) = header(data, at) else { continue };
            let mut lexer = Lexer::new(data, at + 3, left);
            let value = lexer.value();
            left = lexer.left;
            let end = lexer.at;
            work = work.saturating_sub(end - at);
            if left == 0 || work == 0 {
                layer.fault(Reason::TooManyParts);
                break;
            }
            let Some(value) = value else { continue };
            let stream = value.dict().and_then(|dict| stream_range(data, end, dict, &lengths, &mut ends));
            if at < outer {
                file.inner.insert(file.objects.len());
            }
            outer = outer.max(stream.as_ref().map_or(end, |range| range.end));
            file.add(Object { number, value, stream });
        }
        for at in memmem::find_iter(data, b"trailer") {
            let mut lexer = Lexer::new(data, at + 7, left);
            if let Some(value @ Value::Dict(_)) = lexer.value() {
                file.add(Object { number: 0, value, stream: None });
            }
            left = lexer.left;
        }
        file.is_encrypted = file
            .objects
            .iter()
            .any(|o| (o.number == 0 || o.is("Type", "XRef")) && o.get("Encrypt").is_some_and(|e| *e != Value::Null));
        if !file.is_encrypted {
            file.unpack(&mut left, layer);
        }
        file
    }

    fn add(&mut self, object: Object) {
        let index = self.objects.len();
        let inner = self.inner.contains(&index);
        if object.number > 0 && !(inner && self.by_number.contains_key(&object.number)) {
            self.by_number.insert(object.number, index);
        }
        self.objects.push(object);
    }

    /// Adds what stands in object streams (7.5.7).
    fn unpack(&mut self, left: &mut usize, layer: &mut Layer<'_>) {
        for index in 0..self.objects.len() {
            let Some(object) = self.objects.get(index).filter(|o| o.is("Type", "ObjStm")) else { continue };
            let Some(data) = stream::decode(self, object, layer) else { continue };
            let first = object.get("First").and_then(|v| self.resolve(v)).and_then(Value::count).unwrap_or(0);
            let mut places = places(&data, first, *left);
            places.sort_unstable();
            for (position, (start, number)) in places.iter().enumerate() {
                // An object ends where the next one starts, so that no byte is read twice.
                let next = places.get(position + 1).map_or(data.len(), |(next, _)| *next).min(data.len());
                let Some(bytes) = data.get(*start..next) else { continue };
                let mut lexer = Lexer::new(bytes, 0, *left);
                let value = lexer.value();
                *left = lexer.left;
                if *left == 0 {
                    return layer.fault(Reason::TooManyParts);
                }
                if let Some(value) = value {
                    let known = self.by_number.contains_key(number);
                    self.add(Object { number: *number, value, stream: None });
                    if known {
                        // Which of the two is the newer one, only the cross-reference table says; both are read.
                        self.by_number.entry(*number).and_modify(|at| *at = self.objects.len() - 1);
                    }
                }
            }
        }
    }

    /// The value, or what it refers to.
    pub(super) fn resolve<'s>(&'s self, value: &'s Value) -> Option<&'s Value> {
        let mut value = value;
        for _ in 0..CHAIN {
            let Value::Reference(number) = value else { return Some(value) };
            value = &self.object(*number)?.value;
        }
        None
    }

    /// The value of a key, followed.
    pub(super) fn get<'s>(&'s self, dict: &'s Dict, key: &str) -> Option<&'s Value> {
        self.resolve(dict.get(key.as_bytes())?)
    }

    /// The newest object of a number.
    pub(super) fn object(&self, number: u32) -> Option<&Object> {
        self.objects.get(*self.by_number.get(&number)?)
    }

    /// Its place in [`File::objects`].
    pub(super) fn index(&self, number: u32) -> Option<usize> {
        self.by_number.get(&number).copied()
    }

    /// The bytes of a stream as they stand in the file.
    pub(super) fn raw(&self, object: &Object) -> Option<&'a [u8]> {
        self.data.get(object.stream.clone()?)
    }
}

/// The number of the object whose header `7 0 obj` ends with the `obj` at `at`.
fn header(data: &[u8], at: usize) -> Option<u32> {
    if data.get(at + 3).copied().is_some_and(is_regular) && !data.get(at + 3).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let before = data.get(at.saturating_sub(64)..at)?;
    let before = before.trim_ascii_end();
    let digits = |bytes: &[u8]| bytes.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let generation = digits(before);
    let before = before.get(..before.len() - generation)?;
    let number = before.trim_ascii_end();
    if generation == 0 || number.len() == before.len() {
        return None;
    }
    let length = digits(number);
    let number = std::str::from_utf8(number.get(number.len() - length..)?).ok()?;
    number.parse().ok()
}

/// Objects that are a number: lengths of streams stand in them.
fn lengths(data: &[u8]) -> HashMap<u32, usize> {
    let mut lengths = HashMap::new();
    for at in memmem::find_iter(data, b"obj") {
        let Some(number) = header(data, at) else { continue };
        let value = data.get(at + 3..).unwrap_or_default().trim_ascii_start();
        let end = value.iter().take(12).position(|b| !b.is_ascii_digit()).unwrap_or(0);
        let length = value.get(..end).and_then(|v| std::str::from_utf8(v).ok()).and_then(|v| v.parse().ok());
        if let Some(length) = length
            && value.get(end..).unwrap_or_default().trim_ascii_start().starts_with(b"endobj")
        {
            lengths.insert(number, length);
        }
    }
    lengths
}

/// Where `endstream` stands, asked for at growing places.
#[derive(Default)]
struct Ends {
    from: usize,
    at: Option<usize>,
    known: bool,
}

impl Ends {
    fn after(&mut self, data: &[u8], start: usize) -> Option<usize> {
        let still = self.known && self.from <= start && self.at.is_none_or(|at| at >= start);
        if !still {
            *self = Self {
                from: start,
                at: memmem::find(data.get(start..)?, b"endstream").map(|at| at + start),
                known: true,
            };
        }
        self.at
    }
}

/// The bytes of the stream whose dictionary ends at `end`.
fn stream_range(
    data: &[u8],
    end: usize,
    dict: &Dict,
    lengths: &HashMap<u32, usize>,
    ends: &mut Ends,
) -> Option<Range<usize>> {
    let mut lexer = Lexer::new(data, end, 1);
    lexer.skip_space();
    let rest = data.get(lexer.at..)?.strip_prefix(b"stream")?;
    let mut start = lexer.at + 6;
    start += usize::from(rest.first() == Some(&b'\r'));
    start += usize::from(data.get(start) == Some(&b'\n'));
    let length = match dict.get(&b"Length"[..]) {
        Some(Value::Reference(number)) => lengths.get(number).copied(),
        Some(value) => value.count(),
        None => None,
    };
    // The length is right where `endstream` follows; else the stream goes to the next one.
    let stated = length.and_then(|length| start.checked_add(length)).filter(|end| {
        let after = data.get(*end..).unwrap_or_default();
        let gap = after.iter().take(4).take_while(|b| b.is_ascii_whitespace()).count();
        after.get(gap..).is_some_and(|after| after.starts_with(b"endstream"))
    });
    let end = stated.or_else(|| ends.after(data, start)).unwrap_or(data.len());
    Some(start..end.max(start))
}

/// Start and number of the objects in an object stream.
fn places(data: &[u8], first: usize, most: usize) -> Vec<(usize, u32)> {
    let index = data.get(..first).unwrap_or_default();
    let mut numbers = index
        .split(|b| b.is_ascii_whitespace() || *b == 0)
        .filter(|word| !word.is_empty())
        .map(|word| std::str::from_utf8(word).ok().and_then(|w| w.parse::<u32>().ok()));
    let mut places = Vec::new();
    while let (Some(Some(number)), Some(Some(offset))) = (numbers.next(), numbers.next()) {
        if places.len() >= most {
            break;
        }
        places.push((first.saturating_add(offset as usize), number));
    }
    places
}
