//! A policy beside the one in force: what it would have decided, and never anything done about it.

use std::sync::Arc;

use bartizan_core::{CoverageStatus, Direction, Finding, Source, Verdict};
use bartizan_policy::{Cause, Refusal, Table};

use crate::guard::Guard;

/// A policy that is tried.
#[derive(Clone)]
pub(crate) enum Candidate {
    /// It reads the same findings differently.
    Table(Arc<Table>),
    /// It finds other things, so it has to look for itself.
    Guard(Arc<Guard>),
}

/// What both policies said of one body. The causes are those of a refusal or a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The policy in force.
    pub live: Refusal,
    /// The candidate.
    pub candidate: Refusal,
}

impl Default for Compared {
    fn default() -> Self {
        let nothing = || Refusal { verdict: Verdict::Allow, causes: Vec::new() };
        Self { live: nothing(), candidate: nothing() }
    }
}

impl Compared {
    /// Adds what both say of one finding in a streamed reply.
    pub(crate) fn finding(&mut self, live: &Table, candidate: &Table, finding: &Finding, source: Source) {
        for (side, table) in [(&mut self.live, live), (&mut self.candidate, candidate)] {
            add(side, table.finding(finding, source, Direction::Reply), || Cause::Rule(finding.rule.clone()));
        }
    }

    /// Adds what both say of what was not read.
    pub(crate) fn coverage(&mut self, live: &Table, candidate: &Table, status: CoverageStatus) {
        for (side, table) in [(&mut self.live, live), (&mut self.candidate, candidate)] {
            add(side, table.coverage(status), || Cause::Coverage);
        }
    }

    /// Adds another comparison.
    pub(crate) fn merge(&mut self, other: Self) {
        for (side, more) in [(&mut self.live, other.live), (&mut self.candidate, other.candidate)] {
            side.verdict = side.verdict.max(more.verdict);
            for cause in more.causes {
                add(side, Verdict::Hold.min(more.verdict), || cause);
            }
        }
    }
}

fn add(side: &mut Refusal, verdict: Verdict, cause: impl FnOnce() -> Cause) {
    side.verdict = side.verdict.max(verdict);
    if verdict >= Verdict::Hold {
        let cause = cause();
        if !side.causes.contains(&cause) {
            side.causes.push(cause);
        }
    }
}
