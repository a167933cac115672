//! What is collected while a file is read.

use bartizan_core::{Confidence, Coverage, Finding, Fix, Location, Part, Reason, Rule, Severity, Span, View};

/// Bounds on the work for one file. Sizes are bytes.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Most bytes that decompression and decoding may produce, of all members and layers together.
    pub expanded: usize,
    /// Most files, members and embedded payloads that are opened.
    pub members: usize,
    /// Deepest nesting of archives, compression and payloads.
    pub depth: usize,
    /// Most findings that are listed.
    pub findings: usize,
    /// Most opcodes that are interpreted in one pickle.
    pub steps: u64,
    /// Most values of one pickle that are kept at the same time: on its stack, in its memo, and as nodes.
    pub values: usize,
    /// Longest JSON or YAML document that is parsed.
    pub document: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            expanded: 256 << 20,
            members: 100_000,
            depth: 6,
            findings: 200,
            steps: 2_000_000_000,
            values: 1 << 20,
            document: 16 << 20,
        }
    }
}

/// One line of the way to a finding, as pseudo-Python.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Byte offset in the file or member.
    pub offset: usize,
    /// What the file does there. It may quote the file's strings, shortened and escaped.
    pub text: String,
}

/// A finding with what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Rule, severity and place. The place is in the file, or in the member named.
    pub finding: Finding,
    /// One line: what was found.
    pub what: String,
    /// The way to it, first step first; often empty.
    pub chain: Vec<Step>,
}

/// Something that was not read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Kind, reason and bytes.
    pub part: Part,
    /// The member it is in; empty for the file itself.
    pub member: String,
    /// One line for people.
    pub why: String,
}

/// All that is known of one file.
#[derive(Clone, Debug)]
pub struct Report {
    /// What it is, such as `pickle` or `pytorch zip`.
    pub format: &'static str,
    /// What was found, worst first.
    pub found: Vec<Found>,
    /// What was not read.
    pub coverage: Coverage,
    /// The same, place by place; at most a thousand.
    pub gaps: Vec<Gap>,
}

impl Report {
    /// The worst severity found.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.found.iter().map(|f| f.finding.severity).max()
    }
}

/// Collects findings and gaps, and holds the budget.
pub(crate) struct Desk<'b> {
    pub(crate) budget: &'b Budget,
    found: Vec<Found>,
    coverage: Coverage,
    gaps: Vec<Gap>,
    path: Vec<String>,
    expanded: usize,
    members: usize,
    full: bool,
    /// How often something readable was not read.
    partials: usize,
    /// How often something was found that would stop a file.
    grave: usize,
}

impl<'b> Desk<'b> {
    pub(crate) fn new(budget: &'b Budget) -> Self {
        Self {
            budget,
            found: Vec::new(),
            coverage: Coverage::default(),
            gaps: Vec::new(),
            path: Vec::new(),
            expanded: 0,
            members: 0,
            full: false,
            partials: 0,
            grave: 0,
        }
    }

    pub(crate) fn report(mut self, format: &'static str) -> Report {
        self.found.sort_by_key(|f| std::cmp::Reverse(f.finding.severity));
        Report { format, found: self.found, coverage: self.coverage, gaps: self.gaps }
    }

    fn member(&self) -> String {
        self.path.join("!")
    }

    /// Reports a rule with its own severity.
    pub(crate) fn find(&mut self, rule: &Rule, what: impl Into<String>, at: usize, len: usize) {
        self.find_as(rule, rule.severity, what, (at, len), Vec::new());
    }

    /// Reports a rule.
    pub(crate) fn find_as(
        &mut self,
        rule: &Rule,
        severity: Severity,
        what: impl Into<String>,
        (at, len): (usize, usize),
        chain: Vec<Step>,
    ) {
        let what = what.into();
        self.grave += usize::from(severity >= Severity::High);
        if self.found.len() >= self.budget.findings {
            // What stops a file is never pushed out by what does not.
            let weakest = self.found.iter().enumerate().min_by_key(|(_, f)| f.finding.severity);
            let Some((weakest, _)) = weakest.filter(|(_, f)| f.finding.severity < severity) else {
                self.too_many();
                return;
            };
            self.found.swap_remove(weakest);
            self.too_many();
        }
        let inner = Location::File { path: String::new(), span: Span::new(at, at.saturating_add(len)) };
        let member = self.member();
        let at = if member.is_empty() { inner } else { Location::Archive { member, inner: Box::new(inner) } };
        let finding = Finding {
            rule: rule.id.clone(),
            severity,
            confidence: rule.confidence.max(Confidence::Low),
            entity: None,
            view: View::Raw,
            depth: 0,
            at,
            fix: Fix::Mask,
        };
        if !self.found.iter().any(|f| f.what == what && f.finding.rule == finding.rule) {
            self.found.push(Found { finding, what, chain });
        }
    }

    fn too_many(&mut self) {
        if !std::mem::replace(&mut self.full, true) {
            self.coverage.add(Part::partial(Reason::TooManyFindings, 0));
        }
    }

    /// Something readable was not read.
    pub(crate) fn partial(&mut self, reason: Reason, bytes: usize, why: impl Into<String>) {
        self.partials += 1;
        self.gap(Part::partial(reason, bytes), why.into());
    }

    /// Something known is not readable: tensors.
    pub(crate) fn opaque(&mut self, bytes: usize, why: &str) {
        if bytes > 0 {
            self.gap(Part::structural(Reason::Binary, bytes), why.to_owned());
        }
    }

    fn gap(&mut self, part: Part, why: String) {
        self.coverage.add(part);
        let member = self.member();
        if let Some(same) =
            self.gaps.iter_mut().rev().take(8).find(|g| g.member == member && g.why == why && g.part.kind == part.kind)
        {
            same.part.bytes = same.part.bytes.saturating_add(part.bytes);
        } else if self.gaps.len() < 1000 {
            self.gaps.push(Gap { part, member, why });
        }
    }

    /// How many findings there are.
    pub(crate) fn count(&self) -> usize {
        self.found.len()
    }

    /// Bytes that may still be expanded.
    pub(crate) fn left(&self) -> usize {
        self.budget.expanded.saturating_sub(self.expanded)
    }

    /// Takes expanded bytes from the budget.
    pub(crate) fn spend(&mut self, bytes: usize) {
        self.expanded = self.expanded.saturating_add(bytes);
    }

    /// Reads what may be a file, where nothing says so: numbers begin like one by chance. What does not read to its end
    /// and would not stop a file leaves no trace. True where it was one.
    pub(crate) fn attempt(
        &mut self,
        name: &str,
        bytes: &[u8],
        read: impl FnOnce(&[u8], &mut Self) -> &'static str,
    ) -> bool {
        let (found, coverage, gaps) = (self.found.clone(), self.coverage.clone(), self.gaps.clone());
        let (partials, grave) = (self.partials, self.grave);
        self.within(name, bytes.len(), |desk| {
            read(bytes, desk);
        });
        if self.partials == partials || self.grave > grave {
            return true;
        }
        (self.found, self.coverage, self.gaps, self.partials) = (found, coverage, gaps, partials);
        false
    }

    /// Reads something inside under a name of its own. What is too deep or too much is said.
    pub(crate) fn within(&mut self, name: &str, bytes: usize, read: impl FnOnce(&mut Self)) {
        if self.path.len() >= self.budget.depth {
            self.partial(Reason::TooDeep, bytes, "nested deeper than the limit");
            return;
        }
        self.members += 1;
        if self.members > self.budget.members {
            self.partial(Reason::TooManyParts, bytes, "more members than the limit");
            return;
        }
        self.path.push(crate::bytes::show(name));
        read(self);
        self.path.pop();
    }
}
