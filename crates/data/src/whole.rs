//! The corpus as a whole: the pass that has to see every row before anything can be said of one.

use bartizan_core::finding::FindingRecord;
use bartizan_core::{Confidence, Severity, Verdict};

use crate::canaries::{Canaries, Canary};
use crate::duplicates::{self, Duplicates, Sketch};
use crate::error::DataError;
use crate::examine::{Place, RowReport};
use crate::excerpt::excerpt;
use crate::layout::{Role, Row};
use crate::pass::{At, Corpus, Passed};
use crate::poison::{self, Piece, Poisoning, REPORTED};
use crate::rules::{DUPLICATE, PAYLOAD, TRIGGER};

/// What is known of a corpus when all of it was seen.
#[derive(Debug, Default)]
pub struct Whole {
    /// Planted rows.
    pub poisoning: Poisoning,
    /// Copies.
    pub duplicates: Duplicates,
}

/// Looks at all rows. Of each only its words and hashes are kept, in about `memory` bytes.
///
/// # Errors
/// The corpus could not be read on.
pub fn look(corpus: &Corpus, memory: usize) -> Result<Whole, DataError> {
    look_without(corpus, memory, None)
}

/// The same without rows that were planted on purpose.
///
/// # Errors
/// The corpus could not be read on.
pub fn look_without(corpus: &Corpus, memory: usize, canaries: Option<&Canaries>) -> Result<Whole, DataError> {
    let mut all = Gatherer::new(memory);
    let planted = |row: &Row| canaries.and_then(|canaries| canaries.of(row)) == Some(Canary::Planted);
    let work = |_, row: &Row| if planted(row) { (None, None) } else { Gatherer::of(row) };
    corpus.each(&work, &mut |passed| {
        if let Passed::Row(at, of) = passed {
            all.add(at, of);
        }
        Ok(())
    })?;
    Ok(all.finish())
}

/// Takes in rows, in any order.
#[derive(Debug)]
pub(crate) struct Gatherer {
    poison: poison::Collector,
    copies: duplicates::Collector,
}

impl Gatherer {
    pub(crate) fn new(memory: usize) -> Self {
        Self { poison: poison::Collector::new(memory), copies: duplicates::Collector::default() }
    }

    /// What has to be kept of a row.
    pub(crate) fn of(row: &Row) -> (Option<Piece>, Option<Sketch>) {
        (Piece::new(row), Sketch::new(row))
    }

    pub(crate) fn add(&mut self, at: At, (piece, sketch): (Option<Piece>, Option<Sketch>)) {
        if let Some(piece) = piece {
            self.poison.add(piece);
        }
        if let Some(sketch) = sketch {
            self.copies.add(at, sketch);
        }
    }

    pub(crate) fn finish(self) -> Whole {
        Whole { poisoning: self.poison.finish(), duplicates: self.copies.finish() }
    }
}

impl Whole {
    /// Adds to what is said of a row what only the corpus can tell.
    pub fn add(&self, corpus: &Corpus, at: At, row: &Row, report: &mut RowReport) {
        report.scores.poison = Some(0.0);
        if let Some((score, found)) = self.poisoning.score(Piece::id(row)) {
            report.scores.poison = Some(score);
            if score >= REPORTED {
                let rule = if found.is_some_and(|f| f.trigger.is_some()) { &TRIGGER } else { &PAYLOAD };
                let confidence = if score >= 0.9 { Confidence::High } else { Confidence::Medium };
                report.findings.push(finding(rule.id.clone(), rule.severity, confidence, row));
                report.poison = found.map(poison::Trigger::says);
                report.example = found.map(|f| excerpt(row, report, f.trigger.as_deref(), &f.output));
                report.verdict = Verdict::Deny;
            }
        }
        if let Some((first, alike)) = self.duplicates.of(at) {
            report.scores.duplicate = Some(alike);
            report.findings.push(finding(DUPLICATE.id, DUPLICATE.severity, DUPLICATE.confidence, row));
            let source = corpus.units.get(first.unit).map_or_else(String::new, |unit| unit.name.clone());
            report.duplicate_of = Some(Place { source, row: first.row });
        }
    }
}

/// A finding about a row as a whole is at its first text.
fn finding(rule: bartizan_core::RuleId, severity: Severity, confidence: Confidence, row: &Row) -> FindingRecord {
    let first = row
        .turns
        .iter()
        .find(|turn| !matches!(turn.role, Role::Label | Role::Origin | Role::Name))
        .or(row.turns.first());
    FindingRecord {
        rule,
        severity,
        confidence,
        entity: None,
        path: first.map(|turn| turn.path.clone()),
        start: 0,
        end: first.map_or(0, |turn| turn.text.chars().count()),
        in_use: None,
    }
}
