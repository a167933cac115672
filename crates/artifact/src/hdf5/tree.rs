//! B-trees of both versions.

use super::file::File;
use crate::bytes::piece;

/// Deepest tree: one of this depth holds more than any file.
const DEPTH: usize = 24;

/// Visits the leaves of a tree of version 1 that indexes a group.
pub(super) fn leaves(file: &File<'_>, at: usize, depth: usize, each: &mut dyn FnMut(usize)) -> Option<()> {
    file.step()?;
    file.signed(at, b"TREE")?;
    let (kind, level, count) = (file.u8(at + 4)?, file.u8(at + 5)?, file.u16(at + 6)?);
    if kind != 0 || depth > DEPTH {
        return None;
    }
    // Two siblings, then a key before each child.
    let mut at = at + 8 + 2 * file.address + file.length;
    for _ in 0..count {
        let child = file.at(at)?;
        if level == 0 {
            file.step()?;
            each(child);
        } else {
            leaves(file, child, depth + 1, each)?;
        }
        at += file.address + file.length;
    }
    Some(())
}

/// A tree of version 2, by what its header says.
struct Shape {
    record: usize,
    /// Bytes of the number of records of a child.
    count: usize,
    /// Bytes of the number of all records below a child, by the level of the child.
    below: Vec<usize>,
}

/// Bytes that hold a number.
fn width(most: u64) -> usize {
    usize::try_from(most.max(1).ilog2() / 8 + 1).unwrap_or(8)
}

/// Visits the records of a tree of version 2.
pub(super) fn records(file: &File<'_>, at: usize, each: &mut dyn FnMut(&[u8])) -> Option<()> {
    file.step()?;
    file.signed(at, b"BTHD")?;
    let (node, record, depth) = (file.u32(at + 6)?, file.u16(at + 10)?, file.u16(at + 12)?);
    if record == 0 || node < 16 || depth > DEPTH {
        return None;
    }
    let Some(root) = file.at(at + 16) else {
        // An empty tree has no root.
        return Some(());
    };
    let count = file.u16(at + 16 + file.address)?;
    let leaf = ((node - 10) / record) as u64;
    let mut shape = Shape { record, count: width(leaf), below: vec![0] };
    let mut all = leaf;
    for level in 1..=depth {
        let pointer = file.address + shape.count + shape.below.get(level - 1)?;
        let most = (node.checked_sub(10 + pointer)? / (record + pointer)) as u64;
        all = most.saturating_add(1).saturating_mul(all).saturating_add(most);
        shape.below.push(width(all));
    }
    below(file, &shape, root, count, depth, each)
}

fn below(
    file: &File<'_>,
    shape: &Shape,
    at: usize,
    count: usize,
    level: usize,
    each: &mut dyn FnMut(&[u8]),
) -> Option<()> {
    file.step()?;
    file.signed(at, if level == 0 { b"BTLF" } else { b"BTIN" })?;
    let mut at = at + 6;
    for _ in 0..count {
        file.step()?;
        each(piece(file.data, at, shape.record)?);
        at += shape.record;
    }
    if level > 0 {
        let total = *shape.below.get(level - 1)?;
        for _ in 0..=count {
            let child = file.at(at)?;
            let records = usize::try_from(file.number(at + file.address, shape.count)?).ok()?;
            below(file, shape, child, records, level - 1, each)?;
            at += file.address + shape.count + total;
        }
    }
    Some(())
}
