//! Groups: what they link to.

use super::file::File;
use super::header::Message;
use super::heap::{self, Fractal};
use super::tree;
use crate::bytes::piece;

/// What a name in a group stands for.
pub(super) enum Link {
    /// An object of this file: the place of its header.
    Hard(String, usize),
    /// A path in this file.
    Soft,
    /// An object of another file.
    External(String, String),
    /// A kind that a program has to register first.
    Foreign(String),
}

/// Entries of a group of old files: a tree over leaves of names.
pub(super) fn symbols(file: &File<'_>, tree: usize, heap: usize, each: &mut dyn FnMut(Link)) -> Option<()> {
    let names = heap::local(file, heap)?;
    let mut whole = Some(());
    tree::leaves(file, tree, 0, &mut |leaf| {
        if leaf_of(file, leaf, names, each).is_none() {
            whole = None;
        }
    })?;
    whole
}

fn leaf_of(file: &File<'_>, at: usize, names: usize, each: &mut dyn FnMut(Link)) -> Option<()> {
    file.signed(at, b"SNOD")?;
    let count = file.u16(at + 6)?;
    let entry = 2 * file.address + 24;
    for index in 0..count {
        file.step()?;
        let at = at + 8 + index * entry;
        let name = file.text(names.checked_add(usize::try_from(file.number(at, file.address)?).ok()?)?)?;
        if file.u32(at + 2 * file.address)? == 2 {
            each(Link::Soft);
        } else {
            each(Link::Hard(name, file.at(at + file.address)?));
        }
    }
    Some(())
}

/// Entries of a dense group: a tree of references into a heap of link messages.
pub(super) fn dense(file: &File<'_>, info: &Message, each: &mut dyn FnMut(Link)) -> Option<()> {
    let flags = file.u8(info.at + 1)?;
    let at = info.at + 2 + if flags & 1 != 0 { 8 } else { 0 };
    let Some(heap) = file.at(at) else { return Some(()) };
    let index = file.at(at + file.address)?;
    let heap = Fractal::open(file, heap)?;
    let mut whole = Some(());
    tree::records(file, index, &mut |record| {
        // A hash of the name, then the reference.
        let link = piece(record, 4, record.len().saturating_sub(4))
            .and_then(|id| heap.find(file, id))
            .and_then(|(at, len)| message(file, at, len));
        match link {
            Some(link) => each(link),
            None => whole = None,
        }
    })?;
    whole
}

/// A link message.
pub(super) fn message(file: &File<'_>, at: usize, len: usize) -> Option<Link> {
    let end = at.checked_add(len)?;
    let flags = (file.u8(at)? == 1).then(|| file.u8(at + 1))??;
    let mut at = at + 2;
    let mut kind = 0;
    if flags & 8 != 0 {
        kind = file.u8(at)?;
        at += 1;
    }
    at += if flags & 4 != 0 { 8 } else { 0 };
    at += if flags & 16 != 0 { 1 } else { 0 };
    let width = 1usize << (flags & 3);
    let len = usize::try_from(file.number(at, width)?).ok()?;
    at += width;
    let name = String::from_utf8_lossy(piece(file.data, at, len).filter(|_| at + len <= end)?).into_owned();
    at += len;
    Some(match kind {
        0 => Link::Hard(name, file.at(at)?),
        1 => Link::Soft,
        64 => {
            let len = file.u16(at)?;
            let value = piece(file.data, at + 3, len.checked_sub(1)?)?;
            let mut parts = value.split(|b| *b == 0).map(|p| String::from_utf8_lossy(p).into_owned());
            Link::External(name, parts.next().unwrap_or_default())
        }
        _ => Link::Foreign(name),
    })
}
