//! Detectors over a whole text.

use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::Arc;

use bartizan_core::{
    Allowance, Anchors, Context, Coverage, Detector, Family, Finding, Hold, Kind, Limits, Location, Origin, Part,
    Reason, Rule, RuleId, Scores, Sink, Source, Span, Subject, View, ViewText, Views,
};
use unicode_normalization::char::is_combining_mark;

use crate::dedupe::dedupe;
use crate::error::EngineError;
use crate::meter::{Meter, Passages};
use crate::prefilter::{Lane, Prefilter, with_lanes};
use crate::stream::{Stream, Surroundings};
use crate::suppress::Suppression;
use crate::views;

/// A fixed set of detectors, ready to look at texts from any thread.
pub struct Engine {
    /// The cheap first, then by their first rule.
    detectors: Vec<Box<dyn Detector>>,
    traits: Vec<Traits>,
    /// Position of a rule among all rules, and of its detector.
    rules: HashMap<RuleId, (u32, usize)>,
    prefilter: Prefilter,
    suppressions: Vec<Suppression>,
    limits: Limits,
    /// True where a detector wants to see every text.
    always: bool,
}

/// What a detector answers about itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    pub(crate) views: Views,
    pub(crate) hold: Hold,
    always: bool,
    non_ascii: bool,
    /// Whose time its calls take: that of its first rule.
    family: Family,
}

/// One text to look at.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The text.
    pub text: &'a str,
    /// What it is.
    pub kind: Kind,
    /// Where it came from.
    pub origin: &'a Origin,
    /// What it stands in.
    pub context: Context<'a>,
}

/// What was found in one text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scan {
    /// Findings by place, then by rule; spans are bytes of the text.
    pub findings: Vec<Finding>,
    /// Probabilities that detectors worked out.
    pub scores: Scores,
    /// What was not read.
    pub coverage: Coverage,
    /// How many findings were suppressed.
    pub suppressed: u64,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("rules", &self.rules.len()).field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine with these detectors, in any order.
    ///
    /// # Errors
    /// A detector without rules, a rule defined twice, an empty literal, a suppression of an unknown rule, with an
    /// empty text or without a reason, or more literals than fit an automaton.
    pub fn new(
        mut detectors: Vec<Box<dyn Detector>>,
        suppressions: Vec<Suppression>,
        limits: Limits,
    ) -> Result<Self, EngineError> {
        if detectors.iter().any(|d| d.rules().is_empty()) {
            return Err(EngineError::NoRules);
        }
        // A canonical order, so that the caller's cannot show in any answer.
        detectors.sort_by(|a, b| {
            let key = |d: &dyn Detector| (d.cost(), d.rules().first().map(|r| r.id.clone()));
            key(a.as_ref()).cmp(&key(b.as_ref()))
        });
        let mut rules = HashMap::new();
        for (number, detector) in detectors.iter().enumerate() {
            for rule in detector.rules() {
                let position = u32::try_from(rules.len()).unwrap_or(u32::MAX);
                if rules.insert(rule.id.clone(), (position, number)).is_some() {
                    return Err(EngineError::DuplicateRule(rule.id.clone()));
                }
            }
        }
        for suppression in &suppressions {
            suppression.check(detectors.iter().flat_map(|d| d.rules()))?;
        }
        let prefilter = Prefilter::new(&detectors)?;
        let traits: Vec<Traits> = detectors
            .iter()
            .map(|d| {
                let Anchors { always, non_ascii, .. } = d.anchors();
                let family = d.rules().first().map_or(Family::Prompt, |rule| rule.id.family());
                Traits { views: d.views(), hold: d.hold(), always, non_ascii, family }
            })
            .collect();
        let always = traits.iter().any(|t| t.always);
        Ok(Self { detectors, traits, rules, prefilter, suppressions, limits, always })
    }

    /// Every rule that can be reported, by detector.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.detectors.iter().flat_map(|d| d.rules())
    }

    /// The bounds it works within.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A number that changes with the rules, what they are anchored on, the suppressions and the limits, and with
    /// nothing else: FNV-1a, the same in every process. Settings that a detector keeps to itself are not in it.
    #[must_use]
    pub fn rules_fingerprint(&self) -> u64 {
        let mut hash = Fnv::default();
        for (detector, traits) in self.detectors.iter().zip(&self.traits) {
            for rule in detector.rules() {
                hash.text(rule.id.as_str());
                hash.text(&rule.since);
                hash.text(rule.severity.as_str());
                hash.text(rule.confidence.as_str());
            }
            for literal in detector.anchors().literals {
                hash.text(literal);
            }
            hash.text(&format!("{traits:?} {:?} {}", detector.cost(), detector.anchors().digits));
        }
        hash.text(&format!("{:?} {:?}", self.suppressions, self.limits));
        hash.finish()
    }

    /// The forms of a text that detectors read besides the text itself: name, encodings peeled off, text.
    #[must_use]
    pub fn views(&self, text: &str) -> Vec<(View, u8, String)> {
        let views = views::build(text, &self.limits, &mut Coverage::default());
        let others = views.into_iter().filter(|one| one.view != View::Raw);
        others.map(|one| (one.view, one.depth, one.text.into_owned())).collect()
    }

    /// Looks at a whole text. Of a text longer than [`Limits::max_text`] the first so many bytes are looked at, and
    /// the rest is in the coverage.
    ///
    /// A detector with more than 16,384 anchors in one text is called more than once, each time with the next so
    /// many of them.
    #[must_use]
    pub fn scan(&self, input: &Input<'_>) -> Scan {
        self.scan_metered(input, &mut Meter::default())
    }

    /// The same with time kept: a rule family whose budget is used up does not look at the text, and the meter says
    /// so.
    #[must_use]
    pub fn scan_metered(&self, input: &Input<'_>, meter: &mut Meter) -> Scan {
        let mut scan = Scan::default();
        let read = input.text.floor_char_boundary(self.limits.max_text);
        if read < input.text.len() {
            scan.coverage.add(Part::partial(Reason::TooLong, input.text.len() - read));
        }
        let text = input.text.get(..read).unwrap_or_default();
        // So short an ASCII text says nothing else in any view, such as `%41`, and is shorter than every anchor.
        if text.is_empty() || (text.len() < self.prefilter.shortest.min(4) && !self.always && text.is_ascii()) {
            return scan;
        }
        let texts = views::build(text, &self.limits, &mut scan.coverage);
        let subject =
            Subject { text, kind: input.kind, origin: input.origin, context: input.context, texts: &texts, hits: &[] };
        self.inspect(&subject, |_| true, meter, &mut scan);
        if !scan.findings.is_empty() {
            dedupe(&mut scan.findings);
            let before = scan.findings.len();
            scan.findings.retain(|f| !self.suppresses(f, input.origin.source, f.span().of(text)));
            scan.suppressed = (before - scan.findings.len()) as u64;
        }
        scan
    }

    /// A text that arrives piece by piece. `masks` says of which rules policy would redact or deny a finding here:
    /// only their detectors hold text back.
    #[must_use]
    pub fn stream(
        self: &Arc<Self>,
        origin: Origin,
        kind: Kind,
        masks: impl Fn(&Rule) -> bool,
        around: Surroundings,
    ) -> Stream {
        Stream::new(Arc::clone(self), origin, kind, masks, around)
    }

    pub(crate) fn detectors(&self) -> impl Iterator<Item = (usize, &dyn Detector, Traits)> {
        self.detectors.iter().zip(&self.traits).enumerate().map(|(i, (d, t))| (i, d.as_ref(), *t))
    }

    /// Position of the rule among all rules, and of its detector.
    pub(crate) fn owner(&self, rule: &RuleId) -> Option<(u32, usize)> {
        self.rules.get(rule).copied()
    }

    /// The rule of that id, if it can be reported.
    #[must_use]
    pub fn rule(&self, id: &RuleId) -> Option<&Rule> {
        let (_, detector) = self.owner(id)?;
        self.detectors.get(detector)?.rules().iter().find(|rule| rule.id == *id)
    }

    /// True where a suppression covers a finding in text from `source` that matched `matched`.
    #[must_use]
    pub fn suppresses(&self, finding: &Finding, source: Source, matched: &str) -> bool {
        self.suppressions.iter().any(|s| s.covers(finding, source, matched))
    }

    /// Calls the wanted detectors that have something to look at. The findings are as they come: several for one
    /// thing, in no particular order. Answers how many anchors were seen.
    pub(crate) fn inspect(
        &self,
        subject: &Subject<'_>,
        wanted: impl Fn(usize) -> bool,
        meter: &mut Meter,
        scan: &mut Scan,
    ) -> usize {
        let wanted = |at: usize| {
            wanted(at) && self.detectors.get(at).is_some_and(|d| d.concerns(subject.origin, &subject.context))
        };
        let foreign = subject.texts.iter().filter(|t| !t.text.is_ascii()).fold(Views::NONE, |v, t| v | t.serves);
        with_lanes(self.detectors.len(), |lanes| {
            let mut hits = 0;
            for (number, text) in subject.texts.iter().enumerate() {
                hits += self.prefilter.pass(number, text, lanes, wanted, |at, lane| {
                    if let (Some(detector), Some(traits)) = (self.detectors.get(at), self.traits.get(at)) {
                        meter.run(traits.family, subject.text.len(), |passages| {
                            self.call(detector.as_ref(), subject, lane, scan, passages);
                        });
                        lane.hits.clear();
                    }
                });
            }
            if hits == 0 && !self.always && foreign == Views::NONE {
                return 0;
            }
            for (lane, (at, detector, traits)) in lanes.iter_mut().zip(self.detectors()) {
                let called =
                    !lane.hits.is_empty() || traits.always || (traits.non_ascii && foreign.intersects(traits.views));
                if called && wanted(at) {
                    meter.run(traits.family, subject.text.len(), |passages| {
                        self.call(detector, subject, lane, scan, passages);
                    });
                }
            }
            hits
        })
    }

    fn call(
        &self,
        detector: &dyn Detector,
        subject: &Subject<'_>,
        lane: &mut Lane,
        scan: &mut Scan,
        passages: &mut Passages,
    ) {
        lane.hits.sort_by_key(|hit| (hit.text, hit.span));
        let before = scan.findings.len();
        let subject = Subject { hits: &lane.hits, ..*subject };
        let mut call = |limits: &Limits| {
            let left = limits.max_model_passages.saturating_sub(passages.read);
            let mut sink = Sink::new(&mut scan.findings, &mut scan.scores, &mut scan.coverage, limits)
                .allowing(Allowance { left, short: false });
            detector.inspect(&subject, limits, &mut sink);
            passages.read += left - sink.allowance().left;
            passages.short |= sink.allowance().short;
        };
        match lane.reported {
            0 => call(&self.limits),
            some if some >= self.limits.max_findings => {}
            some => call(&Limits { max_findings: self.limits.max_findings - some, ..self.limits.clone() }),
        }
        for finding in scan.findings.iter_mut().skip(before) {
            take_marks(finding, subject.text);
        }
        lane.reported += scan.findings.len() - before;
        lane.hits.clear();
    }
}

/// Most combining marks that are taken into a finding.
const MARKS: usize = 64;

/// Takes the combining marks on a finding's last character into it: they belong to that character, some views have
/// no place between the two, and on a placeholder they would make no sense.
fn take_marks(finding: &mut Finding, text: &str) {
    let span = finding.span();
    let rest = text.get(span.end..).unwrap_or_default();
    if span.is_empty() || rest.as_bytes().first().is_none_or(u8::is_ascii) {
        return;
    }
    let marks: usize = rest.chars().take(MARKS).take_while(|c| is_combining_mark(*c)).map(char::len_utf8).sum();
    finding.at = Location::Text { span: Span::new(span.start, span.end + marks) };
}

/// Bytes at the end of a detector's view that [`Detector::live`] has to see.
pub(crate) fn tail<'a>(text: &'a ViewText<'_>, hold: Hold) -> &'a str {
    let Hold::Bounded(bound) = hold else { return &text.text };
    let least = bound.saturating_add(bartizan_core::detector::LOOKBEHIND + 4);
    let from = text.text.floor_char_boundary(text.text.len().saturating_sub(least));
    text.text.get(from..).unwrap_or_default()
}

/// A finding moved by so many bytes.
pub(crate) fn shift(mut finding: Finding, by: usize) -> Finding {
    let span = finding.span();
    finding.at = Location::Text { span: Span::new(span.start + by, span.end + by) };
    finding
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo; IETF draft-eastlake-fnv).
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    /// Adds a text and its end.
    fn text(&mut self, text: &str) {
        self.write(text.as_bytes());
        self.write(&[0xff]);
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
