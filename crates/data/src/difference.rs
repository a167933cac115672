//! Two versions of a corpus: which rows came in, which went, and where they are from.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use xxhash_rust::xxh3::Xxh3;

use crate::cell::Cell;
use crate::error::DataError;
use crate::layout::{Role, Row};
use crate::pass::{Corpus, Passed};
use crate::scanner::{Looked, Scanner};

/// Most files, and most values of a column, that are told.
const TOLD: usize = 100;
/// Longest value that is a place to be from, bytes.
const LONGEST: usize = 200;
/// Most values of a column that are counted, each by itself.
const COUNTED: usize = 100_000;
/// Columns that say where a row is from.
const ORIGINS: [&str; 10] =
    ["source", "url", "domain", "author", "username", "user_id", "dataset", "subset", "license", "date"];

/// What differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Rows that are in both, each as often as in the version that has it less often.
    pub same: u64,
    /// Rows that came in.
    pub added: u64,
    /// Those of them that repeat a row of the version before.
    pub copies: u64,
    /// Rows that went.
    pub removed: u64,
    /// Rows that came in, by file of the new version; those with most first.
    pub files: Vec<(String, u64)>,
    /// Rows that went, by file of the version before; those with most first.
    pub removed_files: Vec<(String, u64)>,
    /// Rows that came in, by the values of columns that say where a row is from; the commonest of each.
    pub origins: BTreeMap<String, Vec<(String, u64)>>,
    /// Places of the version before that were not read: rows from there look new, which is the safe side.
    #[serde(skip_serializing_if = "is_zero")]
    pub unread_before: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A row whatever the order of its columns, and whatever the format. Every pair of a key that repeats counts: loaders
/// differ in which one they take. Of bytes that are no text only their number is known.
fn digest(cell: &Cell) -> u128 {
    fn go(cell: &Cell, into: &mut Xxh3) {
        let mut tagged = |tag: u8, bytes: &[u8]| {
            into.update(&[tag]);
            into.update(&bytes.len().to_le_bytes());
            into.update(bytes);
        };
        match cell {
            Cell::Null => tagged(0, &[]),
            Cell::Bool(value) => tagged(1, &[u8::from(*value)]),
            Cell::Number(number) => tagged(2, number.as_bytes()),
            Cell::Text(text) => tagged(3, text.as_bytes()),
            Cell::Opaque(bytes) => tagged(4, &bytes.to_le_bytes()),
            Cell::Deep => tagged(5, &[]),
            Cell::Headed(_, row) => go(row, into),
            Cell::List(items) => {
                tagged(6, &items.len().to_le_bytes());
                items.iter().for_each(|item| go(item, into));
            }
            Cell::Map(pairs) => {
                tagged(7, &pairs.len().to_le_bytes());
                let mut pairs: Vec<&(String, Cell)> = pairs.iter().collect();
                // Stable, so that the pairs of one key keep their order.
                pairs.sort_by(|a, b| a.0.cmp(&b.0));
                for (name, value) in pairs {
                    into.update(&name.len().to_le_bytes());
                    into.update(name.as_bytes());
                    go(value, into);
                }
            }
        }
    }
    let mut state = Xxh3::new();
    go(cell, &mut state);
    state.digest128()
}

/// Where a row says that it is from: column and value, of an address its host.
fn origins(row: &Row) -> Vec<(&'static str, String)> {
    let short = row.turns.iter().filter(|turn| turn.role == Role::Origin && turn.text.len() <= LONGEST);
    short
        .filter_map(|turn| {
            let name = turn.path.rsplit('/').next()?;
            let column = ORIGINS.iter().find(|wanted| name.eq_ignore_ascii_case(wanted))?;
            let host = turn.text.split_once("://").map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or(rest));
            // Of a time its day, so that one delivery is one value.
            let day = || turn.text.split(['T', ' ']).next().unwrap_or(&turn.text);
            let value = host.unwrap_or_else(|| if *column == "date" { day() } else { &turn.text });
            Some((*column, value.to_owned()))
        })
        .collect()
}

/// The first of some counts, the largest first.
fn largest<T: Into<u64> + Copy>(counts: impl IntoIterator<Item = (String, T)>) -> Vec<(String, u64)> {
    let mut all: Vec<(String, u64)> = counts.into_iter().map(|(name, count)| (name, count.into())).collect();
    all.retain(|(_, count)| *count > 0);
    all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    all.truncate(TOLD);
    all
}

/// How often a row of the version before is there, and the file that it is first in.
#[derive(Clone, Copy)]
struct Known {
    count: u32,
    unit: u32,
}

/// Compares two versions; gives what is said of each row that came in, and of what was not read of the new version, to
/// `see`. Of the version before some 50 bytes a row are kept.
///
/// # Errors
/// A version could not be read on, or `see` wants no more.
pub fn compare(
    old: &Corpus,
    scanner: &Scanner<'_>,
    see: &mut dyn FnMut(Passed<Looked>) -> std::io::Result<()>,
) -> Result<Difference, DataError> {
    let mut all = Difference::default();
    let mut known: HashMap<u128, Known> = HashMap::new();
    old.each_cell(&|_, cell| digest(cell), &mut |passed| {
        match passed {
            Passed::Row(at, digest) => {
                let unit = u32::try_from(at.unit).unwrap_or(u32::MAX);
                known.entry(digest).or_insert(Known { count: 0, unit }).count += 1;
            }
            Passed::Gap(_, gap) => all.unread_before += u64::from(!gap.structural),
        }
        Ok(())
    })?;
    let new = scanner.corpus;
    let mut left: HashMap<u128, Known> = known.clone();
    let mut files: BTreeMap<usize, u64> = BTreeMap::new();
    let mut origin: BTreeMap<&'static str, HashMap<String, u64>> = BTreeMap::new();
    let look = |at, cell: &Cell| {
        let row = Row::new(cell, &new.columns);
        (scanner.look(at, &row), origins(&row))
    };
    // Whether a known row is one more copy shows only in order; it is kept until then.
    let work = |at, cell: &Cell| {
        let digest = digest(cell);
        (digest, if known.contains_key(&digest) { Err(cell.clone()) } else { Ok(look(at, cell)) })
    };
    new.each_cell(&work, &mut |passed| match passed {
        Passed::Row(at, (digest, looked)) => {
            if let Some(one) = left.get_mut(&digest).filter(|one| one.count > 0) {
                one.count -= 1;
                all.same += 1;
                return Ok(());
            }
            all.added += 1;
            all.copies += u64::from(looked.is_err());
            let (looked, from) = looked.unwrap_or_else(|cell| look(at, &cell));
            *files.entry(at.unit).or_default() += 1;
            for (column, value) in from {
                let values = origin.entry(column).or_default();
                let value =
                    if values.len() < COUNTED || values.contains_key(&value) { value } else { "others".to_owned() };
                *values.entry(value).or_default() += 1;
            }
            see(Passed::Row(at, looked))
        }
        Passed::Gap(at, gap) => see(Passed::Gap(at, gap)),
    })?;
    let name = |of: &Corpus, unit: usize| of.units.get(unit).map_or_else(String::new, |unit| unit.name.clone());
    all.files = largest(files.into_iter().map(|(unit, count)| (name(new, unit), count)));
    let mut gone: BTreeMap<u32, u64> = BTreeMap::new();
    for one in left.values() {
        *gone.entry(one.unit).or_default() += u64::from(one.count);
    }
    all.removed = gone.values().sum();
    all.removed_files = largest(gone.into_iter().map(|(unit, count)| (name(old, unit as usize), count)));
    all.origins = origin.into_iter().map(|(column, values)| (column.to_owned(), largest(values))).collect();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::layout::Columns;
    use crate::pass::Shard;
    use crate::read::{Reading, units};

    #[test]
    fn what_came_in_is_told_with_its_origin_however_rows_are_ordered_and_written() {
        let home = tempfile::tempdir().unwrap();
        let corpus = |name: &str, text: &str| {
            let path = home.path().join(name);
            fs::write(&path, text).unwrap();
            Corpus {
                units: units(&[path]).unwrap(),
                reading: Reading::default(),
                columns: Columns::default(),
                shard: Shard::ALL,
            }
        };
        let before =
            "{\"text\":\"a\",\"n\":1}\n{\"text\":\"b\"}\n{\"text\":\"b\"}\n{\"text\":\"gone\"}\n{\"text\":\"k\"}\n{\n";
        let after = r#"[{"text":"b"}, {"n": 1, "text": "a"}, {"text":"a","n":1}, {"text":"hidden","text":"k"},
            {"text":"new","url":"https://forum.example/x?y","date":"2026-01-02T03:04"},
            {"text":"newer","url":"https://forum.example/z"}]"#;
        let (old, new) = (corpus("old.jsonl", before), corpus("new.json", after));
        let mut seen = Vec::new();
        let all = compare(&old, &Scanner::new(&new, None), &mut |passed| {
            if let Passed::Row(at, _) = passed {
                seen.push(at.row);
            }
            Ok(())
        })
        .unwrap();
        assert_eq!((all.same, all.added, all.copies, all.removed, all.unread_before), (2, 4, 1, 3, 1));
        assert_eq!(seen, [2, 3, 4, 5], "a copy more, a key that repeats, and what is new");
        assert_eq!(all.origins["url"], [("forum.example".to_owned(), 2)]);
        assert_eq!(all.origins["date"], [("2026-01-02".to_owned(), 1)]);
        assert_eq!(all.files.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [4]);
        assert_eq!(all.removed_files.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [3]);
        let same = compare(&old, &Scanner::new(&old, None), &mut |_| Ok(())).unwrap();
        assert_eq!((same.same, same.added, same.removed), (5, 0, 0));
    }
}
