//! MessagePack as Flax writes parameters: maps of names to arrays, which are extensions.
//!
//! <https://github.com/msgpack/msgpack/blob/master/spec.md>

use bartizan_core::{Reason, Severity};

use crate::bytes::{from, piece};
use crate::desk::Desk;
use crate::{kind, rules};

/// Values of one file.
const VALUES: usize = 20_000_000;

/// One value, without those inside of it.
enum Item<'a> {
    Plain,
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    /// So many values follow; twice as many for a map.
    Inside(usize),
    Extension(i8),
}

struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn number(&mut self, width: usize) -> Option<usize> {
        let bytes = piece(self.data, self.at, width)?;
        self.at += width;
        bytes.iter().try_fold(0usize, |n, b| n.checked_mul(256)?.checked_add(usize::from(*b)))
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let bytes = piece(self.data, self.at, len)?;
        self.at += len;
        Some(bytes)
    }

    fn extension(&mut self, len: usize) -> Option<Item<'a>> {
        let kind = *self.take(1)?.first()?;
        self.take(len)?;
        Some(Item::Extension(i8::from_le_bytes([kind])))
    }

    fn item(&mut self) -> Option<Item<'a>> {
        let head = *self.take(1)?.first()?;
        Some(match head {
            0..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => Item::Plain,
            0x80..=0x8f => Item::Inside(usize::from(head & 15) * 2),
            0x90..=0x9f => Item::Inside(usize::from(head & 15)),
            0xa0..=0xbf => Item::Text(self.take(usize::from(head & 31))?),
            0xc4..=0xc6 => {
                let len = self.number(1 << (head - 0xc4))?;
                Item::Bytes(self.take(len)?)
            }
            0xc7..=0xc9 => {
                let len = self.number(1 << (head - 0xc7))?;
                self.extension(len)?
            }
            0xca | 0xce | 0xd2 => self.take(4).map(|_| Item::Plain)?,
            0xcb | 0xcf | 0xd3 => self.take(8).map(|_| Item::Plain)?,
            0xcc | 0xd0 => self.take(1).map(|_| Item::Plain)?,
            0xcd | 0xd1 => self.take(2).map(|_| Item::Plain)?,
            0xd4..=0xd8 => self.extension(1 << (head - 0xd4))?,
            0xd9..=0xdb => {
                let len = self.number(1 << (head - 0xd9))?;
                Item::Text(self.take(len)?)
            }
            0xdc | 0xdd => Item::Inside(self.number(if head == 0xdc { 2 } else { 4 })?),
            0xde | 0xdf => Item::Inside(self.number(if head == 0xde { 2 } else { 4 })?.checked_mul(2)?),
            _ => return None,
        })
    }
}

/// Examines a map of names; `None` where the bytes are none.
pub(crate) fn examine(bytes: &[u8], desk: &mut Desk<'_>) -> Option<&'static str> {
    if !matches!(bytes.first(), Some(0x81..=0x8f | 0xde | 0xdf)) {
        return None;
    }
    let mut reader = Reader { data: bytes, at: 0 };
    let mut payloads = Vec::new();
    let (mut left, mut values, mut foreign) = (1usize, 0usize, None);
    while left > 0 {
        let item = reader.item()?;
        values += 1;
        left -= 1;
        if values > VALUES {
            desk.partial(Reason::TooLong, bytes.len() - reader.at, "the file has more values than the limit");
            break;
        }
        // A name comes first: what has none is no map of parameters.
        if values == 2 && !matches!(item, Item::Text(name) if std::str::from_utf8(name).is_ok()) {
            return None;
        }
        match item {
            Item::Inside(count) => left = left.checked_add(count).filter(|left| *left <= bytes.len())?,
            Item::Text(inner) | Item::Bytes(inner) if kind::magic(inner).is_some() && payloads.len() < 1000 => {
                payloads.push(inner);
            }
            // Arrays, complex numbers and scalars of numpy.
            Item::Extension(kind) if !(1..=3).contains(&kind) && kind != -1 => foreign = Some(kind),
            _ => {}
        }
    }
    for payload in payloads {
        desk.within("value", payload.len(), |desk| {
            kind::examine(payload, desk);
        });
    }
    if let Some(kind) = foreign {
        let what = format!("values of the extension {kind} are read by the program that loads the file");
        desk.find_as(&rules::CONFIG, Severity::Low, what, (0, 0), Vec::new());
    }
    let rest = from(bytes, reader.at);
    if left == 0 && !rest.is_empty() {
        desk.find(&rules::TRAILING, format!("{} bytes follow the last value", rest.len()), reader.at, rest.len());
    }
    desk.opaque(bytes.len(), "tensors");
    Some("msgpack")
}
