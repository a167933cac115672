//! The trait that every detection implements, and what it writes into.

use std::borrow::Cow;

use crate::coverage::{Coverage, Part, Reason};
use crate::finding::{EntityType, Finding, Fix};
use crate::limits::Limits;
use crate::location::{Location, Span};
use crate::origin::Origin;
use crate::rule::{Confidence, Rule, Severity};
use crate::subject::{Context, Scores, Subject};
use crate::view::{ViewText, Views};

/// How a detector behaves on a text that is still arriving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// A finding covers at most so many bytes of a view, and whether it is made depends on nothing more than
    /// [`LOOKBEHIND`] bytes before it and on what [`Detector::live`] holds back behind it. The streaming engine can
    /// then mask it before any of it is out.
    Bounded(usize),
    /// A finding may depend on everything before it. In a stream it can only cut, and the report says how many
    /// bytes were out.
    Whole,
}

/// Bytes before a finding that a [`Hold::Bounded`] detector may look at.
pub const LOOKBEHIND: usize = 128;

/// What a detector costs. The engine runs the cheap first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cost {
    /// Exact bytes.
    Literal,
    /// Regular expressions on windows.
    Regex,
    /// Parsing or counting over the whole text.
    Parse,
    /// Inference; runs on a bounded pool, never on an async worker.
    Model,
}

/// What the engine looks for on a detector's behalf in one shared pass over all views that the detector reads.
/// A detector is not called on a subject in which none of its anchors occur.
#[derive(Clone, Copy, Debug, Default)]
pub struct Anchors<'a> {
    /// Literals, matched without regard to ASCII case. Three bytes or more, or they cost more than they save.
    pub literals: &'a [Cow<'static, str>],
    /// Runs with at least seven digits: digits, with at most two separators (space, `-`, `.`, `/`, `(`, `)`, `+`)
    /// between two of them.
    pub digits: bool,
    /// Texts with any byte outside ASCII.
    pub non_ascii: bool,
    /// Call on every subject.
    pub always: bool,
}

impl Anchors<'_> {
    /// Call on every subject.
    pub const ALWAYS: Self = Self { literals: &[], digits: false, non_ascii: false, always: true };
    /// Call on subjects with a byte outside ASCII.
    pub const NON_ASCII: Self = Self { literals: &[], digits: false, non_ascii: true, always: false };
    /// Call on subjects with a run of seven digits.
    pub const DIGITS: Self = Self { literals: &[], digits: true, non_ascii: false, always: false };
}

/// One place where an anchor was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Index into [`Subject::texts`].
    pub text: usize,
    /// Byte range in that text.
    pub span: Span,
    /// Which anchor.
    pub kind: HitKind,
}

/// Which anchor was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HitKind {
    /// The literal with this index in [`Anchors::literals`].
    Literal(usize),
    /// A run of digits.
    Digits,
}

/// One detection. Synchronous, pure and bounded: the same in the gateway and on a cluster.
pub trait Detector: Send + Sync {
    /// The rules it reports under, at least one.
    fn rules(&self) -> &[Rule];

    /// The views it reads.
    fn views(&self) -> Views;

    /// How it behaves in a stream.
    fn hold(&self) -> Hold;

    /// What it costs.
    fn cost(&self) -> Cost;

    /// What has to occur before it is worth calling.
    fn anchors(&self) -> Anchors<'_> {
        Anchors::ALWAYS
    }

    /// False where the detector has nothing to say about a text from there, whatever it says: it is not called, and a
    /// stream holds nothing back for it. It looks at the direction and the profile of the context and nothing else.
    fn concerns(&self, _origin: &Origin, _context: &Context<'_>) -> bool {
        true
    }

    /// How many bytes at the end of `tail` must be held back, because a finding that starts there may still come,
    /// grow or go away as text is appended. `tail` is a view's text, or a suffix of it that is longer than the
    /// bound of [`Hold::Bounded`] by [`LOOKBEHIND`].
    ///
    /// The law, tested for every bounded detector: whatever is appended, the findings that start before the held
    /// bytes stay as they are. The default holds the whole bound.
    fn live(&self, tail: &str) -> usize {
        match self.hold() {
            Hold::Bounded(bound) => bound.min(tail.len()),
            Hold::Whole => 0,
        }
    }

    /// Looks at one subject. "Could not decide" is coverage ([`Sink::partial`]), never an error.
    fn inspect(&self, subject: &Subject<'_>, limits: &Limits, out: &mut Sink<'_>);
}

/// One thing to report: the rule, where, and what differs from the rule's defaults.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// The text it was seen in.
    pub text: &'a ViewText<'a>,
    /// Byte range in that text.
    pub span: Span,
    /// Other severity than the rule's.
    pub severity: Option<Severity>,
    /// Other confidence than the rule's.
    pub confidence: Option<Confidence>,
    /// Entity or secret type.
    pub entity: Option<EntityType>,
    /// What to do where policy says redact; masking by default.
    pub fix: Fix,
}

impl<'a> Report<'a> {
    /// A report with the rule's defaults.
    #[must_use]
    pub const fn new(rule: &'a Rule, text: &'a ViewText<'a>, span: Span) -> Self {
        Self { rule, text, span, severity: None, confidence: None, entity: None, fix: Fix::Mask }
    }

    /// The same with a severity of its own.
    #[must_use]
    pub const fn severity(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }

    /// The same with a confidence of its own.
    #[must_use]
    pub const fn confidence(mut self, confidence: Confidence) -> Self {
        self.confidence = Some(confidence);
        self
    }

    /// The same with an entity type.
    #[must_use]
    pub fn entity(mut self, entity: impl Into<EntityType>) -> Self {
        self.entity = Some(entity.into());
        self
    }

    /// The same with a fix of its own.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Self {
        self.fix = fix;
        self
    }
}

/// What a detector writes into. It bounds how much one subject may produce.
#[derive(Debug)]
pub struct Sink<'a> {
    findings: &'a mut Vec<Finding>,
    scores: &'a mut Scores,
    coverage: &'a mut Coverage,
    left: usize,
    allowance: Allowance,
}

/// How many passages slow models may read for one exchange. What is beyond is judged by what is fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Passages that may still be read.
    pub left: usize,
    /// True once more were wanted: the answer depends on what else the exchange holds, and is not to be kept.
    pub short: bool,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { left: Limits::default().max_model_passages, short: false }
    }
}

impl<'a> Sink<'a> {
    /// A sink that appends to these; one detector gets at most `limits.max_findings` in.
    pub fn new(
        findings: &'a mut Vec<Finding>,
        scores: &'a mut Scores,
        coverage: &'a mut Coverage,
        limits: &Limits,
    ) -> Self {
        Self { findings, scores, coverage, left: limits.max_findings, allowance: Allowance::default() }
    }

    /// The same with what is left of the exchange's allowance for slow models.
    #[must_use]
    pub const fn allowing(mut self, allowance: Allowance) -> Self {
        self.allowance = allowance;
        self
    }

    /// What is left of it.
    #[must_use]
    pub const fn allowance(&self) -> Allowance {
        self.allowance
    }

    /// Takes over what another sink left of it.
    pub const fn settle(&mut self, allowance: Allowance) {
        self.allowance = allowance;
    }

    /// Asks to read one passage with a slow model. False once the exchange's allowance is used up: the detector then
    /// answers by what it has.
    pub const fn take_passage(&mut self) -> bool {
        if self.allowance.left == 0 {
            self.allowance.short = true;
            return false;
        }
        self.allowance.left -= 1;
        true
    }

    /// Reports a finding. Past the limit the subject counts as partly read, once.
    pub fn report(&mut self, report: Report<'_>) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        if self.left == 0 {
            self.coverage.add(Part::partial(Reason::TooManyFindings, report.text.text.len()));
        }
        let rule = report.rule;
        self.findings.push(Finding {
            rule: rule.id.clone(),
            severity: report.severity.unwrap_or(rule.severity),
            confidence: report.confidence.unwrap_or(rule.confidence),
            entity: report.entity,
            view: report.text.view,
            depth: report.text.depth,
            at: Location::Text { span: report.text.map.to_raw(report.span) },
            fix: report.fix,
        });
    }

    /// Passes on a finding that was made elsewhere, within the same limit.
    pub fn pass(&mut self, finding: Finding) {
        if self.left > 0 {
            self.left -= 1;
            self.findings.push(finding);
        }
    }

    /// Passes on what was said about coverage elsewhere.
    pub fn uncovered(&mut self, part: Part) {
        self.coverage.add(part);
    }

    /// True once no more findings are taken: a detector may stop.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.left == 0
    }

    /// Adds to the scores; the largest of each counts.
    pub fn score(&mut self, scores: Scores) {
        *self.scores = self.scores.max(scores);
    }

    /// Says that `bytes` were not examined, and why.
    pub fn partial(&mut self, reason: Reason, bytes: usize) {
        self.coverage.add(Part::partial(reason, bytes));
    }
}
