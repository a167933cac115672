//! `bartizan scan data`: corpora examined row by row and as a whole.

pub(crate) mod args;
mod human;
mod sarif;

use std::collections::BTreeMap;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::PathBuf;

use bartizan_core::{Coverage, Part, Reason, Severity, Verdict};
use bartizan_data::duplicates::Cluster;
use bartizan_data::poison::Trigger;
use bartizan_data::{Columns, Corpus, Gap, Passed, Place, Reading, RowReport, Shard, Unit, Whole, examine, look};
use bartizan_guard::Guard;
use serde::Serialize;
use serde_json::json;

use crate::check::coverage_code;
use crate::cli::Gate;
use crate::problem::Problem;
use crate::{DONE, FOUND, config};
use args::{DataFormat, Only, Rows, ScanDataArgs};

/// Most rows that are drawn, or that a document lists.
const MOST: usize = 1000;
/// Most gaps that a summary lists; all are counted.
const MOST_GAPS: usize = 100;

/// Runs `bartizan scan data`.
pub(crate) fn run(args: &ScanDataArgs) -> anyhow::Result<u8> {
    let guard = config::load(&args.config, &[])?.guard()?;
    if args.stdin.is_some() {
        return pipe(args, &guard);
    }
    let (corpus, _spooled) = corpus(args, &guard)?;
    let gate = args.fail_on.unwrap_or(Gate::From(Severity::High));
    let whole = match args.only {
        Some(Only::Rows) => None,
        _ => Some(look(&corpus, args.memory.saturating_mul(1 << 20))?),
    };
    let mut summary = Summary::new(&corpus, whole.as_ref());
    let mut shown = Vec::new();
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let rows = args.only != Some(Only::Corpus);
    corpus.each(
        &|at, row| {
            let name = corpus.units.get(at.unit).map_or("", |unit| unit.name.as_str());
            let bytes: usize = row.turns.iter().map(|turn| turn.text.len()).sum();
            let mut report = if rows { examine(&guard, name, at.row, row) } else { RowReport::new(name, at.row, row) };
            if let Some(whole) = &whole {
                whole.add(&corpus, at, row, &mut report);
            }
            (report, bytes)
        },
        &mut |passed| {
            match passed {
                Passed::Row(_, (report, bytes)) => {
                    summary.add(&report, bytes, gate);
                    if args.format == DataFormat::Jsonl {
                        if args.rows == Rows::All || report.speaks() {
                            serde_json::to_writer(&mut out, &report)?;
                            out.write_all(b"\n")?;
                        }
                    } else if stops(&report, gate) && shown.len() < MOST {
                        shown.push(report);
                    }
                }
                Passed::Gap(_, gap) => summary.gap(gap),
            }
            Ok(())
        },
    )?;
    match args.format {
        DataFormat::Jsonl => {
            serde_json::to_writer(&mut out, &json!({ "summary": summary }))?;
            out.write_all(b"\n")?;
        }
        DataFormat::Json => {
            serde_json::to_writer_pretty(&mut out, &json!({ "rows": shown, "summary": summary }))?;
            out.write_all(b"\n")?;
        }
        DataFormat::Human => human::draw(&mut out, &summary, &shown, gate)?,
        DataFormat::Sarif => {
            serde_json::to_writer_pretty(&mut out, &sarif::log(&guard, &shown, &summary))?;
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    Ok(summary.exit_code(args.strict))
}

/// Arrow batches in and out. As with JSON lines, findings make the exit code 1 only where `--fail-on` is given.
fn pipe(args: &ScanDataArgs, guard: &Guard) -> anyhow::Result<u8> {
    let gate = args.fail_on.unwrap_or(Gate::None);
    let (mut stopped, mut coverage) = (false, Coverage::default());
    let input = std::io::stdin().lock();
    let output = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    bartizan_data::arrow(guard, &columns(args), input, output, &mut |report| {
        stopped |= stops(report, gate);
        coverage.merge(&report.coverage);
    })
    .map_err(|e| {
        Problem::new(e.to_string())
            .help("give a stream of the Arrow IPC format, as pyarrow's `ipc.new_stream` writes it")
    })?;
    Ok(match (args.fail_on, stopped) {
        (None, _) => DONE,
        (Some(_), true) => FOUND,
        (Some(_), false) => coverage_code(coverage.status, args.strict),
    })
}

fn columns(args: &ScanDataArgs) -> Columns {
    Columns { text: args.text_column.clone(), output: args.output_column.clone(), label: args.label_column.clone() }
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
    let reading = Reading { max_row: guard.limits().max_body, lines: args.lines };
    Ok((Corpus { units, reading, columns: columns(args), shard: Shard::ALL }, spooled))
}

/// True where a row is at the gate.
fn stops(report: &RowReport, gate: Gate) -> bool {
    report.findings.iter().any(|finding| gate.stops(finding.severity))
}

/// The corpus as a whole: the last of the JSON lines.
#[derive(Debug, Serialize)]
struct Summary {
    /// Files and streams.
    sources: usize,
    /// Rows that were read.
    rows: u64,
    /// Bytes of text in them.
    bytes: u64,
    /// Rows with a finding at the gate.
    stopped: u64,
    /// Rows by verdict.
    verdicts: BTreeMap<Verdict, u64>,
    /// Findings by rule.
    findings: BTreeMap<String, u64>,
    /// Findings by severity.
    severities: BTreeMap<&'static str, u64>,
    /// Triggers and payloads, the surest first.
    triggers: Vec<Trigger>,
    /// Distinct rows that were looked at for poisoning; nothing where that was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    poison_rows: Option<usize>,
    /// Groups of rows that repeat one another, the largest first.
    clusters: Vec<Group>,
    /// How many such groups there are.
    clusters_total: usize,
    /// Rows that repeat an earlier one.
    duplicates: usize,
    /// What was not read.
    coverage: Coverage,
    /// Places that were not read, the first of them.
    gaps: Vec<Gap>,
    /// How many there are.
    gaps_total: u64,
}

/// Rows that repeat one another.
#[derive(Debug, Serialize)]
struct Group {
    /// How many rows.
    rows: usize,
    /// How many of them repeat the first word for word.
    exact: usize,
    /// The first of them.
    first: Place,
}

impl Summary {
    fn new(corpus: &Corpus, whole: Option<&Whole>) -> Self {
        let duplicates = whole.map(|whole| &whole.duplicates);
        let clusters = duplicates.map_or(&[][..], |d| &d.clusters);
        let group = |cluster: &Cluster| {
            let source = corpus.units.get(cluster.first.unit).map_or_else(String::new, |unit| unit.name.clone());
            Group { rows: cluster.rows, exact: cluster.exact, first: Place { source, row: cluster.first.row } }
        };
        let mut coverage = Coverage::default();
        if whole.is_some_and(|whole| whole.poisoning.share < 1.0) {
            coverage.add(Part::partial(Reason::TooLong, 0));
        }
        Self {
            triggers: whole.map_or_else(Vec::new, |w| w.poisoning.triggers.iter().take(MOST_GAPS).cloned().collect()),
            poison_rows: whole.map(|w| w.poisoning.rows),
            clusters: clusters.iter().take(MOST_GAPS).map(group).collect(),
            clusters_total: clusters.len(),
            duplicates: duplicates.map_or(0, |d| d.rows),
            sources: corpus.units.len(),
            rows: 0,
            bytes: 0,
            stopped: 0,
            verdicts: BTreeMap::new(),
            findings: BTreeMap::new(),
            severities: BTreeMap::new(),
            coverage,
            gaps: Vec::new(),
            gaps_total: 0,
        }
    }

    fn add(&mut self, report: &RowReport, bytes: usize, gate: Gate) {
        self.rows += 1;
        self.bytes += bytes as u64;
        self.stopped += u64::from(stops(report, gate));
        *self.verdicts.entry(report.verdict).or_default() += 1;
        for finding in &report.findings {
            *self.findings.entry(finding.rule.as_str().to_owned()).or_default() += 1;
            *self.severities.entry(finding.severity.as_str()).or_default() += 1;
        }
        self.coverage.merge(&report.coverage);
    }

    fn gap(&mut self, gap: Gap) {
        let bytes = usize::try_from(gap.bytes).unwrap_or(usize::MAX);
        self.coverage.add(if gap.structural {
            Part::structural(Reason::Binary, bytes)
        } else {
            Part::partial(Reason::Malformed, bytes)
        });
        self.gaps_total += 1;
        if self.gaps.len() < MOST_GAPS {
            self.gaps.push(gap);
        }
    }

    fn exit_code(&self, strict: bool) -> u8 {
        if self.stopped > 0 { FOUND } else { coverage_code(self.coverage.status, strict) }
    }
}
