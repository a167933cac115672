//! The shared pass: every anchor of every detector, looked for once in each text.

use std::cell::Cell;
use std::collections::HashMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use bartizan_core::{Detector, Hit, HitKind, Span, ViewText, Views};

use crate::digits;
use crate::error::EngineError;

/// Most hits collected for one detector before it is called with them. Bounds memory on a text that is nothing but
/// anchors; far more than a detector that counts hits needs to see at once.
pub(crate) const BATCH: usize = 1 << 14;

/// Most hits whose memory a lane keeps for the next text.
const KEPT: usize = 512;

/// Literals up to this many bytes in all become a DFA: about a quarter kilobyte of table per byte.
const DFA_BYTES: usize = 16 << 10;

/// Who wants to know of a literal.
#[derive(Clone, Copy, Debug)]
struct Target {
    lane: usize,
    literal: usize,
    views: Views,
}

/// Anchors of all detectors.
#[derive(Debug)]
pub(crate) struct Prefilter {
    automaton: Option<AhoCorasick>,
    /// By pattern of the automaton.
    targets: Vec<Vec<Target>>,
    digits: Vec<Target>,
    literal_views: Views,
    digit_views: Views,
    /// Length of the shortest text with any hit.
    pub(crate) shortest: usize,
}

/// What was seen for one detector.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    /// Anchors seen and not yet handed over.
    pub(crate) hits: Vec<Hit>,
    /// How many findings it has been good for.
    pub(crate) reported: usize,
}

thread_local! {
    /// Memory of the last scan on this thread. It is taken out while in use, so that a detector may scan too.
    static LANES: Cell<Vec<Lane>> = const { Cell::new(Vec::new()) };
}

/// Runs `work` with one empty lane for each of `count` detectors.
pub(crate) fn with_lanes<T>(count: usize, work: impl FnOnce(&mut [Lane]) -> T) -> T {
    let mut lanes = LANES.take();
    lanes.resize_with(count, Lane::default);
    for lane in &mut lanes {
        lane.hits.clear();
        lane.reported = 0;
    }
    let result = work(&mut lanes);
    // What one hostile text has needed is not kept for good.
    for lane in lanes.iter_mut().filter(|lane| lane.hits.capacity() > KEPT) {
        lane.hits = Vec::new();
    }
    LANES.set(lanes);
    result
}

impl Prefilter {
    pub(crate) fn new(detectors: &[Box<dyn Detector>]) -> Result<Self, EngineError> {
        let mut index: HashMap<String, usize> = HashMap::new();
        let mut patterns: Vec<String> = Vec::new();
        let mut targets: Vec<Vec<Target>> = Vec::new();
        let mut digits = Vec::new();
        let (mut literal_views, mut digit_views) = (Views::NONE, Views::NONE);
        let mut shortest = usize::MAX;
        for (lane, detector) in detectors.iter().enumerate() {
            let (anchors, views) = (detector.anchors(), detector.views());
            for (literal, text) in anchors.literals.iter().enumerate() {
                if text.is_empty() {
                    let rule = detector.rules().first().ok_or(EngineError::NoRules)?;
                    return Err(EngineError::EmptyLiteral(rule.id.clone()));
                }
                shortest = shortest.min(text.len());
                let folded = text.to_ascii_lowercase();
                let pattern = *index.entry(folded.clone()).or_insert_with(|| {
                    patterns.push(folded);
                    targets.push(Vec::new());
                    targets.len() - 1
                });
                if let Some(list) = targets.get_mut(pattern) {
                    list.push(Target { lane, literal, views });
                }
                literal_views = literal_views | views;
            }
            if anchors.digits {
                shortest = shortest.min(digits::LEAST);
                digits.push(Target { lane, literal: 0, views });
                digit_views = digit_views | views;
            }
        }
        let automaton = if patterns.is_empty() { None } else { Some(automaton(&patterns)?) };
        Ok(Self { automaton, targets, digits, literal_views, digit_views, shortest })
    }

    /// Hands every anchor in `text`, which is number `number`, to the lanes that `wanted` lets through. `full` is
    /// called whenever a lane holds [`BATCH`] hits. Answers how many were handed over.
    pub(crate) fn pass(
        &self,
        number: usize,
        text: &ViewText<'_>,
        lanes: &mut [Lane],
        wanted: impl Fn(usize) -> bool,
        mut full: impl FnMut(usize, &mut Lane),
    ) -> usize {
        let mut count = 0;
        let mut hand = |target: &Target, span: Span, kind: HitKind| {
            if !text.serves.intersects(target.views) || !wanted(target.lane) {
                return;
            }
            let Some(lane) = lanes.get_mut(target.lane) else { return };
            lane.hits.push(Hit { text: number, span, kind });
            count += 1;
            if lane.hits.len() >= BATCH {
                full(target.lane, lane);
            }
        };
        if let Some(automaton) = &self.automaton
            && text.serves.intersects(self.literal_views)
        {
            for found in automaton.find_overlapping_iter(text.text.as_ref()) {
                for target in self.targets.get(found.pattern().as_usize()).into_iter().flatten() {
                    let span = Span::new(found.start(), found.end());
                    hand(target, span, HitKind::Literal(target.literal));
                }
            }
        }
        if text.serves.intersects(self.digit_views) {
            digits::runs(&text.text, |span| {
                for target in &self.digits {
                    hand(target, span, HitKind::Digits);
                }
            });
        }
        count
    }
}

fn automaton(patterns: &[String]) -> Result<AhoCorasick, EngineError> {
    let bytes: usize = patterns.iter().map(String::len).sum();
    let kind = if bytes <= DFA_BYTES { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::Standard)
        .kind(Some(kind))
        .build(patterns)
        .map_err(|error| EngineError::Literals(error.to_string()))
}
