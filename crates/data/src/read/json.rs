//! JSON: a value per line, a list of values, or one document.

use std::io::{BufRead, Read as _};

use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::bounded::{Allowance, Bounded};
use super::{Body, Out, Reading, Shape, Stop};
use crate::cell::Cell;

/// The value of one text.
pub(super) fn value(bytes: &[u8]) -> Result<Cell, String> {
    if let Err(error) = std::str::from_utf8(bytes) {
        return Err(format!("it is not UTF-8: invalid byte at offset {}", error.valid_up_to()));
    }
    serde_json::from_slice(bytes).map_err(|error| without_line(&error))
}

/// What serde_json says, without the line, which it counts from the beginning of the value.
fn without_line(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let what = message.rsplit_once(" at line ").map_or(message.as_str(), |(what, _)| what);
    format!("it is not JSON: {what} at column {}", error.column())
}

/// True where the first line is a value of its own, or is longer than what was looked at.
pub(super) fn is_lines(head: &[u8]) -> bool {
    let text = head.trim_ascii_start();
    match memchr::memchr(b'\n', text) {
        Some(end) => value(text.get(..end).unwrap_or_default().trim_ascii()).is_ok(),
        None => true,
    }
}

/// A value per line. Blank lines are none.
pub(super) fn lines(mut input: impl BufRead, reading: &Reading, out: &mut Out<'_, '_>) -> Result<(), Stop> {
    out.form(Shape::JsonLines)?;
    let mut line = Vec::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        number += 1;
        match super::text::line(&mut input, reading.max_row, &mut line) {
            Ok(None) => return Ok(()),
            Ok(Some(skipped)) if skipped > 0 => {
                let why = format!("the row is longer than {} bytes", reading.max_row);
                out.broken(format!("line {number}"), why, line.len() + skipped)?;
            }
            Ok(Some(_)) if line.trim_ascii().is_empty() => {}
            Ok(Some(_)) => out.row(Body::Json(line.trim_ascii().to_vec()))?,
            Err(error) => {
                return out.rest(format!("line {number} and what follows"), format!("cannot be read: {error}"));
            }
        }
    }
}

/// A list of values, one at a time.
pub(super) fn list(input: impl BufRead, reading: &Reading, out: &mut Out<'_, '_>) -> Result<(), Stop> {
    struct Rows<'a, 'b, 'c> {
        out: &'a mut Out<'b, 'c>,
        allowance: Allowance,
        stopped: bool,
    }
    impl<'de> DeserializeSeed<'de> for &mut Rows<'_, '_, '_> {
        type Value = ();
        fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
            deserializer.deserialize_seq(self)
        }
    }
    impl<'de> Visitor<'de> for &mut Rows<'_, '_, '_> {
        type Value = ();
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list of rows")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
            while let Some(value) = seq.next_element::<Box<RawValue>>()? {
                self.allowance.renew();
                if self.out.row(Body::Json(String::from(Box::<str>::from(value)).into_bytes())).is_err() {
                    self.stopped = true;
                    return Err(serde::de::Error::custom("stopped"));
                }
            }
            Ok(())
        }
    }
    out.form(Shape::JsonList)?;
    let allowance = Allowance::new(reading.max_row);
    let bounded = std::io::BufReader::with_capacity(1 << 16, Bounded { input, allowance: allowance.clone() });
    let mut parser = serde_json::Deserializer::from_reader(bounded);
    let mut rows = Rows { out, allowance, stopped: false };
    let parsed = (&mut rows).deserialize(&mut parser).and_then(|()| parser.end());
    match parsed {
        _ if rows.stopped => Err(Stop),
        Ok(()) => Ok(()),
        Err(error) => {
            let row = out.row;
            out.rest(format!("row {row} and what follows"), format!("it is not JSON: {error}"))
        }
    }
}

/// One document that is a row.
pub(super) fn document(input: impl BufRead, reading: &Reading, out: &mut Out<'_, '_>) -> Result<(), Stop> {
    let mut bytes = Vec::new();
    match input.take(reading.max_row as u64 + 1).read_to_end(&mut bytes) {
        Err(error) => out.rest("the whole", format!("it cannot be read: {error}")),
        Ok(_) if bytes.len() > reading.max_row => {
            out.rest("the whole", format!("the document is longer than {} bytes", reading.max_row))
        }
        Ok(_) => {
            out.form(Shape::JsonDocument)?;
            out.row(Body::Json(bytes))
        }
    }
}

/// True where the first list in an object is one of objects, and no other object comes before it.
pub(super) fn may_wrap(head: &[u8]) -> bool {
    let Some(inside) = head.trim_ascii_start().strip_prefix(b"{") else { return false };
    let Some(at) = memchr::memchr2(b'[', b'{', inside) else { return false };
    inside
        .get(at..)
        .and_then(|rest| rest.strip_prefix(b"["))
        .is_some_and(|rest| rest.trim_ascii_start().starts_with(b"{"))
}

/// An object that holds a list of rows, and besides at most values that tell nothing.
pub(super) struct Wrapped {
    pub(super) before: Vec<u8>,
    pub(super) rows: Vec<Vec<u8>>,
    pub(super) after: Vec<u8>,
}

/// The rows of an object that holds nothing but a list of them, and what is before and after. Messages are no rows.
pub(super) fn wrapped(bytes: &[u8]) -> Option<Wrapped> {
    let text = std::str::from_utf8(bytes).ok()?;
    let Cell::Map(pairs) = value(bytes).ok()? else { return None };
    let mut lists =
        pairs.iter().filter_map(|(_, value)| if let Cell::List(items) = value { Some(items) } else { None });
    let (Some(items), None) = (lists.next(), lists.next()) else { return None };
    // What is beside the rows is not examined with them: a version or a count, and no text.
    let quiet = |text: &str| !crate::layout::telling(&text.replace('.', ""));
    let beside = |value: &Cell| match value {
        Cell::List(_) | Cell::Null | Cell::Bool(_) => true,
        Cell::Number(text) | Cell::Text(text) => quiet(text),
        _ => false,
    };
    if !pairs.iter().all(|(name, value)| quiet(name) && beside(value)) {
        return None;
    }
    let row = |item: &Cell| matches!(item, Cell::Map(_)) && !crate::layout::is_message(item);
    if items.len() < 2 || !items.iter().all(row) {
        return None;
    }
    // No other value has brackets.
    let from = text.find('[')?;
    let to = text.rfind(']')?;
    let rows: Vec<&RawValue> = serde_json::from_str(text.get(from..=to)?).ok()?;
    let rows = rows.into_iter().map(|row| row.get().as_bytes().to_vec()).collect();
    Some(Wrapped { before: bytes.get(..from)?.to_vec(), rows, after: bytes.get(to + 1..)?.to_vec() })
}
