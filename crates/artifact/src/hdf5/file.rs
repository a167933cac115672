//! The bytes of an HDF5 file with the widths that its superblock declares.
//!
//! Source: HDF5 File Format Specification, version 3.0.

use std::cell::Cell;

use crate::bytes::{piece, size, u16le, u32le};

/// What every reader of a part of the file needs.
pub(super) struct File<'a> {
    pub(super) data: &'a [u8],
    /// What addresses are counted from.
    base: usize,
    /// Bytes of an address.
    pub(super) address: usize,
    /// Bytes of a length.
    pub(super) length: usize,
    /// Structures that may still be visited: pointers may form a graph, not only a tree.
    left: Cell<usize>,
    /// Bytes of values that may still be read: many may share one place.
    values: Cell<usize>,
}

impl<'a> File<'a> {
    /// Reads the superblock at `start`; the file, the root's header, and where the file says that it ends.
    pub(super) fn open(data: &'a [u8], start: usize) -> Option<(Self, usize, usize)> {
        let version = *data.get(start + 8)?;
        let (widths, mut at) = match version {
            0 => (start + 13, start + 24),
            1 => (start + 13, start + 28),
            2 | 3 => (start + 9, start + 12),
            _ => return None,
        };
        let (address, length) = (usize::from(*data.get(widths)?), usize::from(*data.get(widths + 1)?));
        if !matches!(address, 2 | 4 | 8) || !matches!(length, 2 | 4 | 8) {
            return None;
        }
        // No structure is smaller than this many bytes.
        let left = Cell::new(data.len() / 8 + 64);
        let values = Cell::new(data.len().saturating_mul(2).saturating_add(1 << 16));
        let file = Self { data, base: start, address, length, left, values };
        // Base, then free space or extension, then the end, then (before version 2) the driver and the link's name.
        // Whether the end counts from the base, too, differs between writers.
        let end = file.at(at + 2 * address)?;
        let end = if end > data.len() { end.saturating_sub(start) } else { end };
        at += if version < 2 { 5 * address } else { 3 * address };
        let root = file.at(at)?;
        Some((file, root, end))
    }

    /// Counts one visited structure; `None` where there were more than the file can hold.
    pub(super) fn step(&self) -> Option<()> {
        self.left.set(self.left.get().checked_sub(1)?);
        Some(())
    }

    /// Counts a value before it is read; `None` where there were more than the file can hold.
    pub(super) fn charge(&self, bytes: usize) -> Option<()> {
        let left = self.values.get().checked_sub(bytes.saturating_add(16));
        self.values.set(left.unwrap_or(0));
        left.map(|_| ())
    }

    /// True where the visits are used up.
    pub(super) fn is_spent(&self) -> bool {
        self.left.get() == 0 || self.values.get() == 0
    }

    /// A number of `width` bytes.
    pub(super) fn number(&self, at: usize, width: usize) -> Option<u64> {
        let bytes = piece(self.data, at, width)?;
        bytes.iter().rev().try_fold(0u64, |n, b| n.checked_mul(256)?.checked_add(u64::from(*b)))
    }

    /// The address written at `at`, from the beginning of the file; `None` where it is undefined.
    pub(super) fn at(&self, at: usize) -> Option<usize> {
        let bytes = piece(self.data, at, self.address)?;
        if bytes.iter().all(|b| *b == 0xff) {
            return None;
        }
        size(self.number(at, self.address)?).checked_add(self.base)
    }

    /// The length written at `at`.
    pub(super) fn len(&self, at: usize) -> Option<usize> {
        self.number(at, self.length).map(size)
    }

    pub(super) fn u8(&self, at: usize) -> Option<u8> {
        self.data.get(at).copied()
    }

    pub(super) fn u16(&self, at: usize) -> Option<usize> {
        u16le(self.data, at).map(usize::from)
    }

    pub(super) fn u32(&self, at: usize) -> Option<usize> {
        u32le(self.data, at).map(|n| size(u64::from(n)))
    }

    /// True where a signature of four bytes stands at `at`.
    pub(super) fn signed(&self, at: usize, signature: &[u8; 4]) -> Option<()> {
        (piece(self.data, at, 4)? == signature).then_some(())
    }

    /// Text up to the first zero byte.
    pub(super) fn text(&self, at: usize) -> Option<String> {
        let rest = self.data.get(at..)?;
        let end = memchr::memchr(0, rest.get(..rest.len().min(4096))?)?;
        Some(String::from_utf8_lossy(rest.get(..end)?).into_owned())
    }
}
