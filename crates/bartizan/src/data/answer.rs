//! The corpus as a whole, and what is said of its rows, in the form that was asked for.

use std::collections::BTreeMap;
use std::io::{BufWriter, Stdout, Write};

use bartizan_core::{Coverage, Part, Reason, Severity, Verdict};
use bartizan_data::duplicates::Cluster;
use bartizan_data::poison::Trigger;
use bartizan_data::{Corpus, Gap, Looked, Passed, Place, RowReport, Whole};
use bartizan_guard::Guard;
use serde::Serialize;
use serde_json::json;

use super::args::{AnswerArgs, DataFormat, Rows};
use super::{MOST, MOST_GAPS, clean, human, sarif};
use crate::FOUND;
use crate::check::coverage_code;
use crate::cli::Gate;

/// Whether a row is at the gate.
trait AtGate {
    /// True where something at the gate is left in it.
    fn stops(&self, gate: Gate) -> bool;
}

impl AtGate for Looked {
    fn stops(&self, gate: Gate) -> bool {
        self.worst.is_some_and(|severity| gate.stops(severity))
    }
}

/// An answer on its way.
pub(super) struct Answer<'a> {
    args: &'a AnswerArgs,
    gate: Gate,
    /// The summary.
    pub(super) summary: Summary,
    shown: Vec<RowReport>,
    out: BufWriter<Stdout>,
}

impl<'a> Answer<'a> {
    /// Begins one.
    pub(super) fn new(args: &'a AnswerArgs, corpus: &Corpus, whole: Option<&Whole>) -> Self {
        Self {
            args,
            gate: args.fail_on.unwrap_or(Gate::From(Severity::High)),
            summary: Summary::new(corpus, whole),
            shown: Vec::new(),
            out: BufWriter::with_capacity(1 << 16, std::io::stdout()),
        }
    }

    /// Takes in what is said of a row, or of what was not read, in order.
    pub(super) fn see(&mut self, passed: Passed<Looked>) -> std::io::Result<()> {
        match passed {
            Passed::Row(_, looked) => {
                self.summary.add(&looked, self.gate);
                let stops = looked.stops(self.gate);
                let report = looked.report;
                if self.args.format == DataFormat::Jsonl {
                    if self.args.rows == Rows::All || report.speaks() {
                        serde_json::to_writer(&mut self.out, &report)?;
                        self.out.write_all(b"\n")?;
                    }
                } else if stops && self.shown.len() < MOST {
                    self.shown.push(report);
                }
            }
            Passed::Gap(_, gap) => self.summary.gap(gap),
        }
        Ok(())
    }

    /// Writes the rest; gives the exit code.
    pub(super) fn finish(mut self, guard: &Guard) -> anyhow::Result<u8> {
        let (out, summary, shown) = (&mut self.out, &self.summary, &self.shown);
        match self.args.format {
            DataFormat::Jsonl => {
                serde_json::to_writer(&mut *out, &json!({ "summary": summary }))?;
                out.write_all(b"\n")?;
            }
            DataFormat::Json => {
                serde_json::to_writer_pretty(&mut *out, &json!({ "rows": shown, "summary": summary }))?;
                out.write_all(b"\n")?;
            }
            DataFormat::Human => human::draw(out, summary, shown, self.gate)?,
            DataFormat::Sarif => {
                serde_json::to_writer_pretty(&mut *out, &sarif::log(guard, shown, summary))?;
                out.write_all(b"\n")?;
            }
        }
        out.flush()?;
        Ok(self.summary.exit_code(self.args.strict))
    }
}

/// The corpus as a whole: the last of the JSON lines.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    /// Files and streams.
    pub(super) sources: usize,
    /// Rows that were read.
    pub(super) rows: u64,
    /// Bytes of text in them.
    pub(super) bytes: u64,
    /// Rows with a finding at the gate; where the corpus is cleaned, those that are left.
    pub(super) stopped: u64,
    /// The worst that was found; where the corpus is cleaned, that is left.
    #[serde(skip)]
    pub(super) worst: Option<Severity>,
    /// Rows by verdict.
    pub(super) verdicts: BTreeMap<Verdict, u64>,
    /// Findings by rule.
    pub(super) findings: BTreeMap<String, u64>,
    /// Findings by severity.
    pub(super) severities: BTreeMap<&'static str, u64>,
    /// Triggers and payloads, the surest first.
    pub(super) triggers: Vec<Trigger>,
    /// Distinct rows that were looked at for poisoning; nothing where that was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) poison_rows: Option<usize>,
    /// Groups of rows that repeat one another, the largest first.
    pub(super) clusters: Vec<Group>,
    /// How many such groups there are.
    pub(super) clusters_total: usize,
    /// Rows that repeat an earlier one.
    pub(super) duplicates: usize,
    /// What was not read.
    pub(super) coverage: Coverage,
    /// Places that were not read, the first of them.
    pub(super) gaps: Vec<Gap>,
    /// How many there are.
    pub(super) gaps_total: u64,
    /// What was written, where the corpus is cleaned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) clean: Option<clean::Made>,
}

/// Rows that repeat one another.
#[derive(Debug, Serialize)]
pub(super) struct Group {
    /// How many rows.
    pub(super) rows: usize,
    /// How many of them repeat the first word for word.
    pub(super) exact: usize,
    /// The first of them.
    pub(super) first: Place,
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
            worst: None,
            verdicts: BTreeMap::new(),
            findings: BTreeMap::new(),
            severities: BTreeMap::new(),
            coverage,
            gaps: Vec::new(),
            gaps_total: 0,
            clean: None,
        }
    }

    fn add(&mut self, looked: &Looked, gate: Gate) {
        let report = &looked.report;
        self.rows += 1;
        self.bytes += looked.bytes as u64;
        self.stopped += u64::from(looked.stops(gate));
        self.worst = self.worst.max(looked.worst);
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
