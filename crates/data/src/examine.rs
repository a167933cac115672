//! One row looked at by every detector of the engine.

use bartizan_core::finding::FindingRecord;
use bartizan_core::{Action, Coverage, Part, Reason, Scores, Verdict};
use bartizan_guard::{Decision, Guard};
use serde::Serialize;

use crate::canaries::Canary;
use crate::contamination::{Overlap, named};
use crate::layout::{Row, Turn};

/// What is said of one row: a line of the JSON lines.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowReport {
    /// File or stream.
    pub source: String,
    /// Row from 0.
    pub row: u64,
    /// What policy decides.
    pub verdict: Verdict,
    /// Probabilities.
    pub scores: Scores,
    /// What was found, by place.
    pub findings: Vec<FindingRecord>,
    /// What was not read.
    pub coverage: Coverage,
    /// What it was that was planted, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poison: Option<String>,
    /// The earlier row that it repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<Place>,
    /// Items of an evaluation set of which it holds a piece, those with the largest share first; a line names five.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "named")]
    pub contamination: Vec<Overlap>,
    /// A canary of a manifest. Of one that was planted nothing else is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// How it reads, without secrets and personal data, where it looks planted.
    #[serde(skip)]
    pub example: Option<String>,
    /// What was done with it, where the corpus is cleaned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
}

/// A row of a source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// File or stream.
    pub source: String,
    /// Row from 0.
    pub row: u64,
}

impl RowReport {
    /// A row of which nothing is known yet but how much of it is text.
    #[must_use]
    pub fn new(source: &str, number: u64, row: &Row) -> Self {
        let mut coverage = Coverage::default();
        if row.opaque > 0 {
            coverage.add(Part::structural(Reason::Binary, row.opaque));
        }
        if row.deep > 0 {
            coverage.add(Part::partial(Reason::TooDeep, row.deep));
        }
        Self {
            source: source.to_owned(),
            row: number,
            verdict: Verdict::Allow,
            scores: Scores::default(),
            findings: Vec::new(),
            coverage,
            poison: None,
            duplicate_of: None,
            contamination: Vec::new(),
            canary: None,
            example: None,
            action: None,
        }
    }

    /// True where there is something to say of the row.
    #[must_use]
    pub fn speaks(&self) -> bool {
        !self.findings.is_empty()
            || self.verdict > Verdict::Allow
            || self.coverage.status == bartizan_core::CoverageStatus::Partial
            || self.duplicate_of.is_some()
    }
}

/// Looks at every text of a row. The origin of each is its turn's.
#[must_use]
pub fn examine(guard: &Guard, source: &str, number: u64, row: &Row) -> RowReport {
    examined(guard, source, number, row, &|_| true, &mut |_, _| {})
}

/// The same for the turns that are `wanted`; `each` gets what was decided of each turn. Findings of the report are in the order of these.
pub(crate) fn examined(
    guard: &Guard,
    source: &str,
    number: u64,
    row: &Row,
    wanted: &dyn Fn(&Turn) -> bool,
    each: &mut dyn FnMut(usize, &Decision),
) -> RowReport {
    let mut report = RowReport::new(source, number, row);
    for (at, turn) in row.turns.iter().enumerate().filter(|(_, turn)| wanted(turn)) {
        let decision = guard.check_text(&turn.text, turn.role.source());
        each(at, &decision);
        report.verdict = report.verdict.max(decision.verdict);
        report.scores = report.scores.max(decision.scores);
        report.coverage.merge(&decision.coverage);
        report.findings.extend(decision.findings.iter().zip(&decision.texts).map(|(finding, text)| {
            let mut record = FindingRecord::new(finding, text);
            record.path = Some(match record.path {
                Some(inner) => format!("{}#{inner}", turn.path),
                None => turn.path.clone(),
            });
            record
        }));
    }
    report
}
