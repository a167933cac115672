//! The three heaps: local for names of old groups, global for texts of any length, fractal for dense groups.

use std::collections::HashMap;

use super::file::File;
use super::tree;
use crate::bytes::piece;

/// Where the names of a local heap begin.
pub(super) fn local(file: &File<'_>, at: usize) -> Option<usize> {
    file.step()?;
    file.signed(at, b"HEAP")?;
    file.at(at + 8 + 2 * file.length)
}

/// Objects of one collection: place and length by number.
type Collection = HashMap<usize, (usize, usize)>;

/// Collections of global heaps that were read.
#[derive(Default)]
pub(super) struct Global(HashMap<usize, Collection>);

impl Global {
    /// The object that a reference at `at` names: an address and a number.
    pub(super) fn get<'a>(&mut self, file: &File<'a>, at: usize) -> Option<&'a [u8]> {
        let (collection, index) = (file.at(at)?, file.u32(at + file.address)?);
        if let std::collections::hash_map::Entry::Vacant(slot) = self.0.entry(collection) {
            slot.insert(objects(file, collection)?);
        }
        let (at, len) = *self.0.get(&collection)?.get(&index)?;
        piece(file.data, at, len)
    }
}

fn objects(file: &File<'_>, start: usize) -> Option<Collection> {
    file.step()?;
    file.signed(start, b"GCOL")?;
    let end = start.checked_add(file.len(start + 8)?)?.min(file.data.len());
    let mut found = HashMap::new();
    let mut at = start + 8 + file.length;
    while at + 8 + file.length <= end {
        file.step()?;
        let (index, len) = (file.u16(at)?, file.len(at + 8)?);
        if index == 0 {
            break;
        }
        at += 8 + file.length;
        found.insert(index, (at, len));
        at = at.checked_add(len.checked_next_multiple_of(8)?)?;
    }
    Some(found)
}

/// A fractal heap.
pub(super) struct Fractal {
    /// Address and length of the objects too large for the blocks, by number.
    huge: HashMap<u64, (usize, usize)>,
    /// Bytes of an offset and of a length in a reference.
    offset: usize,
    length: usize,
    width: u64,
    first: u64,
    largest: u64,
    root: Option<usize>,
    rows: usize,
}

impl Fractal {
    /// Reads the header of a heap. Heaps with filters are not read.
    pub(super) fn open(file: &File<'_>, at: usize) -> Option<Self> {
        file.step()?;
        file.signed(at, b"FRHP")?;
        let filters = file.u16(at + 7)?;
        if filters != 0 {
            return None;
        }
        let managed = file.u32(at + 10)?;
        let (a, l) = (file.address, file.length);
        let large = file.at(at + 14 + l);
        let table = at + 14 + l + a + l + a + 8 * l;
        let width = u64::try_from(file.u16(table)?).ok()?;
        let (first, largest) = (file.number(table + 2, l)?, file.number(table + 2 + l, l)?);
        let bits = file.u16(table + 2 + 2 * l)?;
        let root = file.at(table + 6 + 2 * l);
        let rows = file.u16(table + 6 + 2 * l + a)?;
        if width == 0 || !first.is_power_of_two() || !largest.is_power_of_two() || bits > 64 || first > largest {
            return None;
        }
        let mut huge = HashMap::new();
        if let Some(large) = large {
            tree::records(file, large, &mut |record| {
                let number = |at, width| {
                    piece(record, at, width).map(|b| b.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b)))
                };
                if record.len() == a + 2 * l
                    && let (Some(at), Some(len), Some(id)) = (number(0, a), number(a, l), number(a + l, l))
                {
                    huge.insert(id, (crate::bytes::size(at), crate::bytes::size(len)));
                }
            });
        }
        let most = (managed as u64).min(largest).max(1);
        Some(Self {
            huge,
            offset: bits.div_ceil(8),
            length: usize::try_from(most.ilog2() / 8 + 1).ok()?,
            width,
            first,
            largest,
            root,
            rows,
        })
    }

    /// Where the object behind a reference is, and its length.
    pub(super) fn find(&self, file: &File<'_>, id: &[u8]) -> Option<(usize, usize)> {
        let number = |at: usize, width: usize| {
            piece(id, at, width).map(|b| b.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b)))
        };
        match (id.first()? >> 4) & 3 {
            0 => {
                let offset = number(1, self.offset.min(8))?;
                let len = usize::try_from(number(1 + self.offset, self.length)?).ok()?;
                let place = self.place(file, offset)?;
                piece(file.data, place, len).map(|_| (place, len))
            }
            1 => {
                let key = number(1, file.length.min(id.len() - 1))?;
                let (at, len) = *self.huge.get(&key)?;
                piece(file.data, at, len).map(|_| (at, len))
            }
            _ => None,
        }
    }

    /// The place of an offset of the heap: through indirect blocks of doubling sizes to a direct one.
    fn place(&self, file: &File<'_>, mut offset: u64) -> Option<usize> {
        let mut block = self.root?;
        if self.rows == 0 {
            file.signed(block, b"FHDB")?;
            return block.checked_add(usize::try_from(offset).ok()?);
        }
        let row_bytes = self.width.checked_mul(self.first)?;
        // Blocks get smaller on the way down, so that this ends.
        for _ in 0..64 {
            file.signed(block, b"FHIB")?;
            let row = if offset < row_bytes { 0 } else { (offset / row_bytes).ilog2() + 1 };
            let (before, size) = match row {
                0 => (0, self.first),
                row => (row_bytes.checked_shl(row - 1)?, self.first.checked_shl(row - 1)?),
            };
            let column = offset.checked_sub(before)? / size.max(1);
            let index = u64::from(row).checked_mul(self.width)?.checked_add(column)?;
            let entry = 5 + file.address + self.offset + usize::try_from(index).ok()?.checked_mul(file.address)?;
            block = file.at(block.checked_add(entry)?)?;
            offset = offset.checked_sub(before)?.checked_sub(column.checked_mul(size)?)?;
            if size <= self.largest {
                file.signed(block, b"FHDB")?;
                return block.checked_add(usize::try_from(offset).ok()?);
            }
        }
        None
    }
}
