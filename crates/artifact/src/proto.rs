//! The wire format of protocol buffers: fields by number, without a schema.
//!
//! <https://protobuf.dev/programming-guides/encoding/>

use crate::bytes::{piece, size, u32le, u64le};

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// A number of any length.
    Number(u64),
    /// Four or eight bytes: a number or a float.
    Fixed(u64),
    /// A text, a message, or packed numbers.
    Bytes(&'a [u8]),
    /// Fields between two marks. No format here has them, and every reader skips them.
    Group,
}

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    pub(crate) number: u64,
    pub(crate) value: Value<'a>,
}

/// The fields of a message, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    data: &'a [u8],
    at: usize,
    broken: bool,
}

/// Reads a message.
pub(crate) fn fields(data: &[u8]) -> Fields<'_> {
    Fields { data, at: 0, broken: false }
}

/// True where all bytes are fields, of numbers up to `most`.
pub(crate) fn is_message(data: &[u8], most: u64) -> bool {
    let mut all = fields(data);
    all.by_ref().all(|f| f.number <= most) && !all.broken && all.at >= data.len()
}

impl<'a> Fields<'a> {
    /// True where the message broke off before its end.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.data.get(self.at)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn read(&mut self) -> Option<Field<'a>> {
        let key = self.varint()?;
        let value = if key & 7 == 3 { self.group()? } else { self.value(key)? };
        (key >> 3 > 0).then_some(Field { number: key >> 3, value })
    }

    /// Skips to the end of a group; groups stand in groups.
    fn group(&mut self) -> Option<Value<'a>> {
        let mut open = 1usize;
        while open > 0 {
            let key = self.varint()?;
            match key & 7 {
                3 => open += 1,
                4 => open -= 1,
                _ => {
                    self.value(key)?;
                }
            }
        }
        Some(Value::Group)
    }

    fn value(&mut self, key: u64) -> Option<Value<'a>> {
        Some(match key & 7 {
            0 => Value::Number(self.varint()?),
            1 => {
                let value = u64le(self.data, self.at)?;
                self.at += 8;
                Value::Fixed(value)
            }
            2 => {
                let len = size(self.varint()?);
                let bytes = piece(self.data, self.at, len)?;
                self.at += len;
                Value::Bytes(bytes)
            }
            5 => {
                let value = u32le(self.data, self.at)?;
                self.at += 4;
                Value::Fixed(u64::from(value))
            }
            _ => return None,
        })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        if self.broken || self.at >= self.data.len() {
            return None;
        }
        let field = self.read();
        self.broken = field.is_none();
        field
    }
}

/// The messages or texts of a field, in their order.
pub(crate) fn parts(message: &[u8], number: u64) -> impl Iterator<Item = &[u8]> {
    fields(message).filter_map(move |f| match f.value {
        Value::Bytes(bytes) if f.number == number => Some(bytes),
        _ => None,
    })
}

/// The last of them: what a reader takes of a field that is not repeated.
pub(crate) fn part(message: &[u8], number: u64) -> Option<&[u8]> {
    parts(message, number).last()
}

/// The same as text; empty where there is none.
pub(crate) fn text(message: &[u8], number: u64) -> String {
    String::from_utf8_lossy(part(message, number).unwrap_or_default()).into_owned()
}

/// The last number of a field.
pub(crate) fn number(message: &[u8], number: u64) -> Option<u64> {
    fields(message)
        .filter_map(|f| match f.value {
            Value::Number(value) if f.number == number => Some(value),
            _ => None,
        })
        .last()
}

/// True where some field is not one of those that a format has.
pub(crate) fn has_other(message: &[u8], known: impl Fn(u64) -> bool) -> bool {
    fields(message).any(|f| !known(f.number))
}

/// Reads every part, also behind one that is broken; true where none is.
pub(crate) fn every<'a>(parts: impl Iterator<Item = &'a [u8]>, mut read: impl FnMut(&'a [u8]) -> bool) -> bool {
    let mut whole = true;
    for part in parts {
        whole &= read(part);
    }
    whole
}
