//! Bounds on what a parser of others may read for one row.

use std::cell::Cell;
use std::io::{Error, Read};
use std::rc::Rc;

/// How many bytes may still be read for the current row.
#[derive(Clone, Debug)]
pub(super) struct Allowance {
    left: Rc<Cell<usize>>,
    most: usize,
}

impl Allowance {
    /// Readers read ahead, so a row gets `most` bytes and a buffer.
    pub(super) fn new(most: usize) -> Self {
        let most = most.saturating_add(1 << 20);
        Self { left: Rc::new(Cell::new(most)), most }
    }

    /// A row was read.
    pub(super) fn renew(&self) {
        self.left.set(self.most);
    }
}

/// A reader that fails where a row is too long.
#[derive(Debug)]
pub(super) struct Bounded<R> {
    pub(super) input: R,
    pub(super) allowance: Allowance,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.input.read(into)?;
        match self.allowance.left.get().checked_sub(read) {
            Some(left) => {
                self.allowance.left.set(left);
                Ok(read)
            }
            None => Err(Error::other("a row is too long")),
        }
    }
}
