//! `bartizan scan data diff`: two versions of a corpus.

use std::path::Path;

use bartizan_data::difference::compare;
use bartizan_data::{Corpus, Reading, Scanner, Shard, look_without, units};
use bartizan_guard::Guard;

use super::answer::Answer;
use super::args::{ColumnArgs, DiffArgs};
use super::beside::Beside;
use crate::config;
use crate::problem::Problem;

/// Compares two versions, and examines what came in.
pub(super) fn run(args: &DiffArgs) -> anyhow::Result<u8> {
    let guard = config::load(&args.config, &[])?.guard()?;
    let version = |path| version(path, &args.columns, &guard);
    let (old, new) = (version(&args.old)?, version(&args.new)?);
    let beside = Beside::read(&args.answer, Some(&args.canary))?;
    let whole = look_without(&new, args.answer.bytes(), beside.canaries.as_ref())?;
    let mut answer = Answer::new(&args.answer, &new, Some(&whole), &beside);
    let scanner = beside.with(Scanner::new(&new, Some(&guard)), Some(&whole));
    let difference = compare(&old, &scanner, &mut |passed| answer.see(passed))?;
    answer.summary.difference = Some(difference);
    answer.finish(&guard)
}

fn version(path: &Path, columns: &ColumnArgs, guard: &Guard) -> anyhow::Result<Corpus> {
    let found = units(&[path.to_owned()]);
    let units = found.map_err(|e| Problem::new(e.to_string()).help("give two files or folders that can be read"))?;
    let reading = Reading { max_row: guard.limits().max_body, lines: columns.lines };
    Ok(Corpus { units, reading, columns: columns.named(), shard: Shard::ALL })
}
