//! Weighing evidence: how a sum of weights becomes a confidence and a score.

use bartizan_core::{Confidence, Scores};

use super::lexicon::Sense;
use super::words::{Mark, Reading};

/// From this weight on a finding is made at all.
const LOW: f32 = 0.5;
const MEDIUM: f32 = 0.6;
const HIGH: f32 = 0.7;

/// The confidence that a weight stands for, or none.
pub(super) fn confidence(weight: f32) -> Option<Confidence> {
    match weight {
        w if w >= HIGH => Some(Confidence::High),
        w if w >= MEDIUM => Some(Confidence::Medium),
        w if w >= LOW => Some(Confidence::Low),
        _ => None,
    }
}

/// Several findings in one text as one score: noisy-or of the weights. A heuristic, not a calibrated probability;
/// the classifier is the one that is calibrated.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoisyOr(f32);

impl NoisyOr {
    pub(super) const fn new() -> Self {
        Self(1.0)
    }

    pub(super) fn add(&mut self, weight: f32) {
        self.0 *= 1.0 - weight.clamp(0.0, 0.97);
    }

    pub(super) fn scores(self) -> Option<Scores> {
        (self.0 < 1.0).then(|| Scores { injection: Some(1.0 - self.0), ..Scores::default() })
    }
}

/// How far words of one phrase may be apart, in bytes of the reading.
pub(super) const REACH: usize = 80;
/// How far talk about attacks reaches.
const TOPIC: usize = 200;

/// What the mood of a verb adds: a command adds, a report or a denied command takes away.
pub(super) fn mood(reading: &Reading, head: &Mark) -> f32 {
    let leading = reading.leading(head.start);
    if leading.has(Sense::LEAD) {
        0.1
    } else if leading.has(Sense::REPORTED) {
        -0.3
    } else if reading.starts_clause(head.start) {
        0.1
    } else {
        let before = reading.text.get(..head.start).unwrap_or_default();
        // "wants you to ignore" commands, "tries to ignore" reports.
        if before.ends_with(" to ") && !before.ends_with(" you to ") { -0.1 } else { 0.0 }
    }
}

/// What the surroundings take away: questions about how something works, talk about attacks, quotation marks.
pub(super) fn distance(reading: &Reading, head: &Mark) -> f32 {
    let sentence = reading.sentence(head.start, head.end, REACH);
    let mut away = 0.0;
    if reading.senses(bartizan_core::Span::new(sentence.start, head.start)).has(Sense::ASKING) {
        away += 0.25;
    }
    let around = bartizan_core::Span::new(head.start.saturating_sub(TOPIC), head.end + TOPIC);
    let topics = reading.within(around).filter(|m| m.sense.has(Sense::ABOUT)).take(3).count();
    away += [0.0, 0.15, 0.25, 0.3].get(topics).copied().unwrap_or(0.3);
    let quoted = reading.text.get(..head.start).is_some_and(|t| t.ends_with(['"', '\u{201C}', '\u{AB}', '\u{300C}']));
    if quoted && topics > 0 {
        away += 0.1;
    }
    away
}

/// Bytes after a label or delimiter in which an order has to begin.
const ORDER: usize = 160;

/// What stands after a label or delimiter adds, if it is an order and not content.
pub(super) fn follow_up(reading: &Reading, at: usize) -> f32 {
    let range = bartizan_core::Span::new(at, at + ORDER);
    let found = reading.senses(range);
    let mut weight: f32 = 0.0;
    if found.has(Sense::IGNORE | Sense::UNFOLLOW | Sense::UNBOUND)
        && found.has(Sense::INSTRUCTIONS | Sense::RULES | Sense::EVERYTHING | Sense::BEFORE | Sense::ROLE)
    {
        weight += 0.35;
    } else if found.has(Sense::REVEAL) && found.has(Sense::SECRET | Sense::INSTRUCTIONS) || found.has(Sense::CONCEAL) {
        weight += 0.3;
    }
    if found.has(Sense::ROLE) {
        weight += 0.2;
    }
    let order = |m: &&Mark| m.sense.has(Sense::ACTION | Sense::IGNORE | Sense::SHOW) && mood(reading, m) > 0.0;
    if reading.within(range).any(|m| order(&m)) {
        weight += 0.2;
    }
    if found.has(Sense::INSTRUCTIONS | Sense::NEW) && found.has(Sense::YOURS | Sense::SECRET) {
        weight += 0.1;
    }
    weight
}
