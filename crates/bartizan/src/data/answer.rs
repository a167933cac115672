//! The corpus as a whole, and what is said of its rows, in the form that was asked for.

use std::collections::BTreeMap;
use std::io::{BufWriter, Stdout, Write};

use bartizan_core::{Coverage, Part, Reason, Severity, Verdict};
use bartizan_data::canaries::Canary;
use bartizan_data::contamination::Contamination;
use bartizan_data::difference::Difference;
use bartizan_data::duplicates::Cluster;
use bartizan_data::limits::{Gates, Stood};
use bartizan_data::page::{Copies, Page, Shown, Tally};
use bartizan_data::poison::Trigger;
use bartizan_data::{Corpus, Gap, Looked, Passed, Place, RowReport, Whole};
use bartizan_guard::Guard;
use serde::Serialize;
use serde_json::json;

use super::args::{AnswerArgs, DataFormat, Rows};
use super::beside::Beside;
use super::{MOST, MOST_GAPS, clean, human, sarif};
use crate::args::Gate;
use crate::check::coverage_code;
use crate::{DONE, FOUND, UNREAD};

/// Most rows that are shown for a trigger.
const EXAMPLES: usize = 3;

/// An answer on its way.
pub(super) struct Answer<'a> {
    args: &'a AnswerArgs,
    gate: Gate,
    gates: Option<Gates>,
    /// The summary.
    pub(super) summary: Summary,
    shown: Vec<RowReport>,
    out: BufWriter<Stdout>,
}

impl<'a> Answer<'a> {
    /// Begins one.
    pub(super) fn new(args: &'a AnswerArgs, corpus: &Corpus, whole: Option<&Whole>, beside: &Beside) -> Self {
        Self {
            args,
            gate: args.fail_on.unwrap_or(if beside.gates.is_some() { Gate::None } else { Gate::From(Severity::High) }),
            gates: beside.gates.clone(),
            summary: Summary::new(corpus, whole, beside),
            shown: Vec::new(),
            out: BufWriter::with_capacity(1 << 16, std::io::stdout()),
        }
    }

    /// Takes in what is said of a row, or of what was not read, in order.
    pub(super) fn see(&mut self, passed: Passed<Looked>) -> std::io::Result<()> {
        match passed {
            Passed::Row(_, looked) => {
                let denied = looked.worst().is_some_and(|severity| self.gate.stops(severity));
                let stops = self.gates.as_mut().is_some_and(|gates| gates.add(&looked)) || denied;
                self.summary.add(&looked, stops, denied);
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
            Passed::Gap(_, gap) => {
                if let Some(gates) = self.gates.as_mut().filter(|_| !gap.structural) {
                    gates.unread();
                }
                self.summary.gap(gap);
            }
        }
        Ok(())
    }

    /// Says how the limits stand, when all rows were seen.
    pub(super) fn settle(&mut self) {
        let complete = self.summary.coverage.status == bartizan_core::CoverageStatus::Complete;
        if complete && self.summary.is_empty() {
            self.summary.coverage.add(Part::partial(Reason::Malformed, 0));
        }
        if let Some(gates) = &self.gates {
            self.summary.gates = gates.stood();
            self.summary.on_unread = gates.on_unread();
        }
        if let Some(contamination) = &mut self.summary.contamination {
            contamination.finish();
        }
    }

    /// Writes the rest; gives the exit code.
    pub(super) fn finish(mut self, guard: &Guard) -> anyhow::Result<u8> {
        self.settle();
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
            DataFormat::Html => out.write_all(summary.page().html().as_bytes())?,
            DataFormat::Markdown => out.write_all(summary.page().markdown().as_bytes())?,
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
    /// Rows with a finding at the gate, or that count against a limit; where the corpus is cleaned, those that are left.
    pub(super) stopped: u64,
    /// Those of them with a finding at the gate.
    #[serde(skip)]
    denied: u64,
    /// How the limits of a policy stand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) gates: Vec<Stood>,
    /// True where a limit says how much may be unread.
    #[serde(skip)]
    on_unread: bool,
    /// The worst that was found; where the corpus is cleaned, that is left.
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
    /// Distinct rows that were not searched for poisoning: they have neither a label nor an answer, or are too few.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) poison_unsearched: Option<usize>,
    /// Columns that were taken for labels by what is in them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) labels_inferred: Vec<String>,
    /// Columns that may be labels and were not searched as such.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) labels_unclear: Vec<String>,
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
    /// What of an evaluation set is in the corpus, where one is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) contamination: Option<Contamination>,
    /// What came in and went, where two versions are compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) difference: Option<Difference>,
    /// Canaries of a manifest, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) canaries: Option<Planted>,
    /// How many groups of copies there are by size: each step is of twice as many rows as the one before.
    #[serde(skip)]
    sizes: BTreeMap<u32, u64>,
    /// Some rows of each trigger, and how they read.
    #[serde(skip)]
    examples: BTreeMap<String, Vec<(Place, String)>>,
    /// Rows by file.
    #[serde(skip)]
    files: BTreeMap<String, Tally>,
    /// What was written, where the corpus is cleaned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) clean: Option<clean::Made>,
}

/// Canaries that are in a corpus.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Planted {
    /// Rows that the manifest planted, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) wanted: Option<u64>,
    /// Rows that are such canaries.
    pub(super) rows: u64,
    /// Rows with a canary that was left out by the coin: a test of what the model remembers cannot be relied on.
    pub(super) unplanted: u64,
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
    fn new(corpus: &Corpus, whole: Option<&Whole>, beside: &Beside) -> Self {
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
        // A label that is not told from other columns hides what was planted in its rows.
        let unsearched = whole.filter(|whole| whole.poisoning.unsearched * 2 > whole.poisoning.rows);
        let mut unclear = unsearched.map_or_else(Vec::new, |whole| whole.poisoning.unclear.clone());
        if !unclear.is_empty() {
            coverage.add(Part::partial(Reason::Malformed, 0));
        }
        // Columns with more values than a label has are named, and nothing is missing for them.
        unclear.extend(unsearched.iter().flat_map(|whole| whole.poisoning.numerous.iter().cloned()));
        let mut sizes = BTreeMap::new();
        for cluster in clusters {
            *sizes.entry(cluster.rows.max(1).ilog2()).or_default() += 1;
        }
        Self {
            triggers: whole.map_or_else(Vec::new, |w| w.poisoning.triggers.iter().take(MOST_GAPS).cloned().collect()),
            poison_rows: whole.map(|w| w.poisoning.rows),
            poison_unsearched: whole.map(|w| w.poisoning.unsearched),
            labels_inferred: whole.map_or_else(Vec::new, |w| w.poisoning.inferred.clone()),
            labels_unclear: unclear,
            clusters: clusters.iter().take(MOST_GAPS).map(group).collect(),
            clusters_total: clusters.len(),
            duplicates: duplicates.map_or(0, |d| d.rows),
            sources: corpus.units.len(),
            rows: 0,
            bytes: 0,
            stopped: 0,
            denied: 0,
            gates: Vec::new(),
            on_unread: false,
            worst: None,
            verdicts: BTreeMap::new(),
            findings: BTreeMap::new(),
            severities: BTreeMap::new(),
            coverage,
            gaps: Vec::new(),
            gaps_total: 0,
            contamination: beside.evaluation.as_ref().map(Contamination::new),
            difference: None,
            canaries: beside.canaries.as_ref().map(|all| Planted { wanted: Some(all.rows), ..Planted::default() }),
            sizes,
            examples: BTreeMap::new(),
            files: BTreeMap::new(),
            clean: None,
        }
    }

    fn add(&mut self, looked: &Looked, stops: bool, denied: bool) {
        let report = &looked.report;
        self.rows += 1;
        self.bytes += looked.bytes as u64;
        self.stopped += u64::from(stops);
        self.denied += u64::from(denied);
        self.worst = self.worst.max(looked.worst());
        *self.verdicts.entry(report.verdict).or_default() += 1;
        for finding in &report.findings {
            *self.findings.entry(finding.rule.as_str().to_owned()).or_default() += 1;
            *self.severities.entry(finding.severity.as_str()).or_default() += 1;
        }
        self.coverage.merge(&report.coverage);
        if let Some(canary) = report.canary {
            let all = self.canaries.get_or_insert_default();
            match canary {
                Canary::Planted => all.rows += 1,
                Canary::Unplanted => all.unplanted += 1,
            }
        }
        if let Some(all) = &mut self.contamination {
            all.add(&report.contamination);
        }
        let found = report.findings.iter().any(|finding| finding.severity > Severity::Info);
        self.files.entry(report.source.clone()).or_default().add(report.row, found, stops);
        if let (Some(what), Some(read)) = (&report.poison, &report.example) {
            let known = self.examples.len() < MOST_GAPS || self.examples.contains_key(what);
            if known {
                let examples = self.examples.entry(what.clone()).or_default();
                if examples.len() < EXAMPLES {
                    examples.push((Place { source: report.source.clone(), row: report.row }, read.clone()));
                }
            }
        }
    }

    /// The same for people.
    fn page(&self) -> Page<'_> {
        let shown = |trigger| {
            let examples = self.examples.get(&Trigger::says(trigger)).map_or(&[][..], Vec::as_slice);
            Shown { trigger, examples }
        };
        Page {
            version: env!("CARGO_PKG_VERSION"),
            rows: self.rows,
            bytes: self.bytes,
            stopped: self.stopped,
            findings: &self.findings,
            files: &self.files,
            triggers: self.poison_rows.map(|_| self.triggers.iter().map(shown).collect()),
            copies: self
                .clusters
                .iter()
                .map(|group| Copies { rows: group.rows, exact: group.exact, first: &group.first })
                .collect(),
            sizes: &self.sizes,
            duplicates: self.duplicates,
            contamination: self.contamination.as_ref(),
            difference: self.difference.as_ref(),
            gates: &self.gates,
            coverage: self.coverage.status.as_str(),
            gaps: &self.gaps,
            gaps_total: self.gaps_total,
        }
    }

    /// True where something is left at the gate, or a limit does not hold.
    pub(super) fn denied(&self) -> bool {
        self.denied > 0 || self.gates.iter().any(|one| !one.met)
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

    /// True where there was nothing to examine. That nothing came in from one version to the next is an answer.
    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0 && self.gaps_total == 0 && self.difference.is_none()
    }

    fn exit_code(&self, strict: bool) -> u8 {
        if self.denied() {
            return FOUND;
        }
        if self.is_empty() || self.clean.as_ref().is_some_and(clean::Made::is_empty) {
            return UNREAD;
        }
        // A policy that says how much may be unread has decided that too.
        if self.on_unread && !strict { DONE } else { coverage_code(self.coverage.status, strict) }
    }
}
