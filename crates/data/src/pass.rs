//! One pass over all rows: read on one thread, taken apart on all, handed on in order.

use std::io::Result;

use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use crate::layout::{Columns, Row};
use crate::read::{Gap, Item, Reading, Record, Unit, read};

/// Most rows of a batch.
const ROWS: usize = 1024;
/// Most bytes of a batch; one row may be longer.
const BYTES: usize = 4 << 20;

/// Rows that stay together where several processes share a corpus.
const BLOCK: u64 = 1024;

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

    /// True for the rows of this part. Runs of rows stay together, and any number of parts is about even.
    #[must_use]
    pub fn has(self, at: At) -> bool {
        let [unit, block] = [at.unit as u64, at.row / BLOCK].map(u64::to_le_bytes);
        xxh3_64(&[unit, block].concat()) % self.count == self.index - 1
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

/// What was made of items that follow on one another in a unit.
pub(crate) struct Run<T> {
    /// Number of the unit.
    pub(crate) unit: usize,
    /// The block of rows that they are from.
    pub(crate) block: u64,
    /// How many items of the unit came before, in this part of the corpus.
    pub(crate) before: u64,
    /// What was made.
    pub(crate) made: Vec<Passed<T>>,
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
        self.runs(&|_| 0, work, &mut |run| run.made.into_iter().try_for_each(&mut *then))
    }

    /// The same in runs of rows of one block. `done` says how many items of a unit were worked on before; `u64::MAX`
    /// stands for all.
    ///
    /// # Errors
    /// Only what `then` returned.
    pub(crate) fn runs<T: Send>(
        &self,
        done: &dyn Fn(usize) -> u64,
        work: &(dyn Fn(At, &crate::Cell) -> T + Sync),
        then: &mut dyn FnMut(Run<T>) -> Result<()>,
    ) -> Result<()> {
        for (number, unit) in self.units.iter().enumerate() {
            let done = done(number);
            if done == u64::MAX {
                continue;
            }
            let (mut waiting, mut block, mut seen, mut before) = (Full::default(), 0, 0_u64, done);
            let mut flush = |items: Vec<Item>, block: u64| -> Result<()> {
                if items.is_empty() {
                    return Ok(());
                }
                let made: Vec<Passed<T>> = items
                    .into_par_iter()
                    .filter_map(|item| match item {
                        Item::Row(record) => Some(self.one(number, record, work)),
                        Item::Gap(gap) => Some(Passed::Gap(At { unit: number, row: gap.next }, gap)),
                        Item::Form(_) | Item::Batch(_) => None,
                    })
                    .collect();
                let count = made.len() as u64;
                then(Run { unit: number, block, before, made })?;
                before += count;
                Ok(())
            };
            read(unit, &self.reading, &mut |item| {
                let row = match &item {
                    Item::Row(record) => record.row,
                    Item::Gap(gap) => gap.next,
                    Item::Form(_) | Item::Batch(_) => return Ok(()),
                };
                if !self.shard.has(At { unit: number, row }) {
                    return Ok(());
                }
                seen += 1;
                if seen <= done {
                    return Ok(());
                }
                if std::mem::replace(&mut block, row / BLOCK) != row / BLOCK {
                    let last = waiting.rest();
                    let of = last.iter().find_map(place).unwrap_or(row) / BLOCK;
                    flush(last, of)?;
                }
                waiting.add(item).map_or(Ok(()), |items| flush(items, block))
            })?;
            flush(waiting.rest(), block)?;
        }
        Ok(())
    }

    fn one<T>(&self, number: usize, record: Record, work: &(dyn Fn(At, &crate::Cell) -> T + Sync)) -> Passed<T> {
        let at = At { unit: number, row: record.row };
        let bytes = record.size();
        match record.cell() {
            Ok(cell) => Passed::Row(at, work(at, &cell)),
            Err(why) => Passed::Gap(at, broken(self, at, why, bytes)),
        }
    }
}

fn place(item: &Item) -> Option<u64> {
    match item {
        Item::Row(record) => Some(record.row),
        Item::Gap(gap) => Some(gap.next),
        Item::Form(_) | Item::Batch(_) => None,
    }
}

/// A row that is no value.
pub(crate) fn broken(corpus: &Corpus, at: At, why: String, bytes: usize) -> Gap {
    let source = corpus.units.get(at.unit).map_or_else(String::new, |unit| unit.name.clone());
    let (place, bytes) = (format!("row {}", at.row), bytes as u64);
    Gap { source, row: Some(at.row), place, why, bytes, structural: false, next: at.row }
}

/// Rows that wait to be worked on together.
#[derive(Default)]
pub(crate) struct Full {
    items: Vec<Item>,
    bytes: usize,
}

impl Full {
    /// Adds an item; gives all back when there are enough.
    pub(crate) fn add(&mut self, item: Item) -> Option<Vec<Item>> {
        if let Item::Row(record) = &item {
            self.bytes += record.size();
        }
        self.items.push(item);
        (self.items.len() >= ROWS || self.bytes >= BYTES).then(|| self.rest())
    }

    /// Those that are left.
    pub(crate) fn rest(&mut self) -> Vec<Item> {
        self.bytes = 0;
        std::mem::take(&mut self.items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_files_are_shared_evenly_among_any_number_of_parts() {
        for count in [2, 3, 8, 31, 32, 62] {
            let mut parts = vec![0_u32; usize::try_from(count).unwrap()];
            for unit in 0..6200 {
                let mine: Vec<u64> =
                    (1..=count).filter(|index| Shard { index: *index, count }.has(At { unit, row: 3 })).collect();
                let [index] = mine[..] else { panic!("{unit}: {mine:?}") };
                parts[usize::try_from(index).unwrap() - 1] += 1;
            }
            let even = 6200 / u32::try_from(count).unwrap();
            assert!(parts.iter().all(|part| (even / 2..=even * 2).contains(part)), "{count}: {parts:?}");
        }
    }
}
