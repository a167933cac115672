//! Object headers: the messages that say what an object is.

use super::file::File;

/// Blocks of one header: it may go on elsewhere.
const BLOCKS: usize = 4096;

/// One message of a header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    pub(super) kind: usize,
    pub(super) flags: u8,
    pub(super) at: usize,
    pub(super) len: usize,
}

impl Message {
    /// True where the message is only a reference to one that objects share.
    pub(super) fn is_shared(&self) -> bool {
        self.flags & 2 != 0
    }
}

/// The messages of the object whose header is at `at`, and whether they could be read to their end.
pub(super) fn read(file: &File<'_>, at: usize) -> Option<(Vec<Message>, bool)> {
    file.step()?;
    let second = file.signed(at, b"OHDR").is_some();
    let (first, ordered) = if second { new(file, at)? } else { (old(file, at)?, false) };
    let mut blocks = vec![first];
    let mut messages = Vec::new();
    let mut next = 0;
    while let Some((mut at, end)) = blocks.get(next).copied() {
        next += 1;
        let head = if second { 4 + if ordered { 2 } else { 0 } } else { 8 };
        while at + head <= end {
            let (kind, len, flags) = if second {
                (usize::from(file.u8(at)?), file.u16(at + 1)?, file.u8(at + 3)?)
            } else {
                (file.u16(at)?, file.u16(at + 2)?, file.u8(at + 4)?)
            };
            at += head;
            if at + len > end {
                return Some((messages, false));
            }
            if kind == 0x10 && blocks.len() < BLOCKS {
                file.step()?;
                let (Some(more), Some(len)) = (file.at(at), file.len(at + file.address)) else {
                    return Some((messages, false));
                };
                let end = more.checked_add(len)?;
                if second {
                    if file.signed(more, b"OCHK").is_none() {
                        return Some((messages, false));
                    }
                    blocks.push((more + 4, end.checked_sub(4)?));
                } else {
                    blocks.push((more, end));
                }
            } else if kind != 0 {
                file.step()?;
                messages.push(Message { kind, flags, at, len });
            }
            at += len;
        }
    }
    let whole = blocks.len() < BLOCKS;
    Some((messages, whole))
}

/// Where the messages of a header of version 1 begin and end.
fn old(file: &File<'_>, at: usize) -> Option<(usize, usize)> {
    let len = (file.u8(at)? == 1).then(|| file.u32(at + 8))??;
    let start = at + 16;
    Some((start, start.checked_add(len)?.min(file.data.len())))
}

/// The same for version 2, and whether its messages carry their order.
fn new(file: &File<'_>, at: usize) -> Option<((usize, usize), bool)> {
    let flags = (file.u8(at + 4)? == 2).then(|| file.u8(at + 5))??;
    let mut start = at + 6;
    start += if flags & 0x20 != 0 { 16 } else { 0 };
    start += if flags & 0x10 != 0 { 4 } else { 0 };
    let width = 1usize << (flags & 3);
    let len = usize::try_from(file.number(start, width)?).ok()?;
    start += width;
    Some(((start, start.checked_add(len)?.min(file.data.len())), flags & 4 != 0))
}
