//! What every detector of personal data has in common: a matcher that is tried at places of a text, and the facts
//! about one entity type.

use std::borrow::Cow;

use bartizan_core::{
    Anchors, Confidence, Cost, Detector, HitKind, Hold, Limits, Persona, Reference, Report, Rule, RuleId, Severity,
    Sink, Span, Subject, ViewText, Views,
};

use crate::tape::{Class, Tape, live_from, word_starts};

/// Where an entity is and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) end: usize,
    pub(crate) confidence: Confidence,
    /// Entity type where it is not the usual one.
    pub(crate) name: Option<&'static str>,
}

impl Match {
    pub(crate) const fn new(end: usize, confidence: Confidence) -> Self {
        Self { end, confidence, name: None }
    }

    pub(crate) const fn named(end: usize, confidence: Confidence, name: &'static str) -> Self {
        Self { end, confidence, name: Some(name) }
    }
}

/// Where to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Places {
    /// Every byte of a run of digits, and `lead` bytes before it.
    Digits { lead: usize },
    /// The start of the run of `lead`, at most `most` bytes, before this byte.
    Byte { byte: u8, lead: Class, most: usize },
    /// The first byte of a word, where it is one of these. Bytes outside ASCII are no part of words.
    Word(Class),
}

/// One entity type.
pub(crate) struct Entity {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) severity: Severity,
    pub(crate) references: &'static [Reference],
    pub(crate) places: Places,
    /// Most bytes of an entity.
    pub(crate) longest: usize,
    /// Most bytes behind an entity that the matcher looks at.
    pub(crate) ahead: usize,
    /// The entity that starts at a byte, if one does. It reads through the tape, and at most
    /// [`LOOKBEHIND`](bartizan_core::detector::LOOKBEHIND) bytes back. It says no at places inside an entity.
    pub(crate) find: fn(&Tape<'_>, usize) -> Option<Match>,
}

/// An entity type as a detector.
pub(crate) struct EntityDetector {
    entity: &'static Entity,
    rule: [Rule; 1],
    /// By byte, whether an entity may start with it at the first byte of a word.
    first: [bool; 256],
}

impl EntityDetector {
    pub(crate) fn new(entity: &'static Entity) -> Self {
        let rule = Rule {
            id: RuleId::new(entity.id),
            summary: Cow::Borrowed(entity.summary),
            doc: Cow::Borrowed(entity.doc),
            severity: entity.severity,
            confidence: Confidence::High,
            persona: Persona::Regular,
            references: Cow::Borrowed(entity.references),
            since: Cow::Borrowed("0.1.0"),
        };
        let mut first = [false; 256];
        if let Places::Word(class) = entity.places {
            for (slot, byte) in first.iter_mut().zip(0..=u8::MAX) {
                *slot = class.has(byte);
            }
        }
        Self { entity, rule: [rule], first }
    }
}

impl Detector for EntityDetector {
    fn rules(&self) -> &[Rule] {
        &self.rule
    }

    fn views(&self) -> Views {
        Views::TOKENS
    }

    fn hold(&self) -> Hold {
        Hold::Bounded(self.entity.longest + self.entity.ahead)
    }

    fn cost(&self) -> Cost {
        Cost::Literal
    }

    fn anchors(&self) -> Anchors<'_> {
        match self.entity.places {
            Places::Digits { .. } => Anchors::DIGITS,
            // One byte is no anchor; finding it costs less than the shared pass would.
            Places::Byte { .. } | Places::Word(_) => Anchors::ALWAYS,
        }
    }

    fn live(&self, tail: &str) -> usize {
        live_from(tail, self.entity.longest + self.entity.ahead, |tape, at| {
            (self.entity.find)(tape, at);
        })
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Limits, out: &mut Sink<'_>) {
        let [rule] = &self.rule;
        let mut try_at = |text: &ViewText<'_>, tape: &Tape<'_>, at: usize| {
            if let Some(hit) = (self.entity.find)(tape, at) {
                let report = Report::new(rule, text, Span::new(at, hit.end));
                out.report(report.entity(hit.name.unwrap_or(self.entity.name)).confidence(hit.confidence));
            }
        };
        match self.entity.places {
            Places::Digits { lead } => {
                // Hits come in the order of their places; what was tried for one is not tried for the next.
                let mut done = (usize::MAX, 0);
                for (text, hit) in subject.anchored().filter(|(_, h)| h.kind == HitKind::Digits) {
                    let tape = Tape::new(&text.text);
                    let tried = if done.0 == hit.text { done.1 } else { 0 };
                    let from = hit.span.start.saturating_sub(lead).max(tried);
                    (from..hit.span.end).for_each(|at| try_at(text, &tape, at));
                    done = (hit.text, hit.span.end);
                }
            }
            Places::Word(_) => {
                for text in subject.views(self.views()) {
                    let tape = Tape::new(&text.text);
                    for (at, byte) in text.text.bytes().enumerate() {
                        if self.first.get(usize::from(byte)) == Some(&true) && word_starts(&tape, at) {
                            try_at(text, &tape, at);
                        }
                    }
                }
            }
            Places::Byte { byte, lead, most } => {
                for text in subject.views(self.views()) {
                    let tape = Tape::new(&text.text);
                    for at in memchr::memchr_iter(byte, text.text.as_bytes()) {
                        try_at(text, &tape, tape.run_back(at, at.saturating_sub(most), lead));
                    }
                }
            }
        }
    }
}
