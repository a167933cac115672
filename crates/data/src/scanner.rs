//! Everything that is said of one row.

use bartizan_core::finding::FindingRecord;
use bartizan_core::{Coverage, Severity};
use bartizan_guard::{Decision, Guard};

use crate::canaries::{Canaries, Canary, says};
use crate::contamination::Evaluation;
use crate::examine::{RowReport, examined};
use crate::layout::{Row, Turn};
use crate::pass::{At, Corpus};
use crate::rules::CONTAMINATION;
use crate::whole::Whole;

/// What rows are looked at with.
#[derive(Clone, Copy)]
pub struct Scanner<'a> {
    /// The corpus that they are from.
    pub corpus: &'a Corpus,
    /// Rules about a text; without them only the corpus is looked at.
    pub guard: Option<&'a Guard>,
    /// What is known of the corpus as a whole.
    pub whole: Option<&'a Whole>,
    /// An evaluation set that must not be in it.
    pub evaluation: Option<&'a Evaluation>,
    /// Rows that were planted on purpose.
    pub canaries: Option<&'a Canaries>,
}

impl<'a> Scanner<'a> {
    /// With rules about a text alone, or without any.
    #[must_use]
    pub const fn new(corpus: &'a Corpus, guard: Option<&'a Guard>) -> Self {
        Self { corpus, guard, whole: None, evaluation: None, canaries: None }
    }
}

impl std::fmt::Debug for Scanner<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scanner")
    }
}

/// A row that was looked at.
#[derive(Clone, Debug)]
pub struct Looked {
    /// What is said of it.
    pub report: RowReport,
    /// Bytes of its texts.
    pub bytes: usize,
    /// For each finding, whether it was dealt with; where there is none, all are left in it.
    pub dealt: Vec<bool>,
}

impl Looked {
    /// With everything left in it that was found.
    #[must_use]
    pub fn new(report: RowReport, bytes: usize) -> Self {
        Self { report, bytes, dealt: Vec::new() }
    }

    /// What is left in it.
    pub fn left(&self) -> impl Iterator<Item = &FindingRecord> {
        let dealt = self.dealt.iter().copied().chain(std::iter::repeat(false));
        self.report.findings.iter().zip(dealt).filter(|(_, dealt)| !dealt).map(|(finding, _)| finding)
    }

    /// The worst that is left in it.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.left().map(|finding| finding.severity).max()
    }
}

/// Bytes of the texts of a row.
pub(crate) fn bytes(row: &Row) -> usize {
    row.turns.iter().map(|turn| turn.text.len()).sum()
}

impl Scanner<'_> {
    /// Looks at a row.
    #[must_use]
    pub fn look(&self, at: At, row: &Row) -> Looked {
        let mut report = self.text(at, row, &mut |_, _| {});
        self.corpus(at, row, &mut report);
        Looked::new(report, bytes(row))
    }

    /// What each text of the row says by itself. `each` gets what was decided of each. What a planted canary says is no
    /// anomaly; its other columns are looked at.
    pub(crate) fn text(&self, at: At, row: &Row, each: &mut dyn FnMut(usize, &Decision)) -> RowReport {
        let name = self.corpus.units.get(at.unit).map_or("", |unit| unit.name.as_str());
        let canary = self.canaries.and_then(|canaries| canaries.of(row));
        let wanted = |turn: &Turn| canary != Some(Canary::Planted) || !says(turn.role);
        let mut report = match self.guard {
            Some(guard) => examined(guard, name, at.row, row, &wanted, each),
            None => RowReport::new(name, at.row, row),
        };
        report.canary = canary;
        report
    }

    /// Adds what only the corpus shows.
    pub(crate) fn corpus(&self, at: At, row: &Row, report: &mut RowReport) {
        if report.canary == Some(Canary::Planted) {
            report.scores.poison = self.whole.map(|_| 0.0);
            return;
        }
        if let Some(whole) = self.whole {
            whole.add(self.corpus, at, row, report);
        }
        if let Some(evaluation) = self.evaluation {
            let found = evaluation.look(row);
            if let Some((turn, start, end)) = found.first {
                report.findings.push(FindingRecord {
                    rule: CONTAMINATION.id.clone(),
                    severity: CONTAMINATION.severity,
                    confidence: CONTAMINATION.confidence,
                    entity: None,
                    path: row.turns.get(turn).map(|turn| turn.path.clone()),
                    start,
                    end,
                    in_use: None,
                });
            }
            report.contamination = found.items;
        }
    }
}

/// True where a part that could be read was not.
pub(crate) fn partial(coverage: &Coverage) -> bool {
    coverage.status == bartizan_core::CoverageStatus::Partial
}
