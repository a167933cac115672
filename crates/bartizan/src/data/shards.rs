//! Scans that go on where they were ended, and answers from parts.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use bartizan_data::ledger::{Ledger, Ledgers};
use bartizan_data::{Corpus, DataError, Scanner, Shard};
use bartizan_guard::Guard;
use serde_json::json;

use super::answer::Answer;
use super::args::{AnswerArgs, MergeArgs, Only, ScanDataArgs};
use crate::problem::Problem;
use crate::{DONE, config};

fn problem(error: DataError) -> anyhow::Error {
    match error {
        // A closed pipe is told by the error itself.
        DataError::Stopped(error) => error.into(),
        DataError::Ledger { .. } => {
            Problem::new(error.to_string()).help("a ledger belongs to one command over files that do not change").into()
        }
        other => other.into(),
    }
}

/// Examines a corpus, or a part of it, into a ledger; answers where it is the whole.
pub(super) fn run(args: &ScanDataArgs, ledger: &Path, corpus: &Corpus, guard: &Guard) -> anyhow::Result<u8> {
    let Shard { index, count } = corpus.shard;
    let path: PathBuf = match args.shards.shard {
        Some(_) if ledger.is_dir() => ledger.join(format!("shard-{index}-of-{count}.ledger")),
        _ => ledger.to_owned(),
    };
    // What the rows are examined with. The corpus itself is in the ledger, and the rest is chosen when all is answered.
    let job = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "rules": guard.id(),
        "policy": guard.policy_digest(),
        "columns": [&args.text_column, &args.output_column, &args.label_column],
        "lines": args.lines,
        "longest": corpus.reading.max_row,
        "rows": args.only != Some(Only::Corpus),
    });
    let texts = args.only != Some(Only::Rows);
    let mut kept = Ledger::open(&path, corpus, &job.to_string(), texts).map_err(problem)?;
    kept.fill(&Scanner { corpus, guard: args.rules(guard), whole: None }).map_err(problem)?;
    if args.shards.shard.is_some() {
        let (items, path) = (kept.items(), path.display());
        writeln!(
            std::io::stdout(),
            "shard {index} of {count}: {items} rows in {path}\n`bartizan scan data merge-shards` answers when all \
             shards are there"
        )?;
        return Ok(DONE);
    }
    answer(&args.answer, &Ledgers::of(vec![kept]).map_err(problem)?, guard)
}

/// One answer from the ledgers of all shards.
pub(super) fn merge(args: &MergeArgs) -> anyhow::Result<u8> {
    let guard = config::load(&args.config, &[])?.guard()?;
    answer(&args.answer, &Ledgers::read(&args.paths).map_err(problem)?, &guard)
}

fn answer(args: &AnswerArgs, ledgers: &Ledgers, guard: &Guard) -> anyhow::Result<u8> {
    let whole = ledgers.look(args.bytes()).map_err(problem)?;
    let mut answer = Answer::new(args, ledgers.corpus(), whole.as_ref());
    ledgers.each(whole.as_ref(), &mut |passed| answer.see(passed)).map_err(problem)?;
    answer.finish(guard)
}
