//! TensorFlow Lite: a flatbuffer. Its operators are looked up, its tables checked to lie inside of the file.
//!
//! <https://flatbuffers.dev/internals/>, schema of TensorFlow Lite version 3.

use bartizan_core::{Reason, Severity};

use crate::bytes::{from, piece, show, size, u16le, u32le, u64le};
use crate::desk::Desk;
use crate::tensorflow::{danger, is_operation};
use crate::{rules, zip};

/// Operators of one file.
const OPERATORS: usize = 100_000;

/// A table: where it is.
#[derive(Clone, Copy)]
struct Table<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Table<'a> {
    /// The table that the offset at `at` leads to.
    fn at(data: &'a [u8], at: usize) -> Option<Self> {
        let at = at.checked_add(size(u64::from(u32le(data, at)?)))?;
        // Its own table of fields lies before or behind it, by a signed distance.
        u32le(data, at).map(|_| Self { data, at })
    }

    /// Where a field is; `Some(None)` where it has its default.
    fn field(self, index: usize) -> Option<Option<usize>> {
        let distance = i64::from(i32::from_le_bytes(u32le(self.data, self.at)?.to_le_bytes()));
        let fields = i64::try_from(self.at).ok()?.checked_sub(distance)?;
        let fields = usize::try_from(fields).ok()?;
        let len = usize::from(u16le(self.data, fields)?);
        let slot = 4 + 2 * index;
        if slot + 2 > len {
            return Some(None);
        }
        let offset = usize::from(u16le(self.data, fields.checked_add(slot)?)?);
        Some((offset > 0).then_some(self.at + offset))
    }

    /// A vector: where its elements begin, and how many there are. Each takes at least `width` bytes.
    fn vector(self, index: usize, width: usize) -> Option<(usize, usize)> {
        let Some(at) = self.field(index)? else { return Some((0, 0)) };
        let at = at.checked_add(size(u64::from(u32le(self.data, at)?)))?;
        let count = size(u64::from(u32le(self.data, at)?));
        piece(self.data, at + 4, count.checked_mul(width)?)?;
        Some((at + 4, count))
    }

    /// A text, cut where no name goes on: many tables may share one.
    fn text(self, index: usize) -> Option<String> {
        let (at, len) = self.vector(index, 1)?;
        Some(String::from_utf8_lossy(piece(self.data, at, len.min(256))?).into_owned())
    }

    fn u64(self, index: usize) -> Option<u64> {
        match self.field(index)? {
            Some(at) => u64le(self.data, at),
            None => Some(0),
        }
    }
}

/// Examines a file.
pub(crate) fn examine(bytes: &[u8], desk: &mut Desk<'_>) -> &'static str {
    if read(bytes, desk).is_none() {
        desk.find(&rules::STRUCTURE, "an offset of the flatbuffer leads out of the file", 0, bytes.len());
        desk.partial(Reason::Malformed, bytes.len(), "the model cannot be read to its end");
    }
    // Files for people and labels are packed behind the model, by design.
    if zip::ends(bytes) {
        desk.within("metadata", bytes.len(), |desk| {
            zip::examine(bytes, desk);
        });
    }
    desk.opaque(bytes.len(), "tensors and the graph of the model");
    "tflite"
}

fn read(bytes: &[u8], desk: &mut Desk<'_>) -> Option<()> {
    let model = Table::at(bytes, 0)?;
    let (at, count) = model.vector(1, 4)?;
    if count > OPERATORS {
        desk.partial(Reason::TooManyParts, bytes.len(), "the model has more operators than the limit");
    }
    for index in 0..count.min(OPERATORS) {
        let code = Table::at(bytes, at + 4 * index)?;
        let name = code.text(1)?;
        if !name.is_empty() {
            operator(&name, desk);
        }
    }
    let (at, count) = model.vector(4, 4)?;
    for index in 0..count {
        let buffer = Table::at(bytes, at + 4 * index)?;
        buffer.vector(0, 1)?;
        // Large models keep their buffers behind the flatbuffer.
        let (offset, len) = (buffer.u64(1)?, buffer.u64(2)?);
        if offset > 1 {
            piece(bytes, size(offset), size(len))?;
        }
    }
    let (at, count) = model.vector(2, 4)?;
    for index in 0..count {
        Table::at(bytes, at + 4 * index)?.vector(0, 4)?;
    }
    Some(())
}

fn operator(name: &str, desk: &mut Desk<'_>) {
    let flex = name.strip_prefix("Flex").filter(|op| is_operation(op));
    if let Some((severity, what)) = flex.and_then(danger) {
        desk.find_as(&rules::CONFIG, severity, format!("the operation `{}` {what}", show(name)), (0, 0), Vec::new());
    } else if flex.is_some() {
        let what = "operations of TensorFlow itself are needed";
        desk.find_as(&rules::CONFIG, Severity::Low, what, (0, 0), Vec::new());
    } else {
        let what = format!("the operator `{}` needs code of the program that loads the model", show(name));
        desk.find_as(&rules::CONFIG, Severity::Low, what, (0, 0), Vec::new());
    }
}

/// True where the root of a flatbuffer without an identifier of ours lies in the file.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    from(bytes, 4).starts_with(b"TFL3")
}
