//! `bartizan scan data`: corpora examined row by row and as a whole.

mod answer;
pub(crate) mod args;
mod beside;
mod clean;
mod diff;
mod human;
mod sarif;
mod shards;

use std::io::{BufWriter, IsTerminal, Write};
use std::path::PathBuf;

use bartizan_core::Coverage;
use bartizan_data::{Corpus, Reading, Scanner, Unit, look_without};
use bartizan_guard::Guard;

use crate::args::Gate;
use crate::check::coverage_code;
use crate::problem::Problem;
use crate::{DONE, FOUND, config};
use answer::Answer;
use args::{DataCommand, Only, ScanDataArgs};
use beside::Beside;

/// Most rows that are drawn, or that a document lists.
const MOST: usize = 1000;
/// Most gaps that a summary lists; all are counted.
const MOST_GAPS: usize = 100;

/// Runs `bartizan scan data`.
pub(crate) fn run(args: &ScanDataArgs) -> anyhow::Result<u8> {
    match &args.command {
        Some(DataCommand::MergeShards(args)) => return shards::merge(args),
        Some(DataCommand::Diff(args)) => return diff::run(args),
        None => {}
    }
    let guard = config::load(&args.config, &[])?.guard()?;
    if args.stdin.is_some() {
        return pipe(args, &guard);
    }
    let (corpus, _spooled) = corpus(args, &guard)?;
    let beside = Beside::read(&args.answer, Some(&args.canary))?;
    if let Some(ledger) = &args.shards.ledger {
        return shards::run(args, ledger, &corpus, &guard, &beside);
    }
    let clean = clean::Ready::new(&args.clean, &args.paths, &corpus)?;
    let whole = match args.only {
        Some(Only::Rows) => None,
        _ => Some(look_without(&corpus, args.answer.bytes(), beside.canaries.as_ref())?),
    };
    let mut answer = Answer::new(&args.answer, &corpus, whole.as_ref(), &beside);
    let scanner = beside.with(Scanner::new(&corpus, args.rules(&guard)), whole.as_ref());
    match &clean {
        None => corpus.each(&|at, row| scanner.look(at, row), &mut |passed| answer.see(passed))?,
        Some(ready) => {
            let files = ready.run(scanner, &mut |passed| answer.see(passed))?;
            answer.settle();
            answer.summary.clean = Some(ready.manifest(&guard, &files, &answer.summary)?);
        }
    }
    answer.finish(&guard)
}

/// Arrow batches in and out. As with JSON lines, findings make the exit code 1 only where `--fail-on` is given.
fn pipe(args: &ScanDataArgs, guard: &Guard) -> anyhow::Result<u8> {
    let whole = args.answer.policy.is_some() || !args.answer.evaluation.is_empty() || args.canary.canaries.is_some();
    if whole {
        let help = "give the corpus as files, or merge ledgers with `scan data merge-shards`";
        let title = "batches are examined one by one, without `--policy`, `--evaluation` and `--canaries`";
        return Err(Problem::new(title).help(help).into());
    }
    let gate = args.answer.fail_on.unwrap_or(Gate::None);
    let (mut stopped, mut coverage) = (false, Coverage::default());
    let input = std::io::stdin().lock();
    let output = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    bartizan_data::arrow(guard, &args.columns.named(), input, output, &mut |report| {
        stopped |= report.findings.iter().any(|finding| gate.stops(finding.severity));
        coverage.merge(&report.coverage);
    })
    .map_err(|e| {
        Problem::new(e.to_string())
            .help("give a stream of the Arrow IPC format, as pyarrow's `ipc.new_stream` writes it")
    })?;
    Ok(match (args.answer.fail_on, stopped) {
        (None, _) => DONE,
        (Some(_), true) => FOUND,
        (Some(_), false) => coverage_code(coverage.status, args.answer.strict),
    })
}

/// What is read. Standard input is spooled to a file, because a corpus is read more than once.
fn corpus(args: &ScanDataArgs, guard: &Guard) -> anyhow::Result<(Corpus, Vec<impl Drop + use<>>)> {
    let (mut units, mut spooled) = (Vec::new(), Vec::new());
    for path in &args.paths {
        if path.as_os_str() != "-" {
            let found = bartizan_data::units(std::slice::from_ref(path));
            units
                .extend(found.map_err(|e| Problem::new(e.to_string()).help("give files or folders that can be read"))?);
            continue;
        }
        if !spooled.is_empty() {
            return Err(Problem::new("standard input is given twice").help("give `-` once").into());
        }
        if std::io::stdin().is_terminal() {
            writeln!(std::io::stderr(), "reading standard input; end it with Ctrl-D")?;
        }
        let (file, at): (_, PathBuf) = bartizan_data::spool(&mut std::io::stdin().lock()).map_err(|e| {
            Problem::new(format!("cannot keep standard input: {e}")).help("set TMPDIR to a folder with room")
        })?;
        spooled.push(file);
        units.push(Unit::new(at, "<stdin>".to_owned()));
    }
    let reading = Reading { max_row: guard.limits().max_body, lines: args.columns.lines };
    Ok((Corpus { units, reading, columns: args.columns.named(), shard: args.shards.part() }, spooled))
}
