//! One pass over all rows: read on one thread, taken apart on all, handed on in order.

use std::io::Result;

use rayon::prelude::*;

use crate::layout::{Columns, Row};
use crate::read::{Gap, Item, Reading, Record, Unit, read};

/// Most rows of a batch.
const ROWS: usize = 1024;
/// Most bytes of a batch; one row may be longer.
const BYTES: usize = 4 << 20;

/// Where a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At {
    /// Number of the unit.
    pub unit: usize,
    /// Row in the unit, from 0.
    pub row: u64,
}

/// What a pass hands on.
#[derive(Debug)]
pub enum Passed<T> {
    /// What was made of a row.
    Row(At, T),
    /// Something that was not read.
    Gap(At, Gap),
}

/// Which rows are whose, where several processes share a corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    pub index: u64,
    /// How many there are.
    pub count: u64,
}

impl Shard {
    /// The whole corpus.
    pub const ALL: Self = Self { index: 1, count: 1 };

    /// True for the rows of this part. Runs of rows stay together.
    #[must_use]
    pub const fn has(self, at: At) -> bool {
        let block = (at.unit as u64).wrapping_mul(31).wrapping_add(at.row / 1024);
        block % self.count == self.index - 1
    }
}

/// What is read and how.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// The files.
    pub units: Vec<Unit>,
    /// How they are read.
    pub reading: Reading,
    /// What their columns mean.
    pub columns: Columns,
    /// The part of it that is looked at.
    pub shard: Shard,
}

impl Corpus {
    /// Calls `work` for every row, on many threads, and `then` with what it made, in the order of the rows.
    ///
    /// # Errors
    /// Only what `then` returned.
    pub fn each<T: Send>(
        &self,
        work: &(dyn Fn(At, &Row) -> T + Sync),
        then: &mut dyn FnMut(Passed<T>) -> Result<()>,
    ) -> Result<()> {
        self.each_cell(&|at, cell| work(at, &Row::new(cell, &self.columns)), then)
    }

    /// The same with the value of the row as it was read.
    ///
    /// # Errors
    /// Only what `then` returned.
    pub fn each_cell<T: Send>(
        &self,
        work: &(dyn Fn(At, &crate::Cell) -> T + Sync),
        then: &mut dyn FnMut(Passed<T>) -> Result<()>,
    ) -> Result<()> {
        for (number, unit) in self.units.iter().enumerate() {
            let mut batch = Vec::new();
            let mut bytes = 0;
            let mut flush = |batch: &mut Vec<Item>| -> Result<()> {
                let made: Vec<Passed<T>> = std::mem::take(batch)
                    .into_par_iter()
                    .map(|item| match item {
                        Item::Row(record) => one(number, unit, record, work),
                        Item::Gap(gap) => Passed::Gap(At { unit: number, row: gap.row.unwrap_or(0) }, gap),
                    })
                    .collect();
                made.into_iter().try_for_each(&mut *then)
            };
            read(unit, &self.reading, &mut |item| {
                match &item {
                    Item::Row(record) if !self.shard.has(At { unit: number, row: record.row }) => return Ok(()),
                    Item::Gap(gap) if !self.shard.has(At { unit: number, row: gap.row.unwrap_or(0) }) => return Ok(()),
                    Item::Row(record) => bytes += record.size(),
                    Item::Gap(_) => {}
                }
                batch.push(item);
                if batch.len() >= ROWS || bytes >= BYTES {
                    bytes = 0;
                    return flush(&mut batch);
                }
                Ok(())
            })?;
            flush(&mut batch)?;
        }
        Ok(())
    }
}

fn one<T>(number: usize, unit: &Unit, record: Record, work: &(dyn Fn(At, &crate::Cell) -> T + Sync)) -> Passed<T> {
    let at = At { unit: number, row: record.row };
    let bytes = record.size() as u64;
    match record.cell() {
        Ok(cell) => Passed::Row(at, work(at, &cell)),
        Err(why) => {
            let (source, place) = (unit.name.clone(), format!("row {}", at.row));
            Passed::Gap(at, Gap { source, row: Some(at.row), place, why, bytes, structural: false })
        }
    }
}
