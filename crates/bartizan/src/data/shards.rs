//! Scans that go on where they were ended, and answers from parts.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use bartizan_data::ledger::{Ledger, Ledgers};
use bartizan_data::{Corpus, DataError, Scanner, Shard};
use bartizan_guard::Guard;
use bartizan_sign::hex;
use serde_json::json;

use super::answer::Answer;
use super::args::{AnswerArgs, MergeArgs, Only, ScanDataArgs};
use super::beside::Beside;
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
pub(super) fn run(
    args: &ScanDataArgs,
    ledger: &Path,
    corpus: &Corpus,
    guard: &Guard,
    beside: &Beside,
) -> anyhow::Result<u8> {
    let Shard { index, count } = corpus.shard;
    let path: PathBuf = match args.shards.shard {
        Some(_) if ledger.is_dir() => ledger.join(format!("shard-{index}-of-{count}.ledger")),
        _ => ledger.to_owned(),
    };
    let canaries = match &args.canary.canaries {
        Some(path) => Some(fingerprint(path)?),
        None => None,
    };
    // What the rows are examined with. The corpus itself is in the ledger, and the rest is chosen when all is answered.
    let job = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "rules": guard.id(),
        "policy": guard.policy_digest(),
        "columns": [&args.columns.text_column, &args.columns.output_column, &args.columns.label_column],
        "lines": args.columns.lines,
        "canaries": canaries,
        "longest": corpus.reading.max_row,
        "rows": args.only != Some(Only::Corpus),
    });
    let texts = args.only != Some(Only::Rows);
    let mut kept = Ledger::open(&path, corpus, &job.to_string(), texts).map_err(problem)?;
    let scanner = Scanner { canaries: beside.canaries.as_ref(), ..Scanner::new(corpus, args.rules(guard)) };
    kept.fill(&scanner).map_err(problem)?;
    if args.shards.shard.is_some() {
        let (items, path) = (kept.items(), path.display());
        writeln!(
            std::io::stdout(),
            "shard {index} of {count}: {items} rows in {path}\n`bartizan scan data merge-shards` answers when all \
             shards are there"
        )?;
        return Ok(DONE);
    }
    answer(&args.answer, &Ledgers::of(vec![kept]).map_err(problem)?, guard, beside)
}

/// What tells a manifest of canaries from others. It holds their secrets, so that the ledger keeps no more of it.
fn fingerprint(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read(path).map_err(|e| Problem::new(format!("cannot read `{}`: {e}", path.display())))?;
    Ok(hex(digest::digest(&digest::SHA256, &text).as_ref()))
}

/// One answer from the ledgers of all shards.
pub(super) fn merge(args: &MergeArgs) -> anyhow::Result<u8> {
    let guard = config::load(&args.config, &[])?.guard()?;
    answer(&args.answer, &Ledgers::read(&args.paths).map_err(problem)?, &guard, &Beside::read(&args.answer, None)?)
}

fn answer(args: &AnswerArgs, ledgers: &Ledgers, guard: &Guard, beside: &Beside) -> anyhow::Result<u8> {
    if !ledgers.has_texts() && beside.evaluation.is_some() {
        let help = "examine without `--only rows`, so that ledgers keep the texts";
        return Err(Problem::new("the texts of the rows are not in the ledger").help(help).into());
    }
    let whole = ledgers.look(args.bytes()).map_err(problem)?;
    let mut answer = Answer::new(args, ledgers.corpus(), whole.as_ref(), beside);
    let scanner = beside.with(Scanner::new(ledgers.corpus(), None), whole.as_ref());
    ledgers.each(&scanner, &mut |passed| answer.see(passed)).map_err(problem)?;
    answer.finish(guard)
}
