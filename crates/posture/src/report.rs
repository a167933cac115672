//! What comes out: findings with their places, and what was not read.

use bartizan_core::{
    Confidence, Coverage, CoverageStatus, Finding, Fix, Location, Part, Reason, Rule, Severity, Span, View,
};

use crate::mcp::Recorded;

/// A finding with what it says. Neither text quotes a secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Rule, severity and place: a byte range of the file.
    pub finding: Finding,
    /// One line: what was found.
    pub what: String,
    /// One line: what to write instead.
    pub fix: String,
}

/// Something that was not read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Kind, reason and bytes.
    pub part: Part,
    /// Where the reading ended, in bytes.
    pub at: usize,
    /// One line for people.
    pub why: String,
}

/// All that is known of one file.
#[derive(Clone, Debug)]
pub struct Report {
    /// What it is, such as `compose` or `kubernetes`.
    pub format: &'static str,
    /// What was found, by place.
    pub found: Vec<Found>,
    /// What was not read.
    pub coverage: Coverage,
    /// The same, place by place.
    pub gaps: Vec<Gap>,
    /// What it records of what tool servers say of themselves.
    pub recorded: Vec<Recorded>,
}

impl Report {
    /// A file of which nothing could be read.
    #[must_use]
    pub fn unread(reason: Reason, why: String) -> Self {
        let mut desk = Desk::default();
        desk.partial(reason, 0, 0, why);
        desk.report("unread")
    }

    /// Adds what somebody else found in the file or could not read of it.
    pub fn add(&mut self, found: impl IntoIterator<Item = Found>, gaps: impl IntoIterator<Item = Gap>) {
        let mut desk = Desk {
            found: std::mem::take(&mut self.found),
            coverage: std::mem::take(&mut self.coverage),
            gaps: std::mem::take(&mut self.gaps),
            recorded: std::mem::take(&mut self.recorded),
        };
        found.into_iter().for_each(|found| desk.push(found));
        gaps.into_iter().for_each(|gap| desk.gap(gap.part, gap.at, gap.why));
        *self = desk.report(self.format);
    }

    /// The worst severity found.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.found.iter().map(|f| f.finding.severity).max()
    }
}

/// Most findings of one file.
const MOST: usize = 500;

/// Collects findings and gaps.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    found: Vec<Found>,
    coverage: Coverage,
    gaps: Vec<Gap>,
    recorded: Vec<Recorded>,
}

/// Largest file that is read, in bytes.
const LONGEST: usize = 4 << 20;

impl Desk {
    /// The text of a file; `None`, and a gap, where it is too long or no text.
    pub(crate) fn text<'a>(&mut self, bytes: &'a [u8]) -> Option<&'a str> {
        if bytes.len() > LONGEST {
            self.partial(Reason::TooLong, 0, bytes.len(), "the file is longer than the limit");
            return None;
        }
        let text = std::str::from_utf8(bytes);
        text.inspect_err(|e| self.partial(Reason::Malformed, e.valid_up_to(), bytes.len(), "the file is not UTF-8"))
            .ok()
    }

    /// Reports a rule with its own severity.
    pub(crate) fn find(&mut self, rule: &Rule, at: Span, what: impl Into<String>, fix: impl Into<String>) {
        self.find_as(rule, rule.severity, rule.confidence, at, what, fix);
    }

    /// Reports a rule.
    pub(crate) fn find_as(
        &mut self,
        rule: &Rule,
        severity: Severity,
        confidence: Confidence,
        at: Span,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let finding = Finding {
            rule: rule.id.clone(),
            severity,
            confidence,
            entity: None,
            view: View::Raw,
            depth: 0,
            at: Location::File { path: String::new(), span: at },
            fix: Fix::Mask,
        };
        self.push(Found { finding, what: what.into(), fix: fix.into() });
    }

    fn push(&mut self, found: Found) {
        let (at, severity) = (found.finding.span(), found.finding.severity);
        // One place has one finding of a rule: aliases and merge keys show the same place many times.
        if self.found.iter().rev().any(|f| f.finding.rule == found.finding.rule && f.finding.span() == at) {
            return;
        }
        if self.found.len() >= MOST {
            let weakest = self.found.iter().enumerate().min_by_key(|(_, f)| f.finding.severity);
            let weakest = weakest.filter(|(_, f)| f.finding.severity < severity).map(|(at, _)| at);
            if !self.coverage.parts.iter().any(|p| p.reason == Reason::TooManyFindings) {
                self.gap(
                    Part::partial(Reason::TooManyFindings, 0),
                    at.start,
                    "there are more findings than are listed",
                );
            }
            match weakest {
                Some(at) => drop(self.found.swap_remove(at)),
                None => return,
            }
        }
        self.found.push(found);
    }

    /// Something readable was not read.
    pub(crate) fn partial(&mut self, reason: Reason, at: usize, bytes: usize, why: impl Into<String>) {
        self.gap(Part::partial(reason, bytes), at, why);
    }

    fn gap(&mut self, part: Part, at: usize, why: impl Into<String>) {
        self.coverage.add(part);
        if self.gaps.len() < 100 {
            self.gaps.push(Gap { part, at, why: why.into() });
        }
    }

    /// Takes what a file records of servers.
    pub(crate) fn record(&mut self, recorded: Vec<Recorded>) {
        self.recorded.extend(recorded);
    }

    /// Takes what was found in a value of the file, at the place of that value.
    pub(crate) fn take(&mut self, inner: Self, at: Span) {
        for mut found in inner.found {
            found.finding.at = Location::File { path: String::new(), span: at };
            self.push(found);
        }
    }

    /// Takes what was not read of a part of the file, at its places in the whole.
    pub(crate) fn take_gaps(&mut self, inner: Self, place: impl Fn(usize) -> usize) {
        for gap in inner.gaps {
            self.gap(gap.part, place(gap.at), gap.why);
        }
    }

    /// All that was collected.
    pub(crate) fn report(mut self, format: &'static str) -> Report {
        self.found.sort_by_key(|f| (f.finding.span().start, std::cmp::Reverse(f.finding.severity)));
        debug_assert!(self.gaps.is_empty() == (self.coverage.status == CoverageStatus::Complete));
        Report { format, found: self.found, coverage: self.coverage, gaps: self.gaps, recorded: self.recorded }
    }
}

/// Text of a file for a line of a report: short, on one line.
pub(crate) fn show(text: &str) -> String {
    let mut out: String = text.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(80).is_some() {
        out.push('…');
    }
    out
}
