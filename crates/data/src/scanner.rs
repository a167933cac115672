//! Everything that is said of one row.

use bartizan_core::{Coverage, Severity};
use bartizan_guard::{Decision, Guard};

use crate::examine::{RowReport, examined};
use crate::layout::Row;
use crate::pass::{At, Corpus};
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
    /// The worst that is left in it.
    pub worst: Option<Severity>,
}

impl Looked {
    /// With everything left in it that was found.
    #[must_use]
    pub fn new(report: RowReport, bytes: usize) -> Self {
        let worst = report.findings.iter().map(|finding| finding.severity).max();
        Self { report, bytes, worst }
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

    /// What each text of the row says by itself. `each` gets what was decided of each.
    pub(crate) fn text(&self, at: At, row: &Row, each: &mut dyn FnMut(usize, &Decision)) -> RowReport {
        let name = self.corpus.units.get(at.unit).map_or("", |unit| unit.name.as_str());
        match self.guard {
            Some(guard) => examined(guard, name, at.row, row, each),
            None => RowReport::new(name, at.row, row),
        }
    }

    /// Adds what only the corpus shows.
    pub(crate) fn corpus(&self, at: At, row: &Row, report: &mut RowReport) {
        if let Some(whole) = self.whole {
            whole.add(self.corpus, at, row, report);
        }
    }
}

/// True where a part that could be read was not.
pub(crate) fn partial(coverage: &Coverage) -> bool {
    coverage.status == bartizan_core::CoverageStatus::Partial
}
