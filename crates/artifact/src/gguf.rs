//! GGUF: metadata, a table of tensors, tensors.

use bartizan_core::Reason;

use crate::bytes::{piece, show, size, u16le, u32le, u64le};
use crate::desk::Desk;
use crate::{rules, template};

struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let piece = piece(self.data, self.at, len)?;
        self.at += len;
        Some(piece)
    }

    fn u32(&mut self) -> Option<u32> {
        let n = u32le(self.data, self.at)?;
        self.at += 4;
        Some(n)
    }

    fn u64(&mut self) -> Option<u64> {
        let n = u64le(self.data, self.at)?;
        self.at += 8;
        Some(n)
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let len = size(self.u64()?);
        self.take(len)
    }
}

fn width(kind: u32) -> Option<usize> {
    Some(match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        10..=12 => 8,
        _ => return None,
    })
}

/// Values in a block and bytes of it, by type of tensor.
fn block(kind: u32) -> Option<(u64, u64)> {
    Some(match kind {
        0 | 26 => (1, 4),
        1 | 25 | 30 => (1, 2),
        2 => (32, 18),
        3 => (32, 20),
        6 => (32, 22),
        7 => (32, 24),
        8 => (32, 34),
        9 => (32, 36),
        10 => (256, 84),
        11 => (256, 110),
        12 => (256, 144),
        13 => (256, 176),
        14 => (256, 210),
        15 => (256, 292),
        24 => (1, 1),
        27 | 28 => (1, 8),
        _ => return None,
    })
}

/// Skips a value; the text where it is one. `None` where it does not fit.
fn value<'a>(reader: &mut Reader<'a>, kind: u32, depth: u8) -> Option<Option<&'a [u8]>> {
    match kind {
        8 => reader.string().map(Some),
        9 => {
            let (inner, count) = (reader.u32()?, size(reader.u64()?));
            if let Some(width) = width(inner) {
                reader.take(count.checked_mul(width)?)?;
            } else {
                // Each element has at least eight bytes, so the count cannot outrun the file.
                if depth == 0 || count > reader.data.len() / 8 {
                    return None;
                }
                for _ in 0..count {
                    value(reader, inner, depth - 1)?;
                }
            }
            Some(None)
        }
        other => {
            reader.take(width(other)?)?;
            Some(None)
        }
    }
}

/// Examines a file.
pub(crate) fn examine(bytes: &[u8], desk: &mut Desk<'_>) -> &'static str {
    if read(bytes, desk).is_none() {
        desk.find(
            &rules::STRUCTURE,
            "a length or type in the header does not fit the file",
            0,
            bytes.len().min(1 << 20),
        );
        desk.partial(Reason::Malformed, bytes.len(), "the header cannot be read to its end");
    }
    "gguf"
}

fn read(bytes: &[u8], desk: &mut Desk<'_>) -> Option<()> {
    let mut reader = Reader { data: bytes, at: 4 };
    let version = reader.u32()?;
    if !(2..=3).contains(&version) {
        desk.partial(Reason::File, bytes.len(), format!("version {version} of GGUF is not read"));
        return Some(());
    }
    let (tensors, pairs) = (reader.u64()?, reader.u64()?);
    // The shortest entries have 24 and 12 bytes.
    if size(tensors) > bytes.len() / 24 || size(pairs) > bytes.len() / 12 {
        return None;
    }
    let mut alignment = 32usize;
    for _ in 0..pairs {
        let key = reader.string()?;
        let kind = reader.u32()?;
        let at = reader.at;
        if key == b"general.alignment" && kind == 4 {
            alignment = size(u64::from(u32le(bytes, at)?));
        }
        let text = value(&mut reader, kind, 2)?;
        if let Some(text) = text
            && key.starts_with(b"tokenizer.chat_template")
        {
            template::examine(&String::from_utf8_lossy(text), at + 8, desk);
        }
    }
    if alignment == 0 || !alignment.is_power_of_two() {
        return None;
    }
    let mut places = Vec::new();
    for _ in 0..tensors {
        let name = reader.string()?;
        let dimensions = reader.u32()?;
        if dimensions > 8 {
            return None;
        }
        let mut count = Some(1u64);
        for _ in 0..dimensions {
            let dimension = reader.u64()?;
            count = count.and_then(|n| n.checked_mul(dimension));
        }
        let (kind, offset) = (reader.u32()?, reader.u64()?);
        let bytes = count.and_then(|count| match block(kind) {
            Some((values, bytes)) => count.div_ceil(values).checked_mul(bytes),
            None => Some(0),
        });
        let Some(end) = bytes.and_then(|bytes| offset.checked_add(bytes)) else {
            let name = show(&String::from_utf8_lossy(name));
            desk.find(&rules::STRUCTURE, format!("the size of tensor `{name}` overflows"), reader.at, 0);
            continue;
        };
        places.push((offset, end, name));
    }
    let start = reader.at.checked_next_multiple_of(alignment)?;
    let data = bytes.len().saturating_sub(start) as u64;
    places.sort_unstable();
    let mut last = 0;
    for (offset, end, name) in places {
        let name = || show(&String::from_utf8_lossy(name));
        if end > data {
            desk.find(&rules::STRUCTURE, format!("tensor `{}` lies outside of the file", name()), start, 0);
        } else if offset < last {
            desk.find(&rules::STRUCTURE, format!("tensor `{}` shares bytes with another", name()), start, 0);
        } else if offset % alignment as u64 != 0 {
            desk.find(&rules::STRUCTURE, format!("tensor `{}` is not aligned", name()), start, 0);
        }
        last = last.max(end);
    }
    let tail = start.checked_add(size(last)).and_then(|at| bytes.get(at..)).unwrap_or_default();
    if tensors > 0 && tail.len() > alignment && tail.iter().any(|b| *b != 0) && u16le(tail, 0).is_some() {
        desk.find(
            &rules::TRAILING,
            format!("{} bytes follow the last tensor", tail.len()),
            bytes.len() - tail.len(),
            tail.len(),
        );
    }
    desk.opaque(size(data), "tensors");
    Some(())
}
