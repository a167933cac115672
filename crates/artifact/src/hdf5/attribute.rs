//! Attributes: names with small values. Texts are what counts here.

use super::file::File;
use super::header::Message;
use super::heap::{Fractal, Global};
use super::tree;
use crate::bytes::piece;

/// An attribute whose value is bytes or text; empty for numbers.
pub(super) struct Attribute<'a> {
    pub(super) name: String,
    pub(super) texts: Vec<&'a [u8]>,
}

/// Attributes of an object that has many: a tree of references into a heap of attribute messages.
pub(super) fn dense<'a>(
    file: &File<'a>,
    info: &Message,
    heaps: &mut Global,
    each: &mut dyn FnMut(Attribute<'a>),
) -> Option<()> {
    let flags = file.u8(info.at + 1)?;
    let at = info.at + 2 + if flags & 1 != 0 { 2 } else { 0 };
    let Some(heap) = file.at(at) else { return Some(()) };
    let index = file.at(at + file.address)?;
    let heap = Fractal::open(file, heap)?;
    let mut whole = Some(());
    tree::records(file, index, &mut |record| {
        let shared = record.get(8).is_none_or(|flags| flags & 2 != 0);
        let place = piece(record, 0, 8).filter(|_| !shared).and_then(|id| heap.find(file, id));
        match place.and_then(|(at, len)| read(file, at, len, heaps)) {
            Some(attribute) => each(attribute),
            None => whole = None,
        }
    })?;
    whole
}

/// An attribute message.
pub(super) fn read<'a>(file: &File<'a>, at: usize, len: usize, heaps: &mut Global) -> Option<Attribute<'a>> {
    let end = at.checked_add(len).filter(|end| *end <= file.data.len())?;
    let version = file.u8(at)?;
    let flags = file.u8(at + 1)?;
    let lens = [file.u16(at + 2)?, file.u16(at + 4)?, file.u16(at + 6)?];
    let (mut at, pad) = match version {
        1 => (at + 8, 8),
        2 => (at + 8, 1),
        3 => (at + 9, 1),
        _ => return None,
    };
    let [name, kind, space] = lens.map(|len| {
        let start = at;
        at += len.next_multiple_of(pad);
        (start, len)
    });
    let bytes = piece(file.data, name.0, name.1)?;
    file.charge(bytes.len())?;
    let bytes = bytes.split(|b| *b == 0).next().unwrap_or_default();
    let name = String::from_utf8_lossy(bytes).into_owned();
    // A type or size that objects share stands elsewhere: what the value is cannot be told.
    if version > 1 && flags & 3 != 0 {
        return None;
    }
    let count = elements(file, space.0)?;
    let data = piece(file.data, at, end.checked_sub(at)?)?;
    Some(Attribute { name, texts: texts(file, kind.0, count, at, data, heaps)? })
}

fn elements(file: &File<'_>, at: usize) -> Option<usize> {
    let (version, rank) = (file.u8(at)?, usize::from(file.u8(at + 1)?));
    let dims = match version {
        1 => at + 8,
        // Kind 2 holds nothing.
        2 if file.u8(at + 3)? == 2 => return Some(0),
        2 => at + 4,
        _ => return None,
    };
    (0..rank).try_fold(1usize, |n, d| n.checked_mul(file.len(dims + d * file.length)?))
}

fn texts<'a>(
    file: &File<'a>,
    kind: usize,
    count: usize,
    at: usize,
    data: &'a [u8],
    heaps: &mut Global,
) -> Option<Vec<&'a [u8]>> {
    let class = file.u8(kind)? & 15;
    let size = file.u32(kind + 4)?;
    match class {
        // Fixed length text, and bytes of no meaning.
        3 | 5 if size > 0 => {
            let bytes = data.get(..count.checked_mul(size)?)?;
            bytes
                .chunks(size)
                .map(|value| {
                    file.charge(value.len())?;
                    Some(trim(value))
                })
                .collect()
        }
        9 => {
            let width = 8 + file.address;
            // Texts, or lists of bytes; what lists of other things hold is numbers.
            let list = file.u8(kind + 1)? & 15 == 0 && file.u32(kind + 12)? != 1;
            if list {
                return Some(Vec::new());
            }
            if data.len() / width < count {
                return None;
            }
            let mut found = Vec::new();
            for index in 0..count {
                file.step()?;
                let at = at + index * width;
                let len = file.u32(at)?;
                if len > 0 {
                    let object = heaps.get(file, at + 4)?;
                    let value = object.get(..len).unwrap_or(object);
                    file.charge(value.len())?;
                    found.push(trim(value));
                }
            }
            Some(found)
        }
        _ => Some(Vec::new()),
    }
}

/// Without the zeros that fill a text up.
fn trim(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
    bytes.get(..end).unwrap_or_default()
}
